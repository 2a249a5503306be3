//! A database, a pretend cloud and a directory.

use std::sync::Arc;
use std::time::Duration;

use jeroboam_certificates::{Certificates, CertificatesConfig, Kind, NewCertificate, seal_key};
use jeroboam_model::SystemClock;
use jeroboam_openstack::{Auth, DomainRef, Named, RetryPolicy, Scope, Session, SessionConfig};
use jeroboam_sandbox::cloud::{Cloud, CloudParts, PASSWORD};
use jeroboam_sandbox::{Faults, State};
use jeroboam_store::{Store, StoreConfig};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) struct Bed {
    pub(crate) cloud: Cloud,
    pub(crate) faults: Faults,
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
    state: State,
    _tasks: JoinSet<()>,
}

impl Bed {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = State::in_memory();
        let faults = Faults::new(state.clone(), 7);
        let parts = CloudParts {
            state: state.clone(),
            faults: faults.clone(),
            clock: Arc::new(SystemClock),
            base_url,
            seed: 7,
        };
        let cloud = Cloud::new(parts);
        let router = cloud.router();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.expect("served") });
        let folder = TempDir::new().expect("a folder");
        let database = format!("sqlite:///{}", folder.path().join("magnum.sqlite").display());
        let store = Store::connect(&StoreConfig::at(database.into())).await.expect("a store");
        store.upgrade().await.expect("tables");
        Self { cloud, faults, store, folder, state, _tasks: tasks }
    }

    pub(crate) fn certificates(&self, kind: Kind) -> Certificates {
        let config = CertificatesConfig { kind, storage_path: self.folder.path().join("certificates") };
        Certificates::new(config, self.store.clone(), self.session())
    }

    pub(crate) fn session(&self) -> Session {
        self.session_with(|_| ())
    }

    pub(crate) fn session_with(&self, change: impl FnOnce(&mut SessionConfig)) -> Session {
        let named = |name: &str| Named::Name { name: name.to_owned(), domain: DomainRef::default() };
        let auth = Auth::Password {
            user: named("magnum"),
            password: PASSWORD.to_owned().into(),
            scope: Scope::Project(named("service")),
        };
        let mut config = SessionConfig::new(self.cloud.identity_url(), auth);
        let pause = Duration::from_millis(1);
        config.transport.retry = RetryPolicy { attempts: 2, base: pause, cap: pause };
        change(&mut config);
        Session::new(config, Arc::new(SystemClock)).expect("a session")
    }

    /// What is in the pretend Barbican: secrets and containers.
    pub(crate) fn kept(&self) -> (usize, usize) {
        (self.state.list("secret").len(), self.state.list("container").len())
    }
}

/// A certificate and a key that fits, made by `openssl`.
pub(crate) fn new(name: &str) -> NewCertificate {
    let folder = TempDir::new().expect("a folder");
    let openssl = |args: &str| {
        let output = std::process::Command::new("openssl").args(args.split(' ')).current_dir(folder.path()).output();
        let output = output.expect("openssl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -days 2 -subj /CN=prod");
    openssl("pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der");
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect("a file");
    let sealed = seal_key(&read("key.der")).expect("sealed");
    NewCertificate {
        name: name.to_owned(),
        certificate: String::from_utf8(read("ca.pem")).expect("PEM").trim().to_owned(),
        private_key: sealed.pem,
        passphrase: sealed.passphrase,
        project: "p1".into(),
        user: "u1".into(),
    }
}
