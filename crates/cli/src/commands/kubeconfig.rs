//! `jeroboam kubeconfig`

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use crate::args::KubeconfigArgs;
use crate::client::Api;
use crate::kubeconfig::Access;
use crate::{Failure, Surroundings};

pub(super) async fn run(api: &Api, args: &KubeconfigArgs, surroundings: &mut Surroundings) -> Result<(), Failure> {
    if let Some(file) = args.output.as_deref().filter(|file| !args.force && file.exists()) {
        return Err(Failure::new(format!("{} is there already", file.display())).hint("say --force to write over it"));
    }
    let kubeconfig = Access::request(api, &args.cluster).await?.kubeconfig();
    let Some(file) = &args.output else { return surroundings.print(kubeconfig.expose_secret()) };
    write(file, &kubeconfig).map_err(|error| Failure::new(format!("write {}: {error}", file.display())))?;
    surroundings.say(&format!("wrote {0}; use it with: export KUBECONFIG={0}", file.display()));
    Ok(())
}

/// Beside the file first and then in its place, so that there is never half a kubeconfig; readable by its owner alone.
fn write(file: &Path, text: &SecretString) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    // What an earlier try left there, or somebody else put there, has permissions of its own.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    open.write_all(text.expose_secret().as_bytes())?;
    open.sync_all()?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn nobody_else_can_read_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("config");
        std::fs::write(&file, "old and readable").expect("a file");
        std::fs::write(dir.path().join("config.new"), "left over and readable").expect("a file");
        write(&file, &SecretString::from("new")).expect("written");
        assert_eq!(std::fs::read_to_string(&file).expect("text"), "new");
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 1);
    }
}
