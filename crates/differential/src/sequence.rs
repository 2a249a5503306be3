//! Requests in their order, as both services get them. `@name@` stands for what an earlier answer of the same service said.

use std::fmt::{self, Write as _};

use reqwest::Method;

/// Whose token a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Member of the sequence's project.
    Member,
    /// Another member of it.
    Colleague,
    /// Reader of it.
    Reader,
    /// Has a role on it that no rule names.
    Guest,
    /// Member of another project.
    Stranger,
    /// Administrator, in a project of their own.
    Admin,
    /// Administrator in the sequence's project.
    Manager,
    /// Administrator with a token for the whole system.
    System,
    /// Administrator with a token for a domain.
    Domain,
    /// The member with a token for nothing.
    Unscoped,
    /// An application credential of the member's.
    Credential,
    /// A token that the identity service took back.
    Revoked,
    /// No token at all.
    Nobody,
}

impl Who {
    /// How many there are.
    pub(crate) const COUNT: u64 = 13;

    /// All of them.
    pub(crate) const ALL: [Self; 13] = [
        Self::Member,
        Self::Colleague,
        Self::Reader,
        Self::Guest,
        Self::Stranger,
        Self::Admin,
        Self::Manager,
        Self::System,
        Self::Domain,
        Self::Unscoped,
        Self::Credential,
        Self::Revoked,
        Self::Nobody,
    ];

    /// Whether they see all projects.
    pub(crate) const fn sees_all(self) -> bool {
        matches!(self, Self::Admin | Self::Manager | Self::System | Self::Domain)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) who: Who,
    pub(crate) method: Method,
    /// From `/v1` on, with the query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<String>,
    /// Names for what the answer says: a name and where in the body it is.
    pub(crate) saves: Vec<(&'static str, &'static str)>,
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Both are asked.
    Ask(Request),
    /// Both databases are written: what no request can reach without a reconciler.
    Rows(String),
}

/// What is done to both, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    pub(crate) steps: Vec<Step>,
    /// Looks at the whole cloud: nothing else may be there, and nobody else may write.
    pub(crate) alone: bool,
}

impl Request {
    /// The method and the path with everything that is one of many replaced by `*`.
    pub(crate) fn route(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        let mut out = String::new();
        for (place, part) in path.trim_matches('/').split('/').enumerate() {
            let fixed = place < 2 || matches!(part, "detail" | "actions" | "resize" | "upgrade" | "nodegroups");
            let _ = write!(out, "/{}", if fixed { part } else { "*" });
        }
        format!("{} {out}", self.method)
    }
}

impl Sequence {
    /// Whether the other project comes up.
    pub(crate) fn has_stranger(&self) -> bool {
        let named = |text: &str| text.contains("@elsewhere@");
        self.steps.iter().any(|step| match step {
            Step::Ask(request) => {
                request.who == Who::Stranger
                    || named(&request.path)
                    || request.body.as_deref().is_some_and(named)
                    || request.headers.iter().any(|(_, value)| named(value))
            }
            Step::Rows(sql) => named(sql),
        })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} {}", self.who, self.method, self.path)?;
        for (name, value) in &self.headers {
            write!(f, "  [{name}: {value}]")?;
        }
        if let Some(body) = &self.body {
            write!(f, "  {body}")?;
        }
        for (name, pointer) in &self.saves {
            write!(f, "  -> @{name}@ = {pointer}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(request) => request.fmt(f),
            Self::Rows(sql) => write!(f, "rows: {sql}"),
        }
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {:>2}  {step}", number + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_names_no_single_object() {
        for (path, route) in [
            ("/v1/clusters/@c@/nodegroups/default-worker?limit=1", "GET /v1/clusters/*/nodegroups/*"),
            ("/v1/clusters/detail", "GET /v1/clusters/detail"),
            ("/v1/clusters/@c@/actions/resize", "GET /v1/clusters/*/actions/resize"),
            ("/clusters", "GET /clusters"),
            ("/", "GET /"),
        ] {
            let request = Request {
                who: Who::Member,
                method: Method::GET,
                path: path.to_owned(),
                headers: Vec::new(),
                body: None,
                saves: Vec::new(),
            };
            assert_eq!(request.route(), route, "{path}");
        }
    }
}
