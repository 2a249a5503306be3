//! Runs cases one after the other and keeps what came of them.

use std::time::Instant;

use crate::options::Options;
use crate::report::{CaseResult, Outcome, Report};
use crate::stop::{Stop, Verdict};

/// The cases so far.
pub(crate) struct Recorder {
    filter: String,
    cases: Vec<CaseResult>,
}

impl Recorder {
    pub(crate) fn new(filter: String) -> Self {
        Self { filter, cases: Vec::new() }
    }

    /// Whether any case of a group can be wanted.
    pub(crate) fn wants(&self, group: &str) -> bool {
        below(group, &self.filter) || below(&self.filter, group)
    }

    /// Runs a case. It runs even if nobody wants to know: those after it build on it.
    pub(crate) async fn case(&mut self, name: impl Into<String>, test: impl Future<Output = Verdict>) -> Outcome {
        let name = name.into();
        let began = Instant::now();
        let outcome = match test.await {
            Ok(()) => Outcome::Pass,
            Err(Stop::Fail(why)) => Outcome::Fail(why),
            Err(Stop::Skip(why)) => Outcome::Skip(why),
            Err(Stop::Disabled(why)) => Outcome::Disabled(why),
        };
        if below(&name, &self.filter) {
            let millis = began.elapsed().as_millis();
            self.cases.push(CaseResult { name, outcome: outcome.clone(), millis });
        }
        outcome
    }

    pub(crate) fn report(self, options: &Options) -> Report {
        Report::of(options.registry.to_string(), options.version.name(), self.cases)
    }
}

/// Whether a name is another one or has it as its first parts.
fn below(name: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    prefix.is_empty() || name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_whole_parts_of_names() {
        for (group, filter, wanted) in [
            ("blobs", "", true),
            ("blobs", "blobs", true),
            ("blobs", "blobs/sha256/stream", true),
            ("blobs/sha256", "blobs", true),
            ("blobs", "blob", false),
            ("data", "blobs", false),
        ] {
            assert_eq!(Recorder::new(filter.to_owned()).wants(group), wanted, "{group} {filter}");
        }
    }
}
