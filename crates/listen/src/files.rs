//! How many files a process may have open, sockets among them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files this process may have open now.
#[must_use]
pub fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Lets this process open as many files as it may allow itself, and tells how many. The usual limit, 1,024, is kept low for programs that use `select`, which
/// ours do not; whoever starts a server means the other one.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
    open_files()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_the_process_may_allow_itself() {
        let limit = getrlimit(Resource::Nofile);
        let low = limit.maximum.map_or(512, |most| most.min(512));
        setrlimit(Resource::Nofile, Rlimit { current: Some(low), maximum: limit.maximum }).expect("lowered");
        assert_eq!(open_files(), low);
        assert_eq!(raise_open_files(), limit.maximum.unwrap_or(u64::MAX));
        assert_eq!(raise_open_files(), open_files());
    }
}
