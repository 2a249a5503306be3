//! Why a case ends before it is through.

/// What a case comes to when it does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The registry does something else than the specification says.
    Fail(String),
    /// The registry says that it does not have an optional part.
    Skip(String),
    /// The caller or the version leaves this out.
    Disabled(String),
}

/// What a case says; `Ok` is a pass.
pub(crate) type Verdict<T = ()> = Result<T, Stop>;

/// Ends a case as failed.
pub(crate) fn fail<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Stop::Fail(why.into()))
}

/// Ends a case as skipped.
pub(crate) fn skip<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Stop::Skip(why.into()))
}
