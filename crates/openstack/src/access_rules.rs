//! The only requests that an application credential may make, where its maker said so.
//!
//! Matched as keystonemiddleware does: `*` and `{tag}` are one path segment, `**` is any number of them.

use http::Method;
use serde::{Deserialize, Serialize};

/// One kind of request that is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRule {
    /// The service's type.
    pub service: String,
    /// The method.
    pub method: String,
    /// The path pattern.
    pub path: String,
}

impl AccessRule {
    /// Whether the rule allows this request to a service that goes by any of `services`.
    #[must_use]
    pub fn allows(&self, services: &[&str], method: &Method, path: &str) -> bool {
        services.contains(&self.service.as_str()) && self.method == method.as_str() && matches(&self.path, path)
    }
}

/// One step of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Literal(char),
    /// One character that is no slash.
    Inside,
    /// Any number of characters that are no slash.
    Segment,
    /// Any number of characters.
    Anything,
}

/// Whether `path` is what `pattern` describes. All ways to match are followed at once: tenants write the patterns, and
/// none of them may cost more than its length times the path's.
fn matches(pattern: &str, path: &str) -> bool {
    let steps = steps(pattern);
    let mut reached = vec![false; steps.len() + 1];
    reached[0] = true;
    skip_optional(&steps, &mut reached);
    for found in path.chars() {
        let mut next = vec![false; steps.len() + 1];
        for (at, step) in steps.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match step {
                Step::Literal(wanted) => next[at + 1] |= *wanted == found,
                Step::Inside => next[at + 1] |= found != '/',
                Step::Segment => next[at] |= found != '/',
                Step::Anything => next[at] = true,
            }
        }
        skip_optional(&steps, &mut next);
        reached = next;
    }
    reached[steps.len()]
}

fn skip_optional(steps: &[Step], reached: &mut [bool]) {
    for (at, step) in steps.iter().enumerate() {
        reached[at + 1] |= reached[at] && matches!(step, Step::Segment | Step::Anything);
    }
}

fn steps(pattern: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**") {
            steps.push(Step::Anything);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('*').or_else(|| tag(rest)) {
            steps.extend([Step::Inside, Step::Segment]);
            rest = after;
        } else {
            steps.push(Step::Literal(first));
            rest = &rest[first.len_utf8()..];
        }
    }
    steps
}

/// What follows `{name}`.
fn tag(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_its_pattern_and_no_other() {
        for (pattern, path, wanted) in [
            ("/v1/clusters", "/v1/clusters", true),
            ("/v1/clusters", "/v1/clusters/", false),
            ("/v1/clusters", "/v1/clusters/abc", false),
            ("/v1/clusters/*", "/v1/clusters/abc", true),
            ("/v1/clusters/*", "/v1/clusters/", false),
            ("/v1/clusters/*", "/v1/clusters/abc/nodegroups", false),
            ("/v1/clusters/{id}/nodegroups", "/v1/clusters/abc/nodegroups", true),
            ("/v1/clusters/{id}/nodegroups/*", "/v1/clusters/abc/nodegroups", false),
            ("/v1/**", "/v1/clusters/abc/nodegroups", true),
            ("/v1/**", "/v1/", true),
            ("/v1/**", "/v2/clusters", false),
            ("**", "/anything/at/all", true),
            ("/v1/**/nodegroups", "/v1/clusters/é/nodegroups", true),
        ] {
            assert_eq!(matches(pattern, path), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn service_and_method_count_as_well() {
        let rule = AccessRule { service: "container-infra".into(), method: "GET".into(), path: "/v1/**".into() };
        assert!(rule.allows(&["container-infra"], &Method::GET, "/v1/clusters"));
        assert!(!rule.allows(&["container-infra"], &Method::POST, "/v1/clusters"));
        assert!(!rule.allows(&["compute"], &Method::GET, "/v1/clusters"));
    }
}
