//! Magnum 23 itself, for tests that share a database with it. Behind the feature `testing`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// `tests/oracle/magnum_rows.py` with the Python that `JEROBOAM_ORACLE` names.
#[derive(Clone, Debug)]
pub struct Magnum {
    python: String,
}

impl Magnum {
    /// Magnum, or `None` and a word about it where there is none and nobody asked for everything.
    ///
    /// # Panics
    /// Where `JEROBOAM_ALL` asks for everything and Magnum is not there.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "tests have no settings but the environment")]
    #[expect(clippy::print_stderr, reason = "a skipped test must say so")]
    pub fn provided() -> Option<Self> {
        let setting = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let python = setting("JEROBOAM_ORACLE");
        if python.is_none() {
            assert!(setting("JEROBOAM_ALL").is_none(), "JEROBOAM_ORACLE is not set: tools/setup.sh magnum installs it");
            eprintln!("skipped: JEROBOAM_ORACLE is not set; it names the Python that tools/setup.sh magnum installs");
        }
        Some(Self { python: python? })
    }

    /// Runs one command of the script on the database and gives what it prints.
    ///
    /// # Panics
    /// When it fails; the message has what it said.
    #[must_use]
    pub fn run(&self, url: &SecretString, command: &[&str], input: &Value) -> Value {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/oracle/magnum_rows.py");
        let mut child = Command::new(&self.python)
            .arg(script)
            .arg(url.expose_secret())
            .args(command)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.python));
        let mut stdin = child.stdin.take().expect("it was asked for");
        stdin.write_all(input.to_string().as_bytes()).ok();
        drop(stdin);
        let output = child.wait_with_output().expect("Python ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{command:?}: {error}: {said}"))
    }
}
