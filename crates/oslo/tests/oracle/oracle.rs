//! The Python on the other side.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

/// A running `oracle.py`: one question a line, one answer a line. A start takes longer than most questions, so the next test
/// gets the one that a test before it has done with.
pub(crate) struct Oracle(Option<Process>);

struct Process {
    _child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

static IDLE: Mutex<Vec<Process>> = Mutex::new(Vec::new());

impl Oracle {
    /// Starts it; `None`, and a word about it, where there is none and none is asked for.
    pub(crate) fn start() -> Option<Self> {
        let Some(python) = setting("JEROBOAM_ORACLE") else {
            assert!(setting("JEROBOAM_ALL").is_none(), "JEROBOAM_ORACLE is not set: tools/setup.sh magnum installs it");
            writeln("skipped: JEROBOAM_ORACLE is not set; it names the Python that tools/setup.sh magnum installs");
            return None;
        };
        if let Some(process) = IDLE.lock().expect("nobody fails with it").pop() {
            return Some(Self(Some(process)));
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/oracle/oracle.py");
        let mut command = Command::new(python);
        command.arg(script).env_clear().env("LANG", "C.UTF-8").env("HOME", "/nonexistent");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let questions = child.stdin.take().expect("it was asked for");
        let answers = BufReader::new(child.stdout.take().expect("it was asked for"));
        Some(Self(Some(Process { _child: child, questions, answers })))
    }

    /// Asks one question.
    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        let Process { questions, answers, .. } = self.0.as_mut().expect("it is there until the end");
        writeln!(questions, "{question}").expect("Python listens");
        let mut answer = String::new();
        answers.read_line(&mut answer).expect("Python answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?} to {question}"))
    }
}

impl Drop for Oracle {
    /// Python itself ends with the tests: its questions end with them.
    fn drop(&mut self) {
        if let (Ok(mut idle), false) = (IDLE.lock(), std::thread::panicking()) {
            idle.extend(self.0.take());
        }
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
