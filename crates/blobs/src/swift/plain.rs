//! Names of objects that were just seen to be plain ones, so that removing them does not begin with a look at them.
//!
//! Who is wrong about one leaves segments of which a sweep knows; nothing else.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many names before the older half is forgotten.
const HALF: usize = 4096;

/// A bounded memory of names.
#[derive(Debug, Default)]
pub(crate) struct Plain(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    young: HashSet<String>,
    old: HashSet<String>,
}

impl Plain {
    fn halves(&self) -> MutexGuard<'_, Halves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a name, or forgets it where it is no plain one.
    pub(crate) fn saw(&self, name: &str, is_plain: bool) {
        let mut halves = self.halves();
        if !is_plain {
            halves.young.remove(name);
            halves.old.remove(name);
            return;
        }
        if halves.young.len() >= HALF {
            halves.old = std::mem::take(&mut halves.young);
        }
        if !halves.young.contains(name) {
            halves.young.insert(name.to_owned());
        }
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        let halves = self.halves();
        halves.young.contains(name) || halves.old.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_names_are_known_and_memory_ends() {
        let plain = Plain::default();
        for at in 0..3 * HALF {
            plain.saw(&at.to_string(), true);
        }
        assert!(plain.knows(&(3 * HALF - 1).to_string()) && !plain.knows("0"));
        let held = {
            let halves = plain.halves();
            halves.young.len() + halves.old.len()
        };
        assert!(held <= 2 * HALF);
        plain.saw("12287", false);
        assert!(!plain.knows("12287"));
    }
}
