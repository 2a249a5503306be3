//! Every command that a document shows is run, in the order in which it stands there, and shows what the document says.
//!
//! A command of a kind that nobody here knows how to run fails the test, so that a document cannot promise what nothing proves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::{Process, free_port, provided, until};

/// Where an operator's configuration is in the documents.
const CONFIGURATION: &str = "/etc/magnum/magnum.conf";
/// The port of the API in the documents.
const PORT: &str = "9511";

/// One command of a document and what it is said to show.
#[derive(Debug)]
struct Shown {
    place: String,
    command: String,
    output: Vec<String>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// README and its like first, then everything below `docs`, each folder in order.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(repository(), false), (repository().join("docs"), true)];
    while let Some((folder, deep)) = folders.pop() {
        let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        for path in entries {
            if deep && path.is_dir() {
                folders.push((path, true));
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    found.sort_by_key(|path| (path.components().count(), path.clone()));
    found
}

/// Whether the page's commands, one script from its top to its end, are run by a script of its own, which `make test` runs.
fn has_its_own_script(name: &str) -> bool {
    let Some(page) = name.strip_prefix("docs/").and_then(|name| name.strip_suffix(".md")) else { return false };
    let script = std::fs::read_to_string(repository().join(format!("tests/{page}.sh"))).unwrap_or_default();
    let all = std::fs::read_to_string(repository().join("tools/test.sh")).unwrap_or_default();
    script.contains(&format!("PAGE={name}")) && all.contains(&format!("tests/{page}.sh"))
}

/// The commands of all `console` blocks of a text.
fn commands(name: &str, text: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("```") {
            inside = kind.trim() == "console";
            let script = ["sh", "bash", "shell"].contains(&kind.trim());
            assert!(
                !script || has_its_own_script(name),
                "{name}:{}: commands stand in console blocks, where they are run",
                number + 1
            );
        } else if inside && let Some(typed) = line.strip_prefix("$ ") {
            let command = typed.split_once(" # ").map_or(typed, |(command, _)| command).trim().to_owned();
            found.push(Shown { place: format!("{name}:{}", number + 1), command, output: Vec::new() });
        } else if inside && let Some(last) = found.last_mut() {
            last.output.push(line.to_owned());
        }
    }
    found
}

/// The words of a table's head; `None` for any other line.
fn head(line: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let loud = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte == b'-');
    (words.len() > 1 && words.iter().all(loud)).then_some(words)
}

/// The status in a line of progress such as `00:04 CREATE_IN_PROGRESS control plane 0/3 machines`.
fn progress(line: &str) -> Option<&str> {
    let (time, rest) = line.split_once(' ')?;
    let (minutes, seconds) = time.split_once(':')?;
    let number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let status = rest.split([' ', ':']).next()?;
    (number(minutes) && number(seconds)).then_some(status)
}

/// Whether a line is as shown, where `…` stands for anything.
fn alike(shown: &str, line: &str) -> bool {
    match shown.split_once('…') {
        Some((start, end)) => line.len() >= start.len() + end.len() && line.starts_with(start) && line.ends_with(end),
        None => shown.trim_end() == line.trim_end(),
    }
}

/// What the document shows that is not in the output: heads of tables, the number of their rows, statuses, and every other line.
fn differences(shown: &[String], output: &str) -> Vec<String> {
    let lines: Vec<&str> = output.lines().collect();
    let mut missing = Vec::new();
    let mut rest = shown.iter().filter(|line| !line.trim().is_empty() && *line != "…").peekable();
    while let Some(line) = rest.next() {
        if let Some(wanted) = head(line) {
            let rows = std::iter::from_fn(|| rest.next_if(|line| head(line).is_none())).count();
            let at = lines.iter().position(|line| head(line).as_ref() == Some(&wanted));
            match at.map(|at| lines[at + 1..].iter().take_while(|line| !line.trim().is_empty()).count()) {
                None => missing.push(format!("a table with the head {wanted:?}")),
                Some(found) if found != rows => missing.push(format!("{rows} rows below {wanted:?}, not {found}")),
                Some(_) => {}
            }
        } else if let Some(status) = progress(line) {
            if !lines.iter().any(|line| progress(line) == Some(status)) {
                missing.push(format!("progress with the status {status}"));
            }
        } else if !lines.iter().any(|found| alike(line, found)) {
            missing.push(line.clone());
        }
    }
    missing
}

/// A person at a terminal who does what the documents say.
struct Reader {
    dir: tempfile::TempDir,
    /// The programs that the documents call.
    path: String,
    /// What `export` lines set.
    exports: BTreeMap<String, String>,
    /// What was started and goes on.
    service: Option<Process>,
}

impl Reader {
    fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Runs a command to its end; all that it says.
    fn run(&self, place: &str, command: &str) -> String {
        let output = Command::new("timeout")
            .args(["180", "bash", "-euo", "pipefail", "-c", &format!("exec 2>&1; {command}")])
            .current_dir(self.dir.path())
            .env("PATH", &self.path)
            .env("HOME", self.dir.path())
            .env("SHELL", "/bin/bash")
            .envs(&self.exports)
            .output()
            .expect("bash");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{place}: `{command}` failed: {said}");
        said
    }

    /// What `make` would do; it is not done here, as it builds the program that is running this test.
    fn make(place: &str, targets: &str) -> String {
        let output = Command::new("make").arg("--dry-run").args(targets.split(' ')).current_dir(repository()).output();
        let output = output.expect("make");
        assert!(output.status.success(), "{place}: make knows no {targets}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The service of `make dev`; what it says to whoever started it.
    async fn dev(&mut self) -> String {
        let port = free_port().to_string();
        let (data, clouds) = (self.file("data"), self.file("clouds.yaml"));
        let args = ["dev", "--dir", &data, "--port", &port, "--clouds-file", &clouds];
        let process = self.start("dev", &args, "Ctrl-C stops it").await;
        let said = std::fs::read_to_string(&process.log).expect("its log");
        self.service = Some(process);
        for line in said.lines() {
            if let Some((name, value)) = line.trim().strip_prefix("export ").and_then(|line| line.split_once('=')) {
                self.exports.insert(name.to_owned(), value.to_owned());
            }
        }
        said.replace(&format!(":{port}/"), &format!(":{PORT}/"))
    }

    /// Starts what does not end by itself and waits until it says that it is ready.
    async fn start(&self, name: &str, args: &[&str], ready: &str) -> Process {
        let mut process = Process::start(self.dir.path(), name, args);
        until(ready, || {
            assert!(!process.ended(), "{args:?} ended: {}", process.last_words());
            let said = std::fs::read_to_string(&process.log).unwrap_or_default();
            async move { said.contains(ready).then_some(()) }
        })
        .await;
        process
    }

    /// An operator's configuration: the tour's cloud, another database and another port.
    fn configuration(&self) -> String {
        let file = self.file("magnum.conf");
        if !Path::new(&file).exists() {
            let tour = std::fs::read_to_string(self.file("data/magnum.conf")).expect("the tour's configuration");
            let port = tour.lines().find_map(|line| line.strip_prefix("port = ")).expect("a port").to_owned();
            let own = tour.replace(&format!("port = {port}"), &format!("port = {}", free_port()));
            std::fs::write(&file, own.replace("magnum.sqlite", "operator.sqlite")).expect("written");
        }
        file
    }

    /// Does one command of a document; what it said.
    async fn do_as_shown(&mut self, shown: &Shown) -> String {
        let (place, command) = (&shown.place, shown.command.as_str());
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["make", "demo"] => {
                assert!(Self::make(place, "demo").contains("tools/demo.sh"));
                let demo = repository().join("tools/demo.sh");
                self.run(place, &format!("{} {}", demo.display(), env!("CARGO_BIN_EXE_jeroboam")))
            }
            ["make", "dev"] => {
                assert!(Self::make(place, "dev").contains("jeroboam\" dev"));
                let said = self.dev().await;
                // The greeting tells what to type next: what the tour below does not do is done here.
                for typed in said.lines().map(str::trim).filter(|line| line.starts_with("openstack ")) {
                    self.run(place, typed);
                }
                said
            }
            ["make", target @ ..] => Self::make(place, &target.join(" ")),
            ["jeroboam", server @ ("api" | "reconcile" | "all"), rest @ ..] => {
                let config = self.configuration();
                let args: Vec<&str> =
                    rest.iter().map(|word| if *word == CONFIGURATION { &config } else { *word }).collect();
                let ready = if *server == "reconcile" { "metrics are at" } else { "listening on" };
                let args = [&[*server], args.as_slice()].concat();
                let process = self.start(server, &args, ready).await;
                std::fs::read_to_string(&process.log).expect("its log")
            }
            ["jeroboam" | "kubectl" | "openstack", ..] if command.contains(CONFIGURATION) => {
                self.run(place, &command.replace(CONFIGURATION, &self.configuration()))
            }
            ["jeroboam" | "kubectl" | "openstack", ..] => self.run(place, command),
            ["echo", .., "|", "jeroboam", "registry", "htpasswd", _, "--file", _] => self.run(place, command),
            ["echo", .., "|", "jeroboam", "registry", "htpasswd", _, _, "--file", _] => self.run(place, command),
            _ => panic!("{place}: nobody knows how to run `{command}`: teach it to this test"),
        }
    }
}

#[tokio::test]
async fn every_command_of_the_documents_does_what_they_say() {
    let Some(client) = provided("JEROBOAM_CLIENT", "the folder with the openstack command; make test sets it") else {
        return;
    };
    let Some(kubectl) = provided("JEROBOAM_KUBECTL", "the kubectl program; make test sets it") else { return };
    let folder = |program: &str| Path::new(program).parent().expect("a folder").display().to_string();
    let ours = folder(env!("CARGO_BIN_EXE_jeroboam"));
    let path = format!("{ours}:{}:{client}:/usr/local/bin:/usr/bin:/bin", folder(&kubectl));
    let dir = tempfile::tempdir().expect("a folder");
    let mut reader = Reader { dir, path, exports: BTreeMap::new(), service: None };
    let mut done = 0;
    for document in documents() {
        let name = document.strip_prefix(repository()).expect("in the repository").display().to_string();
        for shown in commands(&name, &std::fs::read_to_string(&document).expect("a text")) {
            let said = reader.do_as_shown(&shown).await;
            let missing = differences(&shown.output, &said);
            assert!(missing.is_empty(), "{}: `{}` shows no {missing:#?} but\n{said}", shown.place, shown.command);
            done += 1;
        }
    }
    assert!(done > 8, "only {done} commands were found");
}

#[test]
fn what_a_document_shows_is_compared_with_what_is_said() {
    let text =
        "```console\n$ a list   # why\nNAME  AGE\nx     1\n\n$ b\n00:01 DONE: all\nat …/file\n```\n```toml\n$ c\n```\n";
    let found = commands("x.md", text);
    assert_eq!(found.iter().map(|one| one.command.as_str()).collect::<Vec<_>>(), ["a list", "b"]);
    assert_eq!(found[0].place, "x.md:2");
    for (said, missing) in
        [("NAME   AGE\nother  7\n", 0), ("NAME   AGE\n", 1), ("NAME   AGE  MORE\nother  7  1\n", 1), ("", 1)]
    {
        assert_eq!(differences(&found[0].output, said).len(), missing, "{said}");
    }
    for (said, missing) in [("00:09 DONE\nat /tmp/file\n", 0), ("00:09 FAILED\nat /tmp/file\n", 1), ("DONE\nfile\n", 2)]
    {
        assert_eq!(differences(&found[1].output, said).len(), missing, "{said}");
    }
}
