//! What goes wrong, and when.

use std::time::Duration;

use http::Method;

use super::Asked;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The answer is this, with so many seconds to wait; nothing is done.
    Status(u16, Option<u64>),
    /// The connection breaks after so many bytes of the request's body; nothing is done.
    CutRequest(usize),
    /// It is done, and the connection breaks before the answer.
    LostAnswer,
    /// It is done, and the answer breaks off after so many bytes.
    CutAnswer(usize),
    /// It is done, and the answer ends after so many bytes as if that were all.
    ShortAnswer(usize),
    /// It is done late.
    Slow(Duration),
}

/// A fault, and which requests it meets.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) method: Method,
    /// Part of the object's name, or of the container's where there is no object.
    pub(crate) name: String,
    /// So many times.
    pub(crate) times: usize,
    pub(crate) fault: Fault,
}

impl Rule {
    pub(crate) fn once(method: Method, name: &str, fault: Fault) -> Self {
        Self { method, name: name.to_owned(), times: 1, fault }
    }
}

/// The fault that meets a request.
pub(super) fn take(rules: &mut Vec<Rule>, asked: &Asked) -> Option<Fault> {
    let name = if asked.object.is_empty() { &asked.container } else { &asked.object };
    let rule = rules.iter_mut().find(|rule| rule.method == asked.method && name.contains(&rule.name))?;
    let fault = rule.fault;
    rule.times -= 1;
    rules.retain(|rule| rule.times > 0);
    Some(fault)
}
