//! The key that seals what the database keeps secret.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jeroboam_oslo::Config;
use secrecy::SecretString;

/// Where the key comes from.
enum Source {
    There(SecretString),
    ToMake(PathBuf),
}

/// The operator's key, or for a database in a file of this machine one beside it, made when there is none.
pub(super) fn find(config: &Config, url: &str) -> Result<SecretString> {
    match source(config, url)? {
        Source::There(key) => Ok(key),
        Source::ToMake(file) => make(&file),
    }
}

/// As [`find`], but where that would make a key this is just some key, and nothing is written.
pub(super) fn foreseen(config: &Config, url: &str) -> Result<SecretString> {
    match source(config, url)? {
        Source::There(key) => Ok(key),
        Source::ToMake(_) => Ok(SecretString::from(STANDARD.encode([0; 32]))),
    }
}

fn source(config: &Config, url: &str) -> Result<Source> {
    if let Some(key) = config.secret("jeroboam", "encryption_key") {
        return Ok(Source::There(key));
    }
    if let Some(file) = config.string("jeroboam", "encryption_key_file") {
        return read(Path::new(&file)).map(Source::There);
    }
    let Some(file) = beside(url) else {
        bail!(
            "[jeroboam] encryption_key is not set: without it the secrets of clusters can't be kept. \
             Make one with `openssl rand -base64 32` and give it to every process of this database"
        );
    };
    if file.exists() { read(&file).map(Source::There) } else { Ok(Source::ToMake(file)) }
}

/// Where the key of a SQLite file is: several machines never share such a file.
fn beside(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:///")?;
    let path = path.split('?').next().unwrap_or(path);
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(format!("{path}.key")))
}

fn read(file: &Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read the key {}", file.display()))?;
    Ok(SecretString::from(text.trim().to_owned()))
}

fn make(file: &Path) -> Result<SecretString> {
    let mut bytes = [0u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).ok().context("ask the machine for random bytes")?;
    let text = STANDARD.encode(bytes);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    }
    // Two processes may start at once: whoever links first wins, the other reads what is there.
    let draft = file.with_extension(format!("key.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut opened = options.write(true).create(true).truncate(true).mode(0o600).open(&draft);
    let written = opened.as_mut().map(|output| output.write_all(text.as_bytes()).and_then(|()| output.sync_all()));
    match written {
        Ok(Ok(())) => {}
        _ => bail!("the key {} can't be written", draft.display()),
    }
    let linked = std::fs::hard_link(&draft, file);
    std::fs::remove_file(&draft).ok();
    match linked {
        Ok(()) => Ok(SecretString::from(text)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => read(file),
        Err(error) => Err(error).with_context(|| format!("write the key {}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_key_is_made_once_and_read_ever_after() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:///{}/magnum.sqlite", folder.path().display());
        let config = Config::load(&[], &std::collections::BTreeMap::new()).expect("empty");
        let first = find(&config, &url).expect("made");
        assert_eq!(find(&config, &url).expect("read").expose_secret(), first.expose_secret());
        assert_eq!(STANDARD.decode(first.expose_secret()).expect("base64").len(), 32);
    }

    #[test]
    fn a_shared_database_without_a_key_is_refused() {
        let config = Config::load(&[], &std::collections::BTreeMap::new()).expect("empty");
        let refused = find(&config, "mysql+pymysql://m:s@host/magnum").expect_err("no key");
        assert!(refused.to_string().starts_with("[jeroboam] encryption_key is not set"), "{refused}");
    }
}
