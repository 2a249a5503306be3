//! Where the protocol keeps what everybody has to know.

use super::Key;
use crate::layout::{Area, area, own};

/// The announcement: the epoch that is under way, or was last.
#[must_use]
pub fn epoch() -> String {
    own(Area::Gc, &["epoch"])
}

/// Who collects.
#[must_use]
pub fn leader() -> String {
    own(Area::Gc, &["leader"])
}

/// What is written to see what time the store has.
#[must_use]
pub fn clock() -> String {
    own(Area::Gc, &["clock"])
}

/// That a term has somebody.
#[must_use]
pub fn term(term: u64) -> String {
    own(Area::Gc, &["terms", &term.to_string()])
}

/// A part of the candidates of an epoch: the 32 bytes of each key, one after the other.
#[must_use]
pub fn candidates(number: u64, part: usize) -> String {
    own(Area::Gc, &["epochs", &number.to_string(), &format!("candidates-{part:05}")])
}

/// A part of what is collected of an epoch, one JSON object a line.
#[must_use]
pub fn list(number: u64, part: usize) -> String {
    own(Area::Gc, &["epochs", &number.to_string(), &format!("list-{part:05}")])
}

/// Above everything of all epochs.
#[must_use]
pub fn epochs() -> String {
    format!("{}epochs/", area(Area::Gc))
}

/// That a candidate is being collected.
#[must_use]
pub fn warrant(number: u64, key: &Key) -> String {
    let key = key.to_string();
    own(Area::Gc, &["warrants", &number.to_string(), &key[..2], &key])
}

/// Above the warrants of all epochs.
#[must_use]
pub fn warrants() -> String {
    format!("{}warrants/", area(Area::Gc))
}

/// That somebody was promised that a candidate stays.
#[must_use]
pub fn lease(number: u64, key: &Key) -> String {
    let key = key.to_string();
    own(Area::Leases, &["epochs", &number.to_string(), &key[..2], &key])
}

/// Above the leases of all epochs.
#[must_use]
pub fn leases() -> String {
    format!("{}epochs/", area(Area::Leases))
}

/// What a process says of itself that answers clients.
#[must_use]
pub fn instance(id: &str) -> String {
    own(Area::Leases, &["instances", id])
}

/// Above what all processes say of themselves.
#[must_use]
pub fn instances() -> String {
    format!("{}instances/", area(Area::Leases))
}

/// What manifests refer to, of those whose keys begin with this byte.
#[must_use]
pub fn references(shard: u8) -> String {
    own(Area::Gc, &["references", &format!("{shard:02x}")])
}

/// What the last run did.
#[must_use]
pub fn report() -> String {
    own(Area::Gc, &["report"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Meaning, meaning};

    #[test]
    fn everything_lies_where_distribution_does_not_look() {
        let key = Key::from([0xab; 32]);
        for path in [
            epoch(),
            leader(),
            clock(),
            term(7),
            candidates(7, 0),
            list(7, 1),
            warrant(7, &key),
            references(9),
            report(),
        ] {
            assert!(matches!(meaning(&path), Meaning::Own(Area::Gc, _)), "{path}");
        }
        for path in [lease(7, &key), instance("one")] {
            assert!(matches!(meaning(&path), Meaning::Own(Area::Leases, _)), "{path}");
        }
        assert!(lease(7, &key).starts_with(&leases()) && warrant(7, &key).starts_with(&warrants()));
        assert!(candidates(7, 0).starts_with(&epochs()) && instance("one").starts_with(&instances()));
    }
}
