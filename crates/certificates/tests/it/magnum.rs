//! What Magnum's own Python keeps is read here, and the other way round, in all three places.

use std::path::PathBuf;
use std::process::Command;

use jeroboam_certificates::{Kind, open_key};
use jeroboam_model::CertificateRef;
use jeroboam_sandbox::cloud::PASSWORD;
use jeroboam_store::samples;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::bed::{Bed, new};

/// The Python that `tools/setup.sh magnum` installs.
#[expect(clippy::disallowed_methods, reason = "tests have no settings but the environment")]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn python() -> Option<String> {
    let setting = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let python = setting("JEROBOAM_ORACLE");
    if python.is_none() {
        assert!(setting("JEROBOAM_ALL").is_none(), "JEROBOAM_ORACLE is not set: tools/setup.sh magnum installs it");
        eprintln!("skipped: JEROBOAM_ORACLE is not set; it names the Python that tools/setup.sh magnum installs");
    }
    python
}

struct Magnum {
    python: String,
    config: PathBuf,
}

impl Magnum {
    /// Magnum on the bed's database, directory and cloud.
    fn on(bed: &Bed, python: &str, backend: &str) -> Self {
        let config = bed.folder.path().join(format!("{backend}.conf"));
        let (folder, cloud) = (bed.folder.path().display(), bed.cloud.identity_url());
        let text = format!(
            "[DEFAULT]\ntransport_url = fake:/\n[certificates]\ncert_manager_type = {backend}\nstorage_path = {folder}/certificates\n\
             [database]\nconnection = sqlite:///{folder}/magnum.sqlite\n\
             [keystone_auth]\nauth_type = password\nauth_url = {cloud}\nusername = magnum\npassword = {PASSWORD}\n\
             project_name = service\nuser_domain_id = default\nproject_domain_id = default\n"
        );
        std::fs::write(&config, text).expect("written");
        Self { python: python.to_owned(), config }
    }

    async fn says(&self, arguments: &[&str]) -> Value {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/oracle/magnum_certificates.py");
        let mut command = Command::new(&self.python);
        command.args(["-W", "ignore", script]).arg(&self.config).args(arguments);
        command.env_clear().env("LANG", "C.UTF-8").env("HOME", "/nonexistent");
        let output =
            tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("Python starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(said.lines().last().unwrap_or_default()).expect("JSON")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_magnum_keeps_is_read_and_the_other_way_round() {
    let Some(python) = python() else { return };
    let bed = Bed::start().await;
    let template = bed.store.create_template(&samples::template("p1", "small")).await.expect("a template");
    for (backend, kind) in [("x509keypair", Kind::Database), ("local", Kind::Directory), ("barbican", Kind::Barbican)] {
        let (magnum, ours) = (Magnum::on(&bed, &python, backend), bed.certificates(kind));

        // Ours first: the directory is there afterwards. Rows come with their cluster.
        let wanted = new("prod");
        let kept = ours.keep(vec![wanted.clone()]).await.expect("kept").remove(0);
        if let Some(row) = kept.row {
            let mut cluster = samples::new_cluster(&template, "p1", "prod");
            cluster.secrets.clear();
            cluster.cluster.certificates.ca = Some(kept.reference.clone());
            cluster.key_pairs = vec![row];
            bed.store.create_cluster(cluster, 10).await.expect("a cluster");
        }
        let reference = kept.reference.to_string();
        let read = magnum.says(&["read", &reference]).await;
        assert_eq!(read["certificate"].as_str().map(str::trim), Some(wanted.certificate.trim()), "{backend}");
        let open = open_key(&wanted.private_key, &wanted.passphrase).expect("opened");
        assert_eq!(read["key"].as_str().map(str::trim), Some(open.expose_secret().trim()), "{backend}");
        magnum.says(&["delete", &reference]).await;
        assert!(ours.read(&kept.reference).await.expect("read").is_none(), "{backend}: Magnum deleted it");

        let made = magnum.says(&["store", "prod"]).await;
        let reference = CertificateRef::from(made["reference"].as_str().expect("a reference"));
        let found = ours.read(&reference).await.expect("read").expect("there");
        assert_eq!(Some(found.certificate.trim()), made["certificate"].as_str(), "{backend}");
        let open = open_key(&found.private_key, &found.passphrase).expect("Magnum's key opens");
        let read = magnum.says(&["read", reference.as_str()]).await;
        assert_eq!(read["key"].as_str().map(str::trim), Some(open.expose_secret().trim()), "{backend}");
        ours.discard(&reference).await.expect("discarded");
        assert_eq!(ours.read(&reference).await.expect("read").is_none(), kind != Kind::Database, "{backend}");
    }
    assert_eq!(bed.kept(), (0, 0), "nothing is left in Barbican");
}
