//! Names and passwords that were wrong a moment ago: a client that shows the same ones with each request has guessed once.

use std::net::IpAddr;
use std::time::Duration;

use moka::sync::Cache;
use secrecy::SecretString;

use super::keyed::{Keyed, Sum};

/// So many are remembered; what is forgotten counts once more.
const MOST: u64 = 10_000;

/// What was wrong, by its keyed hash.
pub(super) struct Wrong {
    keyed: Keyed,
    seen: Cache<Sum, ()>,
}

impl Wrong {
    /// Each is remembered for `period`.
    pub(super) fn new(period: Duration) -> Self {
        Self { keyed: Keyed::random(), seen: Cache::builder().max_capacity(MOST).time_to_live(period).build() }
    }

    /// Remembers what was wrong, and says whether it is new. Where many come at once, one of them is.
    pub(super) fn is_new(&self, address: Option<IpAddr>, name: &str, password: &SecretString) -> bool {
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        let sum = self.keyed.sum(&[address.as_str(), name], password);
        self.seen.entry(sum).or_insert_with(|| ()).is_fresh()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_again_is_not_new() {
        let wrong = Wrong::new(Duration::from_secs(60));
        let here = Some(IpAddr::from([192, 0, 2, 1]));
        for (address, name, password, new) in [
            (here, "ada", "one", true),
            (here, "ada", "one", false),
            (here, "ada", "two", true),
            (here, "bob", "one", true),
            (None, "ada", "one", true),
            (here, "ada", "one", false),
        ] {
            assert_eq!(wrong.is_new(address, name, &password.into()), new, "{address:?} {name} {password}");
        }
    }
}
