//! The line that oslo.log writes, so that an operator's log shippers go on working.

use std::fmt::Write as _;

use jiff::Timestamp;

/// Who a line is about; absent for work that no request caused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// `req-<uuid>`.
    pub request_id: &'a str,
    /// The user's id.
    pub user: Option<&'a str>,
    /// The project's id.
    pub project: Option<&'a str>,
    /// The domain of a domain token.
    pub domain: Option<&'a str>,
    /// The user's domain.
    pub user_domain: Option<&'a str>,
    /// The project's domain.
    pub project_domain: Option<&'a str>,
}

/// One line, without its line feed: time, process, level, logger, `[request user project …]`, message.
///
/// oslo.log: `logging_context_format_string` and `logging_default_format_string`. The time is UTC. A message of several
/// lines stays one line: its line feeds are written as `\n`.
#[must_use]
pub fn line(
    at: Timestamp,
    pid: u32,
    level: &str,
    logger: &str,
    context: Option<&Context<'_>>,
    message: &str,
) -> String {
    let time = at.strftime("%Y-%m-%d %H:%M:%S.%3f");
    let level = level.to_uppercase();
    let level = if level == "WARN" { "WARNING" } else { &level };
    let mut line = format!("{time} {pid} {level} {logger} [");
    match context {
        None => line.push('-'),
        Some(context) => {
            let word = |value: Option<&str>| value.unwrap_or("-").to_owned();
            // The first word is the id that another service gave; we take none over.
            let _ = write!(
                line,
                "None {} {} {} {} - {} {}",
                context.request_id,
                word(context.user),
                word(context.project),
                word(context.domain),
                word(context.user_domain),
                word(context.project_domain),
            );
        }
    }
    line.push_str("] ");
    for c in message.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_oslo_writes_it() {
        let at: Timestamp = "2026-11-21T18:05:09.0421Z".parse().expect("a time");
        assert_eq!(
            line(at, 17, "WARN", "magnum.api", None, "two\nlines"),
            "2026-11-21 18:05:09.042 17 WARNING magnum.api [-] two\\nlines"
        );
        let context = Context {
            request_id: "req-1",
            user: Some("u"),
            project: Some("p"),
            user_domain: Some("default"),
            project_domain: Some("default"),
            domain: None,
        };
        assert_eq!(
            line(at, 17, "info", "jeroboam_api", Some(&context), "made a cluster"),
            "2026-11-21 18:05:09.042 17 INFO jeroboam_api [None req-1 u p - - default default] made a cluster"
        );
    }
}
