//! Why a command did not do what was asked, in words for whoever asked.

use std::fmt::Write as _;

use jeroboam_openstack::{Error, Kind};

/// A refusal or failure: what happened, what to do about it, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened; lower case, no full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// 1 for refused or failed, 2 for wrong usage.
    pub code: u8,
}

impl Failure {
    /// Something was refused or did not work.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    /// The command was typed in a way that cannot be meant.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 2 }
    }

    /// With advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to print: `error:` and `hint:`, each on its lines.
    pub(crate) fn shown(&self, colour: bool) -> String {
        let (red, cyan, plain) = if colour { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
        let mut text = format!("{red}error:{plain} {}\n", self.message);
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "{cyan}hint:{plain} {hint}");
        }
        text
    }
}

/// One sentence without its full stop.
pub(crate) fn sentence(text: &str) -> &str {
    let text = text.trim();
    text.strip_suffix('.').filter(|rest| !rest.ends_with('.')).unwrap_or(text)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut message = error.to_string();
        let mut next = std::error::Error::source(&error);
        while let Some(source) = next {
            let _ = write!(message, ": {source}");
            next = source.source();
        }
        let failure = Self { message: sentence(&message).to_owned(), hint: None, code: 1 };
        match (&error, error.kind()) {
            (Error::Settings(_), _) => Self { code: 2, ..failure }
                .hint("clouds.yaml is looked for here, in ~/.config/openstack and in /etc/openstack"),
            (Error::NoEndpoint { .. }, _) => failure.hint("the cloud offers no such service, or not in this region"),
            (_, Kind::Unauthorized) => {
                failure.hint("look at the user name, the password and the project of this cloud")
            }
            (_, Kind::Unavailable | Kind::Timeout) => failure.hint("it may be back in a moment"),
            _ => failure,
        }
    }
}
