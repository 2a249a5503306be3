//! What a command is given by whoever starts it: environment, streams, time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::{Clock, SystemClock};

use crate::Failure;

/// What is known of the streams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Screen {
    /// Whether somebody reads standard output as it comes.
    pub out: bool,
    /// Whether somebody reads standard error as it comes.
    pub err: bool,
    /// Whether somebody can answer a question.
    pub input: bool,
    /// Whether colours are wanted.
    pub colour: bool,
}

/// Environment, streams and time.
pub struct Surroundings {
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Where relative paths start.
    pub working_directory: Option<PathBuf>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Data goes here.
    pub out: Box<dyn Write + Send>,
    /// Everything else goes here.
    pub err: Box<dyn Write + Send>,
    /// Answers come from here.
    pub input: Box<dyn BufRead + Send>,
    /// What is known of the streams.
    pub screen: Screen,
    /// Pause between two looks at a cluster.
    pub poll: Duration,
    /// What keeps the service from starting with the configuration that is to be checked, beyond values that are wrong in
    /// themselves: the binary knows.
    pub obstacles: Vec<String>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("screen", &self.screen).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place of the command line that reads the environment"
    )]
    pub fn of_process() -> Self {
        let env: BTreeMap<_, _> = std::env::vars().collect();
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let colour = err && wants_colour(&env);
        Self {
            working_directory: std::env::current_dir().ok(),
            clock: Arc::new(SystemClock),
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
            screen: Screen { out, err, input: io::stdin().is_terminal(), colour },
            poll: Duration::from_secs(1),
            obstacles: Vec::new(),
            env,
        }
    }

    /// Prints data.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            // Whoever read this has read enough, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| Failure::new(format!("write to standard output: {error}"))),
        }
    }

    /// Says something to the person.
    pub(crate) fn say(&mut self, line: &str) {
        // Nobody to tell when standard error is closed.
        let _ = writeln!(self.err, "{line}");
    }

    /// Asks for a yes. Without anybody to ask it is wrong usage, and nothing is done.
    pub(crate) fn confirm(&mut self, question: &str) -> Result<(), Failure> {
        if !self.screen.input {
            return Err(Failure::usage(format!("there is nobody to ask: {question}")).hint("say --yes"));
        }
        let _ = write!(self.err, "{question} [y/N] ");
        let _ = self.err.flush();
        let mut answer = String::new();
        self.input.read_line(&mut answer).map_err(|error| Failure::new(format!("read the answer: {error}")))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new("nothing was deleted")),
        }
    }
}

/// `NO_COLOR` set to anything, or a terminal without colours, and there are none.
fn wants_colour(env: &BTreeMap<String, String>) -> bool {
    let set = |name: &str| env.get(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && env.get("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_is_obeyed() {
        for (variables, colour) in [
            (&[][..], true),
            (&[("NO_COLOR", "1")], false),
            (&[("NO_COLOR", "")], true),
            (&[("TERM", "dumb")], false),
            (&[("TERM", "xterm")], true),
        ] {
            let env = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            assert_eq!(wants_colour(&env), colour, "{variables:?}");
        }
    }
}
