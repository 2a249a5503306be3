//! The Python on the other side.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A running `oracle.py`: one question a line, one answer a line.
pub(crate) struct Oracle {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts it; `None`, and a word about it, where there is none and none is asked for.
    pub(crate) fn start() -> Option<Self> {
        let Some(python) = setting("JEROBOAM_ORACLE") else {
            assert!(setting("JEROBOAM_ALL").is_none(), "JEROBOAM_ORACLE is not set: tools/setup.sh magnum installs it");
            writeln("skipped: JEROBOAM_ORACLE is not set; it names the Python that tools/setup.sh magnum installs");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/oracle/oracle.py");
        let mut command = Command::new(python);
        command.arg(script).env_clear().env("LANG", "C.UTF-8").env("HOME", "/nonexistent");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it was asked for"));
        Some(Self { child, questions, answers })
    }

    /// Asks one question.
    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        let questions = self.questions.as_mut().expect("it is open until the end");
        writeln!(questions, "{question}").expect("Python listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("Python answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?} to {question}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}

/// A variable of the environment, unless it is empty.
#[expect(clippy::disallowed_methods, reason = "tests have no settings but the environment")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub(crate) fn writeln(line: &str) {
    eprintln!("{line}");
}
