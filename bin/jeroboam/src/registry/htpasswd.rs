//! `jeroboam registry htpasswd`.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use jeroboam_cli::args::HtpasswdArgs;
use jeroboam_registry::auth::{HashMethod, hash_password};
use secrecy::SecretString;

use super::{print, say};

pub(super) fn run(args: &HtpasswdArgs) -> Result<()> {
    if args.name.is_empty() || args.name.contains([':', '\n', '#']) {
        bail!("the name of a user is not empty and has neither a colon nor a #");
    }
    if args.remove {
        let file = args.file.as_deref().context("--remove needs --file")?;
        return change(file, &args.name, None);
    }
    let method = if args.argon2id { HashMethod::Argon2id } else { HashMethod::Bcrypt };
    let line = format!("{}:{}", args.name, hash_password(&password()?, method, args.cost)?);
    match &args.file {
        None => print(&format!("{line}\n")),
        Some(file) => change(file, &args.name, Some(&line)),
    }
}

/// The first line of standard input.
fn password() -> Result<SecretString> {
    let input = io::stdin();
    if input.is_terminal() {
        say("password (it is shown as you type; a pipe keeps it from the screen):");
    }
    let mut line = String::new();
    input.lock().read_line(&mut line).context("read the password")?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(password.into())
}

/// Puts a line into the file in place of the user's older one, or takes that out. A registry that reads it sees the old file or the new one.
fn change(file: &Path, name: &str, line: Option<&str>) -> Result<()> {
    let before = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && line.is_some() => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let staged = file.with_extension(format!("{}.tmp", std::process::id()));
    let written = write(&staged, &changed(&before, name, line), file)
        .and_then(|()| std::fs::rename(&staged, file))
        .and_then(|()| std::fs::File::open(folder)?.sync_all());
    if written.is_err() {
        // It may not have been made.
        let _ = std::fs::remove_file(&staged);
    }
    written.with_context(|| format!("write {}", file.display()))
}

fn write(staged: &Path, text: &str, like: &Path) -> io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(staged)?;
    file.write_all(text.as_bytes())?;
    if let Ok(meta) = std::fs::metadata(like) {
        file.set_permissions(std::fs::Permissions::from_mode(meta.permissions().mode()))?;
    }
    file.sync_all()
}

fn changed(before: &str, name: &str, line: Option<&str>) -> String {
    let is_users = |known: &&str| known.split_once(':').is_some_and(|(user, _)| user.trim() == name);
    let others: Vec<&str> = before.lines().filter(|known| !is_users(known)).collect();
    others.into_iter().chain(line).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_the_place_of_the_older_one() {
        let before = "# ours\nada:1\nbob:2\n";
        for (name, line, after) in [
            ("ada", Some("ada:3"), "# ours\nbob:2\nada:3\n"),
            ("eve", Some("eve:4"), "# ours\nada:1\nbob:2\neve:4\n"),
            ("bob", None, "# ours\nada:1\n"),
            ("ad", None, "# ours\nada:1\nbob:2\n"),
        ] {
            assert_eq!(changed(before, name, line), after, "{name}");
        }
    }

    #[test]
    fn a_file_keeps_its_mode_and_is_never_half_written() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("users");
        change(&file, "ada", Some("ada:1")).expect("made");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        change(&file, "ada", Some("ada:2")).expect("changed");
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), "ada:2\n");
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        assert!(change(&dir.path().join("none"), "ada", None).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 1);
    }
}
