//! Which request fails how, by its number.

use std::path::PathBuf;

use serde::Deserialize;

/// What fails. The first rule that is about a request counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// Rules, the first ones first.
    pub rules: Vec<Rule>,
    /// Where the process id is of whom a rule kills.
    pub pid_file: Option<PathBuf>,
}

/// Some requests, and how they fail.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The number of the request, from 1 on; any where there is none.
    #[serde(default)]
    pub at: Option<u64>,
    /// So many in a thousand requests, spread as if by chance and the same for each seed.
    #[serde(default)]
    pub per_mille: Option<u64>,
    /// Decides which requests those are.
    #[serde(default)]
    pub seed: u64,
    /// Only requests of this method.
    #[serde(default)]
    pub method: Option<String>,
    /// How they fail.
    pub failure: Failure,
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    /// It takes longer.
    Latency {
        /// So much.
        millis: u64,
    },
    /// It is answered with an error, and not done.
    Status {
        /// This one.
        status: u16,
    },
    /// It is not done, and the connection ends.
    Reset,
    /// It is done, and the connection ends without an answer.
    Unanswered,
    /// It is done, and the connection ends in the middle of the answer, whose length said more.
    Truncate {
        /// So many bytes of the body come.
        after: u64,
    },
    /// It is done twice, as if it had been sent again.
    Twice,
    /// Who asks is killed.
    Kill {
        /// Before or after it is done.
        when: When,
    },
}

/// Before or after a request is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// It is not done.
    Before,
    /// It is done, and nobody hears of it.
    After,
}

impl Plan {
    /// How the request of this number fails, if it does.
    pub(super) fn failure(&self, number: u64, method: &str) -> Option<Failure> {
        self.rules.iter().find(|rule| rule.is_about(number, method)).map(|rule| rule.failure)
    }
}

impl Rule {
    fn is_about(&self, number: u64, method: &str) -> bool {
        self.at.is_none_or(|at| at == number)
            && self.per_mille.is_none_or(|share| scattered(self.seed, number) % 1000 < share)
            && self.method.as_ref().is_none_or(|known| known == method)
    }
}

/// A number that looks like chance (splitmix64).
fn scattered(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_and_says_who_fails() {
        let plan = r#"{ "rules": [
            { "at": 3, "failure": { "kill": { "when": "before" } } },
            { "method": "PUT", "failure": "reset" },
            { "per_mille": 100, "seed": 7, "failure": { "status": { "status": 503 } } } ] }"#;
        let plan: Plan = serde_json::from_str(plan).unwrap();
        assert_eq!(plan.failure(3, "PUT"), Some(Failure::Kill { when: When::Before }));
        assert_eq!(plan.failure(4, "PUT"), Some(Failure::Reset));
        let failing = (10..10_010).filter(|number| plan.failure(*number, "GET").is_some()).count();
        assert!((900..1100).contains(&failing), "{failing}");
    }
}
