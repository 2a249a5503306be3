//! Files `<id>.crt`, `.key` and `.pass` of one directory, for a service of one machine.
//!
//! Magnum: common/cert_manager/local_cert_manager.py; it leaves modes to the umask. Here what is secret is its owner's alone.

use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jeroboam_model::CertificateRef;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{Certificate, Error, Kept, NewCertificate, Place};

/// Readable for all as far as the umask goes, as `open()` of Python makes files.
const PLAIN: u32 = 0o666;
const PRIVATE: u32 = 0o600;
/// In the order in which they are written.
const ENDINGS: [&str; 4] = ["crt", "key", "int", "pass"];

pub(crate) struct Directory(pub(crate) PathBuf);

impl Place for Directory {
    fn keep(&self, new: NewCertificate) -> BoxFuture<'_, Result<Kept, Error>> {
        let directory = self.0.clone();
        let id = Uuid::new_v4().to_string();
        async move {
            let reference = CertificateRef::from(id.as_str());
            blocking(move || write_all(&directory, &id, &new)).await?;
            Ok(Kept { reference, row: None })
        }
        .boxed()
    }

    fn read<'a>(&'a self, reference: &'a CertificateRef) -> BoxFuture<'a, Result<Option<Certificate>, Error>> {
        let (directory, name) = (self.0.clone(), reference.to_string());
        let certain = reference.key_pair().is_some();
        async move { if certain { blocking(move || read_all(&directory, &name)).await } else { Ok(None) } }.boxed()
    }

    fn discard<'a>(&'a self, reference: &'a CertificateRef) -> BoxFuture<'a, Result<(), Error>> {
        let (directory, name) = (self.0.clone(), reference.to_string());
        let certain = reference.key_pair().is_some();
        async move { if certain { blocking(move || remove_all(&directory, &name)).await } else { Ok(()) } }.boxed()
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let broken = |error: tokio::task::JoinError| failure("use the files of", Path::new("certificates"), error.into());
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}

fn failure(doing: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { doing, path: path.to_owned(), source }
}

fn file(directory: &Path, name: &str, ending: &str) -> PathBuf {
    directory.join(format!("{name}.{ending}"))
}

fn write_all(directory: &Path, name: &str, new: &NewCertificate) -> Result<(), Error> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| failure("make the directory", directory, error))?;
    let parts = [
        ("crt", new.certificate.as_str(), PLAIN),
        ("key", new.private_key.expose_secret(), PRIVATE),
        ("pass", new.passphrase.expose_secret(), PRIVATE),
    ];
    for (ending, text, mode) in parts {
        let path = file(directory, name, ending);
        if let Err(error) = write(&path, text, mode) {
            // What was written so far is of no use to anybody.
            remove_all(directory, name).ok();
            return Err(failure("write", &path, error));
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn read_all(directory: &Path, name: &str) -> Result<Option<Certificate>, Error> {
    let read = |ending: &str| {
        let path = file(directory, name, ending);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure("read", &path, error)),
        }
    };
    let Some(certificate) = read("crt")? else { return Ok(None) };
    let incomplete = || Error::Incomplete { reference: name.to_owned(), part: "private_key" };
    Ok(Some(Certificate {
        certificate,
        private_key: SecretString::from(read("key")?.ok_or_else(incomplete)?),
        passphrase: SecretString::from(read("pass")?.unwrap_or_default()),
    }))
}

fn remove_all(directory: &Path, name: &str) -> Result<(), Error> {
    for ending in ENDINGS {
        let path = file(directory, name, ending);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failure("remove", &path, error)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn new() -> NewCertificate {
        NewCertificate {
            name: "prod".to_owned(),
            certificate: "certificate".to_owned(),
            private_key: "key".into(),
            passphrase: "pass".into(),
            project: "p1".into(),
            user: "u1".into(),
        }
    }

    #[tokio::test]
    async fn files_are_magnums_and_what_is_secret_is_the_owners() {
        let folder = tempfile::tempdir().expect("folder");
        let place = Directory(folder.path().join("certificates"));
        let kept = place.keep(new()).await.expect("kept");
        let name = kept.reference.to_string();
        for (ending, text, mode) in
            [("crt", "certificate", None), ("key", "key", Some(0o600)), ("pass", "pass", Some(0o600))]
        {
            let path = file(&place.0, &name, ending);
            assert_eq!(std::fs::read_to_string(&path).expect("file"), text);
            let found = std::fs::metadata(&path).expect("file").permissions().mode() & 0o777;
            assert!(mode.is_none_or(|mode| mode == found), "{ending}: {found:o}");
        }
        let read = place.read(&kept.reference).await.expect("read").expect("there");
        assert_eq!((read.certificate.as_str(), read.passphrase.expose_secret()), ("certificate", "pass"));
        place.discard(&kept.reference).await.expect("gone");
        assert_eq!(std::fs::read_dir(&place.0).expect("folder").count(), 0);
        assert!(place.read(&kept.reference).await.expect("read").is_none());
        place.discard(&kept.reference).await.expect("gone before");
    }

    #[tokio::test]
    async fn a_reference_never_leaves_the_directory() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("x.crt"), "certificate").expect("write");
        std::fs::write(folder.path().join("x.key"), "key").expect("write");
        let place = Directory(folder.path().join("certificates"));
        for reference in ["../x", "x", "/etc/passwd", ""] {
            assert!(place.read(&reference.into()).await.expect("nothing").is_none(), "{reference}");
            place.discard(&reference.into()).await.expect("nothing");
        }
        assert!(folder.path().join("x.crt").exists());
    }

    #[tokio::test]
    async fn a_certificate_without_its_key_is_told() {
        let folder = tempfile::tempdir().expect("folder");
        let place = Directory(folder.path().to_owned());
        let kept = place.keep(new()).await.expect("kept");
        std::fs::remove_file(file(folder.path(), &kept.reference.to_string(), "key")).expect("removed");
        let error = place.read(&kept.reference).await.expect_err("no key");
        assert_eq!(error.to_string(), format!("the certificate {} has no private_key", kept.reference));
    }
}
