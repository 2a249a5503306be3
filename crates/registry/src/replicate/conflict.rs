//! Which of two regions is right about a tag. Decided here alone, from what both say; nothing is asked and nothing is done.

use crate::client::{Stamp, TagState};

/// Which of two tags wins that were moved in two regions without knowing of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The one that was moved last.
    Newest,
    /// The one of this region, and else the one that was moved last.
    Primary(String),
    /// Neither: both stay as they are until somebody decides.
    Deny,
}

/// What is done about a tag at the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both say the same.
    Same,
    /// The other side gets ours.
    Ours,
    /// The other side keeps its own; it will come to us from there.
    Theirs,
    /// Nobody is right, and nothing is done.
    Conflict,
}

/// Judges a tag.
#[must_use]
pub fn judge(rule: &Rule, ours: &TagState, theirs: &TagState) -> Verdict {
    if ours.digest == theirs.digest {
        return Verdict::Same;
    }
    if theirs.digest.is_none() && theirs.stamp.is_none() {
        return Verdict::Ours;
    }
    if ours.digest.is_none() && ours.stamp.is_none() {
        return Verdict::Theirs;
    }
    let is_of_one = |ours: &Stamp, theirs: &Stamp| ours.origin == theirs.origin && ours.at != theirs.at;
    match (follows(ours, theirs), follows(theirs, ours), &ours.stamp, &theirs.stamp) {
        // One region knows in which order it did something.
        (_, _, Some(ours), Some(theirs)) if is_of_one(ours, theirs) => {
            return if ours.at > theirs.at { Verdict::Ours } else { Verdict::Theirs };
        }
        (true, false, ..) => return Verdict::Ours,
        (false, true, ..) => return Verdict::Theirs,
        _ => {}
    }
    let (ours, theirs) = match (&ours.stamp, &theirs.stamp) {
        (Some(ours), Some(theirs)) => (ours, theirs),
        // A registry that does not say when a tag was moved has no say where it is asked who was last.
        (Some(ours), None) => return without_theirs(rule, ours),
        (None, Some(_)) => return Verdict::Theirs,
        (None, None) => return Verdict::Conflict,
    };
    let last = if (ours.at, &ours.origin) >= (theirs.at, &theirs.origin) { Verdict::Ours } else { Verdict::Theirs };
    match rule {
        Rule::Newest => last,
        Rule::Primary(primary) if ours.origin == *primary => Verdict::Ours,
        Rule::Primary(primary) if theirs.origin == *primary => Verdict::Theirs,
        Rule::Primary(_) => last,
        Rule::Deny => Verdict::Conflict,
    }
}

/// Whether a tag was moved here by somebody who knew of the other one: it was moved away from that, or both regions had that once.
fn follows(this: &TagState, other: &TagState) -> bool {
    let base = |state: &TagState| state.stamp.as_ref().and_then(|stamp| stamp.base.clone());
    let knew = other.digest.is_some() && (base(this) == other.digest || base(other) == other.digest);
    // What was removed and then pushed again is not what was removed, although it has the same digest.
    let at = |state: &TagState| state.stamp.as_ref().map(|stamp| stamp.at);
    let is_new_again = this.digest.is_none() && base(other).is_none() && at(other) > at(this);
    knew && !is_new_again
}

fn without_theirs(rule: &Rule, ours: &Stamp) -> Verdict {
    match rule {
        Rule::Newest => Verdict::Ours,
        Rule::Primary(primary) if ours.origin == *primary => Verdict::Ours,
        Rule::Primary(_) | Rule::Deny => Verdict::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use jeroboam_oci::Digest;

    use super::*;

    /// A tag as `digest@second/origin<base`; `-` for what is not there.
    fn state(text: &str) -> TagState {
        let (target, stamp) = text.split_once('@').expect("it has an @");
        let digest = |text: &str| (text != "-").then(|| Digest::sha256(text.as_bytes()));
        let stamp_of = |text: &str| {
            let (rest, base) = text.split_once('<').unwrap_or((text, "-"));
            let (second, origin) = rest.split_once('/')?;
            let at = format!("2026-11-22T00:00:{second}Z").parse().expect("a time");
            Some(Stamp { at, origin: origin.to_owned(), base: digest(base) })
        };
        TagState { digest: digest(target), stamp: stamp_of(stamp) }
    }

    #[track_caller]
    fn check(rule: &Rule, ours: &str, theirs: &str, verdict: Verdict) {
        assert_eq!(judge(rule, &state(ours), &state(theirs)), verdict, "{rule:?} {ours} {theirs}");
        let mirrored = match verdict {
            Verdict::Ours => Verdict::Theirs,
            Verdict::Theirs => Verdict::Ours,
            other => other,
        };
        if ours.contains('/') && theirs.contains('/') {
            assert_eq!(judge(rule, &state(theirs), &state(ours)), mirrored, "both sides judge alike: {ours} {theirs}");
        }
    }

    #[test]
    fn what_no_rule_is_needed_for() {
        for rule in [Rule::Newest, Rule::Primary("a".to_owned()), Rule::Deny] {
            check(&rule, "x@01/a", "x@02/b", Verdict::Same);
            check(&rule, "x@01/a", "-@", Verdict::Ours);
            check(&rule, "-@", "x@01/b", Verdict::Theirs);
            check(&rule, "-@", "-@", Verdict::Same);
            check(&rule, "y@02/a", "x@01/a", Verdict::Ours);
            check(&rule, "y@02/b<x", "x@01/a", Verdict::Ours);
            // Also where clocks disagree.
            check(&rule, "y@01/b<x", "x@02/a", Verdict::Ours);
            // Removed here after the other region got it from us.
            check(&rule, "-@03/a", "x@01/a", Verdict::Ours);
            check(&rule, "-@03/b<x", "x@01/a", Verdict::Ours);
            check(&rule, "x@01/a", "-@03/a", Verdict::Theirs);
            // Pushed again by the region that removed it.
            check(&rule, "x@04/a<x", "-@03/a<x", Verdict::Ours);
            check(&rule, "-@03/a<x", "x@04/a<x", Verdict::Theirs);
        }
    }

    #[test]
    fn rules_decide_where_neither_knew_of_the_other() {
        let (newest, primary, deny) = (Rule::Newest, Rule::Primary("a".to_owned()), Rule::Deny);
        check(&newest, "x@02/a", "y@01/b", Verdict::Ours);
        check(&newest, "x@01/a", "y@02/b", Verdict::Theirs);
        check(&newest, "x@01/b", "y@01/a", Verdict::Ours);
        check(&newest, "-@02/a", "y@01/b", Verdict::Ours);
        check(&newest, "x@01/a", "y@", Verdict::Ours);
        check(&primary, "x@01/a", "y@02/b", Verdict::Ours);
        check(&primary, "x@01/c", "y@02/b", Verdict::Theirs);
        check(&primary, "x@01/b", "y@", Verdict::Conflict);
        check(&primary, "x@01/a", "y@", Verdict::Ours);
        check(&deny, "x@01/a", "y@02/b", Verdict::Conflict);
        check(&deny, "x@01/a", "y@", Verdict::Conflict);
        // Both had it, and one of them moved on.
        check(&deny, "z@03/a", "y@01/b<y", Verdict::Ours);
        check(&deny, "z@01/a", "y@03/b<y", Verdict::Ours);
        check(&deny, "z@03/a<y", "y@01/b<y", Verdict::Ours);
        check(&deny, "-@03/a", "y@01/b<y", Verdict::Ours);
        // Pushed again by another region than the one that removed it.
        check(&newest, "x@04/b", "-@03/a<x", Verdict::Ours);
        check(&newest, "x@02/b", "-@03/a<x", Verdict::Theirs);
        // Both moved on from what both had.
        check(&deny, "z@03/a<x", "y@01/b<x", Verdict::Conflict);
        // Both moved on from what the other one had: only a rule helps.
        check(&newest, "x@02/a<y", "y@01/b<x", Verdict::Ours);
        check(&deny, "x@02/a<y", "y@01/b<x", Verdict::Conflict);
    }
}
