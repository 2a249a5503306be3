//! What must hold whatever is read: the tests try what is kept in `fuzz/seeds`, the fuzzers look for more.

use jeroboam_model::{KubeRelease, Labels};

pub use crate::certificates::properties::csr;
use crate::{Kind, labels as rules};

/// The most characters that a refusal has.
pub const LONGEST_REFUSAL: usize = 1500;

/// Labels that somebody gave to a cluster, whose template has those of `parent`.
pub fn labels(given: &Labels, parent: &Labels) {
    let none = Labels::default();
    assert_eq!(rules::inherited(parent, None, true), *parent);
    assert_eq!(rules::inherited(parent, Some(&none), false), *parent);
    let merged = rules::inherited(parent, Some(given), true);
    let alone = if given.is_empty() { parent } else { given };
    assert_eq!(rules::inherited(parent, Some(given), false), *alone);
    for (name, value) in merged.iter() {
        assert_eq!(Some(value), given.get(name).or(parent.get(name)), "{name}");
    }
    differences_add_up(&merged, parent);
    differences_add_up(given, parent);
    assert_eq!(merged.diff(parent).skipped, none, "what is laid on top takes nothing away");

    assert_eq!(rules::carried_over(parent, parent, given), *given, "labels of the old template follow the new one");
    let moved = rules::carried_over(given, parent, &none);
    assert!(moved.iter().all(|(name, value)| given.get(name) == Some(value)), "a move to nothing makes up nothing");

    match rules::check(given) {
        Ok(()) => can_be_read(given),
        Err(refusal) => {
            assert_eq!(refusal.kind(), Kind::BadRequest, "{refusal:?}");
            let said = refusal.to_string();
            assert!(said.chars().count() <= LONGEST_REFUSAL, "{said}");
        }
    }
}

/// What was added, overridden and skipped leads from the parent to the child.
fn differences_add_up(child: &Labels, parent: &Labels) {
    let diff = child.diff(parent);
    let mut again = parent.clone();
    for (name, value) in diff.overridden.iter() {
        assert_eq!(parent.get(name), Some(value), "{name}");
        again.set(name, child.get(name).expect("both have it"));
    }
    for (name, _) in diff.skipped.iter() {
        assert!(again.remove(name).is_some(), "{name}");
    }
    assert_eq!(again.merged(&diff.added), *child);
}

/// Values that were not refused are what they are said to be.
fn can_be_read(labels: &Labels) {
    for name in rules::RANGES {
        let plain = |c: char| c.is_ascii_hexdigit() || ".:/".contains(c);
        assert!(labels.text(name).is_none_or(|text| text.chars().all(plain)), "{name}");
    }
    let release = rules::release(labels).expect("it was not refused");
    let Some(release) = release else { return };
    assert_eq!(release.to_string().parse(), Ok(release.clone()));
    let ours: KubeRelease = "v1.33.4".parse().expect("it is a release");
    let both_ways = release.may_upgrade_to(&ours).and(ours.may_upgrade_to(&release));
    assert_eq!(both_ways.is_ok(), release == ours, "nothing goes up and down");
}

#[cfg(test)]
mod tests {
    use jeroboam_oslo::properties::replay;

    use super::*;

    #[test]
    fn what_is_kept_of_requests_for_signatures_holds() {
        replay("csr", csr);
    }
}
