//! What a run found: for people, for machines, and beside what was expected.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

/// What one case came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "reason", rename_all = "lowercase")]
pub enum Outcome {
    /// As the specification says.
    Pass,
    /// Not as the specification says.
    Fail(String),
    /// An optional part that the registry does not have.
    Skip(String),
    /// Left out by the caller or the version.
    Disabled(String),
}

impl Outcome {
    /// One word for it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
            Self::Skip(_) => "skip",
            Self::Disabled(_) => "disabled",
        }
    }
}

/// One case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// Its name, parts separated by slashes.
    pub name: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took.
    pub millis: u128,
}

/// How many cases came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Passed.
    pub pass: usize,
    /// Failed.
    pub fail: usize,
    /// Skipped.
    pub skip: usize,
    /// Disabled.
    pub disabled: usize,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Who was asked.
    pub registry: String,
    /// What it was held against.
    pub version: &'static str,
    /// How many cases came to what.
    pub counts: Counts,
    /// All cases in the order in which they ran.
    pub cases: Vec<CaseResult>,
}

impl Report {
    pub(crate) fn of(registry: String, version: &'static str, cases: Vec<CaseResult>) -> Self {
        let mut counts = Counts::default();
        for case in &cases {
            match case.outcome {
                Outcome::Pass => counts.pass += 1,
                Outcome::Fail(_) => counts.fail += 1,
                Outcome::Skip(_) => counts.skip += 1,
                Outcome::Disabled(_) => counts.disabled += 1,
            }
        }
        Self { registry, version, counts, cases }
    }

    /// Whether something was asked and nothing failed; where it is strict, nothing may have been skipped.
    #[must_use]
    pub fn is_good(&self, strict: bool) -> bool {
        let Counts { pass, fail, skip, .. } = self.counts;
        fail == 0 && pass + skip > 0 && !(strict && skip > 0)
    }

    /// Every case that failed or was skipped, or every case, and the counts.
    #[must_use]
    pub fn text(&self, all: bool) -> String {
        let mut text = String::new();
        for case in &self.cases {
            let reason = match &case.outcome {
                Outcome::Pass | Outcome::Disabled(_) if !all => continue,
                Outcome::Pass => "",
                Outcome::Fail(reason) | Outcome::Skip(reason) | Outcome::Disabled(reason) => reason,
            };
            let line = format!("{:8} {}  {reason}", case.outcome.word(), case.name);
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let Counts { pass, fail, skip, disabled } = self.counts;
        let _ = writeln!(text, "{pass} passed, {fail} failed, {skip} skipped, {disabled} disabled");
        text
    }

    /// The cases that failed or were skipped, one a line: what `differences` reads.
    #[must_use]
    pub fn expectation(&self) -> String {
        self.imperfect().map(|(name, word)| format!("{word} {name}\n")).collect()
    }

    /// What is otherwise than a list of `fail NAME` and `skip NAME` says; empty lines and those that begin with # say nothing.
    #[must_use]
    pub fn differences(&self, expected: &str) -> Vec<String> {
        let lines = expected.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut wanted: BTreeMap<&str, &str> =
            lines.filter_map(|line| line.split_once(' ')).map(|(word, name)| (name, word)).collect();
        let mut differences = Vec::new();
        for case in &self.cases {
            let expected = wanted.remove(case.name.as_str()).unwrap_or("pass");
            let word = case.outcome.word();
            if word != expected && !(expected == "pass" && word == "disabled") {
                differences.push(format!("{}: {word}, where {expected} was expected", case.name));
            }
        }
        differences.extend(
            wanted.into_iter().map(|(name, word)| format!("{name}: there is no such case, where {word} was expected")),
        );
        differences
    }

    fn imperfect(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let cases = self.cases.iter().filter(|case| matches!(case.outcome, Outcome::Fail(_) | Outcome::Skip(_)));
        cases.map(|case| (case.name.as_str(), case.outcome.word()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let case = |name: &str, outcome| CaseResult { name: name.to_owned(), outcome, millis: 0 };
        Report::of(
            "http://r".to_owned(),
            "dev",
            vec![
                case("ping", Outcome::Pass),
                case("a/b", Outcome::Fail("said 500".to_owned())),
                case("a/c", Outcome::Skip("has none".to_owned())),
                case("d", Outcome::Disabled("left out".to_owned())),
            ],
        )
    }

    #[test]
    fn a_run_that_asked_nothing_is_not_good() {
        let of = |outcomes: &[Outcome]| {
            let case = |outcome: &Outcome| CaseResult { name: "a".to_owned(), outcome: outcome.clone(), millis: 0 };
            let report = Report::of("http://r".to_owned(), "dev", outcomes.iter().map(case).collect());
            (report.is_good(false), report.is_good(true))
        };
        let (skip, off) = (Outcome::Skip(String::new()), Outcome::Disabled(String::new()));
        assert_eq!(of(&[Outcome::Pass, off.clone()]), (true, true));
        assert_eq!(of(&[Outcome::Pass, skip.clone()]), (true, false));
        assert_eq!(of(&[Outcome::Pass, Outcome::Fail(String::new())]), (false, false));
        assert_eq!(of(&[]), (false, false));
        assert_eq!(of(&[off]), (false, false));
    }

    #[test]
    fn people_see_what_failed_or_was_skipped() {
        let text = "fail     a/b  said 500\nskip     a/c  has none\n1 passed, 1 failed, 1 skipped, 1 disabled\n";
        assert_eq!(report().text(false), text);
        assert!(report().text(true).starts_with("pass     ping\n"));
    }

    #[test]
    fn what_is_expected_is_no_difference() {
        let report = report();
        assert_eq!(report.differences(&report.expectation()), Vec::<String>::new());
        let other = "# why\n\nfail ping\nskip a/c\nfail gone\n";
        let differences = [
            "ping: pass, where fail was expected",
            "a/b: fail, where pass was expected",
            "gone: there is no such case, where fail was expected",
        ];
        assert_eq!(report.differences(other), differences);
    }

    #[test]
    fn machines_read_the_reason_beside_the_outcome() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(
            json["cases"][1],
            serde_json::json!({ "name": "a/b", "outcome": "fail", "reason": "said 500", "millis": 0 })
        );
        assert_eq!(json["counts"]["pass"], 1);
    }
}
