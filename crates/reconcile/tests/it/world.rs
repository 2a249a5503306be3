//! A database, a cloud, a management cluster, and as many reconcilers as a test wants.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jeroboam_management::{KubeconfigSource, Management, ManagementConfig};
use jeroboam_model::{
    CertificateRefs, Clock, ClusterId, ClusterTemplate, ClusterWithGroups, KeyPairId, NodeGroup, Operation, Scope,
    Status, SystemClock, UserId, Work, secrets,
};
use jeroboam_openstack::{Auth, DomainRef, Named, NewApplicationCredential, Session, SessionConfig};
use jeroboam_reconcile::{CloudConfig, ReconcileConfig, ReconcileParts, Reconciler, StepHook};
use jeroboam_sandbox::Sandbox;
use jeroboam_store::testing::{Engine, TestDatabase};
use jeroboam_store::{Acceptance, Creation, Ident, KeyPair, Store, samples};
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cloud::Cloud;
use crate::kube::Kube;

/// Waiting longer for anything is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long [`eventually`] pauses between two looks.
pub(crate) const POLL: Duration = Duration::from_millis(10);

pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) kube: Kube,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    /// Another management cluster than the one of this test.
    other_kubeconfig: Option<SecretString>,
    class: Option<(String, String)>,
    /// Another cloud than the one of this test, and somebody there who makes clusters.
    other_cloud: Option<(String, Session)>,
    project: String,
    database: TestDatabase,
    template: ClusterTemplate,
    _servers: JoinSet<()>,
}

/// A reconciler at work, as a process of its own would run it.
pub(crate) struct Running {
    stop: CancellationToken,
    watches: TaskTracker,
    run: JoinSet<()>,
}

impl Running {
    /// Stops and waits for the end.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        self.run.join_next().await;
        self.watches.close();
        self.watches.wait().await;
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock)).await
    }

    pub(crate) async fn on(engine: Engine) -> Self {
        Self::with(Arc::new(SystemClock), engine).await
    }

    pub(crate) async fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, Engine::Sqlite).await
    }

    async fn with(clock: Arc<dyn Clock>, engine: Engine) -> Self {
        let mut servers = JoinSet::new();
        let cloud = Cloud::start(&mut servers).await;
        let kube = Kube::start(&mut servers).await;
        let database = TestDatabase::new(engine).await;
        let store = database.store().await;
        let plain = samples::template("p1", "plain");
        let template = ClusterTemplate {
            flavor_id: Some("m1.medium".into()),
            master_flavor_id: Some("m1.large".into()),
            labels: [("kube_tag", "v1.33.4")].into_iter().collect(),
            ..plain
        };
        let template = store.create_template(&template).await.expect("a template");
        Self {
            cloud,
            kube,
            store,
            clock,
            other_kubeconfig: None,
            class: None,
            other_cloud: None,
            project: "p1".to_owned(),
            database,
            template,
            _servers: servers,
        }
    }

    /// With a real management cluster in the pretended one's place. `project` keeps the test's clusters apart from others.
    pub(crate) async fn with_cluster_api(kubeconfig: SecretString, class: (String, String), project: &str) -> Self {
        let mut world = Self::new().await;
        world.other_kubeconfig = Some(kubeconfig);
        world.class = Some(class);
        world.project = project.to_owned();
        world
    }

    /// With the sandbox in the place of everything that is pretended here.
    pub(crate) async fn on_sandbox(sandbox: &Sandbox) -> Self {
        let mut world = Self::new().await;
        world.other_kubeconfig = Some(sandbox.kubeconfig.clone());
        let tenant = Auth::Password {
            user: named("demo"),
            password: sandbox.password.clone(),
            scope: jeroboam_openstack::Scope::Project(named("demo")),
        };
        let tenant = Session::new(SessionConfig::new(&sandbox.identity_url, tenant), Arc::clone(&world.clock));
        let tenant = tenant.expect("an address");
        let token = tenant.authenticate().await.expect("the demo user");
        world.project = token.info.project.as_ref().expect("a project").to_string();
        world.other_cloud = Some((sandbox.identity_url.clone(), tenant));
        world.template = world.add_template("sandbox", "ubuntu-kube-v1.33.5").await;
        world
    }

    /// A template whose image alone says the release.
    pub(crate) async fn add_template(&self, name: &str, image: &str) -> ClusterTemplate {
        let template = ClusterTemplate {
            image_id: Some(image.to_owned()),
            flavor_id: Some("m1.medium".into()),
            master_flavor_id: Some("m1.large".into()),
            labels: jeroboam_model::Labels::default(),
            ..samples::template(&self.project, name)
        };
        self.store.create_template(&template).await.expect("a template")
    }

    fn auth_url(&self) -> &str {
        self.other_cloud.as_ref().map_or(&self.cloud.url, |(url, _)| url)
    }

    /// Ids of the application credentials that there are.
    pub(crate) async fn credentials(&self) -> Vec<String> {
        let Some((_, tenant)) = &self.other_cloud else { return self.cloud.credentials() };
        let user = tenant.token().await.expect("a token").info.user.clone();
        let found = tenant.identity().application_credentials(&user, None).await.expect("a list");
        found.into_iter().map(|credential| credential.id).collect()
    }

    /// Makes an application credential: its user, id and secret.
    async fn new_credential(&self, name: &str) -> (UserId, String, SecretString) {
        let Some((_, tenant)) = &self.other_cloud else {
            self.cloud.add_credential(name);
            return ("user-1".into(), name.to_owned(), "hush".into());
        };
        let new = NewApplicationCredential { name: name.to_owned(), ..NewApplicationCredential::default() };
        let made = tenant.identity().create_application_credential(&new).await.expect("a credential");
        (tenant.token().await.expect("a token").info.user.clone(), made.id, made.secret.expect("a secret"))
    }

    fn kubeconfig(&self) -> SecretString {
        self.other_kubeconfig.clone().unwrap_or_else(|| self.kube.kubeconfig().into())
    }

    pub(crate) fn settings(&self) -> ReconcileConfig {
        ReconcileConfig {
            poll: Duration::from_millis(50),
            lease: Duration::from_secs(3),
            progress_interval: Duration::from_millis(200),
            observe_interval: Duration::from_millis(500),
            backoff_first: Duration::from_millis(20),
            backoff_max: Duration::from_millis(200),
            cloud: CloudConfig {
                auth_url: self.auth_url().to_owned(),
                interface: "public".into(),
                ..CloudConfig::default()
            },
            cluster_class: self.class.clone(),
            ..ReconcileConfig::default()
        }
    }

    pub(crate) async fn start(&self, owner: &str) -> Running {
        self.start_with(owner, self.settings(), None).await
    }

    pub(crate) async fn start_with(&self, owner: &str, settings: ReconcileConfig, hook: Option<StepHook>) -> Running {
        let stop = CancellationToken::new();
        let watches = TaskTracker::new();
        let management = Management::new(ManagementConfig {
            call_timeout: Duration::from_secs(5),
            ..ManagementConfig::new(KubeconfigSource::Text(self.kubeconfig()))
        });
        let management = management.await.expect("a kubeconfig");
        management.start(&watches, stop.clone());
        let auth = Auth::Password {
            user: named("magnum"),
            password: "secret".into(),
            scope: jeroboam_openstack::Scope::Project(named("service")),
        };
        let session = Session::new(SessionConfig::new(self.auth_url(), auth), Arc::clone(&self.clock));
        let reconciler = Reconciler::new(ReconcileParts {
            // Each process has connections of its own.
            store: Store::connect(&self.database.config()).await.expect("the database"),
            management,
            session: session.expect("an address"),
            settings,
            clock: Arc::clone(&self.clock),
            owner: owner.to_owned(),
            seed: 7,
            hook,
            notifier: jeroboam_notify::Notifier::silent(),
        });
        let mut run = JoinSet::new();
        run.spawn(reconciler.run(stop.clone()));
        Running { stop, watches, run }
    }

    /// Accepts a cluster with one control plane node and two workers.
    pub(crate) async fn create(&self, name: &str) -> ClusterId {
        let mut new = samples::new_cluster(&self.template, &self.project, name);
        let now = self.clock.now();
        let id = new.cluster.id;
        let pairs: [KeyPair; 3] = std::array::from_fn(|_| key_pair());
        new.cluster.certificates = CertificateRefs {
            ca: Some(pairs[0].id.into()),
            client: None,
            etcd_ca: Some(pairs[1].id.into()),
            front_proxy_ca: Some(pairs[2].id.into()),
        };
        new.key_pairs = pairs.into();
        new.cluster.created_at = now;
        new.cluster.keypair = None;
        new.deadline = Some(now + Duration::from_secs(3600));
        let (user, credential, secret) = self.new_credential(&format!("credential-{id}")).await;
        new.cluster.user = user;
        new.groups.iter_mut().for_each(|group| group.image_id.clone_from(&self.template.image_id));
        let key = rsa().serialize_pem();
        new.secrets = vec![
            (secrets::SERVICE_ACCOUNT_KEY.to_owned(), key.into()),
            (secrets::APPLICATION_CREDENTIAL_ID.to_owned(), credential.into()),
            (secrets::APPLICATION_CREDENTIAL_SECRET.to_owned(), secret),
        ];
        match self.store.create_cluster(new, 100).await.expect("accepted") {
            Creation::Created(_) => id,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Accepts a change of a cluster.
    pub(crate) async fn change(
        &self,
        id: ClusterId,
        operation: Operation,
        status: Status,
        change: impl Fn(&ClusterWithGroups, &mut Acceptance),
    ) {
        for _ in 0..100 {
            let was = self.view(id).await.expect("a cluster");
            let now = self.clock.now();
            let mut acceptance = Acceptance::of(operation, status, now);
            acceptance.deadline = Some(now + Duration::from_secs(3600));
            change(&was, &mut acceptance);
            if self.store.accept(&was, acceptance).await.expect("accepted").is_some() {
                return;
            }
        }
        panic!("somebody was always faster");
    }

    /// Accepts a new size of the default workers.
    pub(crate) async fn resize(&self, id: ClusterId, count: i32) {
        self.change(id, Operation::Update, Status::UPDATE_IN_PROGRESS, |was, change| {
            let group = was.default_worker().expect("workers").clone();
            let status = Status::UPDATE_IN_PROGRESS;
            change.changed_groups.push(NodeGroup { node_count: count, status, ..group });
        })
        .await;
    }

    pub(crate) async fn delete(&self, id: ClusterId) {
        self.change(id, Operation::Delete, Status::DELETE_IN_PROGRESS, |_, _| {}).await;
    }

    pub(crate) async fn view(&self, id: ClusterId) -> Option<ClusterWithGroups> {
        self.store.cluster(&Ident::Id(id.uuid()), &Scope::All).await.expect("the database")
    }

    pub(crate) async fn work(&self, id: ClusterId) -> Work {
        self.store.work(id).await.expect("the database").expect("work")
    }

    /// Waits until the cluster has a status, and returns it then.
    pub(crate) async fn until(&self, id: ClusterId, status: Status) -> ClusterWithGroups {
        self.until_it(id, status.as_str(), |view| view.cluster.status == status).await
    }

    pub(crate) async fn until_it(
        &self,
        id: ClusterId,
        what: &str,
        is: impl Fn(&ClusterWithGroups) -> bool,
    ) -> ClusterWithGroups {
        let mut last = None;
        let found = eventually(async || {
            last = self.view(id).await;
            last.as_ref().is_some_and(&is)
        })
        .await;
        let last = last.expect("the cluster is there");
        let (status, reason) = (last.cluster.status, &last.cluster.status_reason);
        assert!(found, "{what} did not come: {status} {reason:?}");
        last
    }

    pub(crate) async fn until_gone(&self, id: ClusterId) {
        let gone = eventually(async || self.view(id).await.is_none()).await;
        let left = self.view(id).await.map(|view| (view.cluster.status, view.cluster.status_reason));
        assert!(gone, "the cluster stayed: {left:?}, {:?}", self.kube.left());
    }
}

fn named(name: &str) -> Named {
    Named::Name { name: name.to_owned(), domain: DomainRef::default() }
}

/// Asks again and again, for a bounded time.
pub(crate) async fn eventually(mut is: impl AsyncFnMut() -> bool) -> bool {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if is().await {
            return true;
        }
        if tokio::time::Instant::now() > end {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// An authority. All have one key, as making one takes a while; Cluster API's in-memory machines know no other kind.
fn key_pair() -> KeyPair {
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    KeyPair {
        id: KeyPairId::random(),
        certificate: params.self_signed(rsa()).expect("a certificate").pem(),
        private_key: rsa().serialize_pem().into(),
        passphrase: "unused".into(),
        intermediates: None,
        project: "p1".into(),
        user: "user-1".into(),
    }
}

fn rsa() -> &'static rcgen::KeyPair {
    static KEY: OnceLock<rcgen::KeyPair> = OnceLock::new();
    KEY.get_or_init(|| {
        let made = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
        made.expect("a key")
    })
}
