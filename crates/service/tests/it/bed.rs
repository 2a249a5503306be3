//! A service with an empty database, a cloud, and people who call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::{
    Caller, ClusterId, ClusterTemplate, ClusterWithGroups, Labels, MachineView, ManualClock, NodeGroup, Progress,
    Status,
};
use jeroboam_openstack::{Auth, RetryPolicy, Scope, Session, SessionConfig, UserRef};
use jeroboam_oslo::{Enforcer, PolicySettings};
use jeroboam_service::{Error, Kind, NewCluster, NewTemplate, Service, ServiceConfig, ServiceParts};
use jeroboam_store::{ClusterSeen, GroupSeen, Ident, Recorded, Store, StoreConfig};

use crate::cloud::Cloud;

pub(crate) struct Bed {
    pub(crate) service: Service,
    pub(crate) store: Store,
    pub(crate) cloud: Cloud,
    pub(crate) clock: Arc<ManualClock>,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl Fn(&mut ServiceConfig)) -> Self {
        Self::telling(change, jeroboam_service::Notifier::silent()).await
    }

    /// With an operator's policy file.
    pub(crate) async fn ruled_by(file: PathBuf) -> Self {
        let policy = PolicySettings { file: Some(file), enforce_new_defaults: true, ..PolicySettings::default() };
        Self::made(|_| {}, jeroboam_service::Notifier::silent(), policy).await
    }

    pub(crate) async fn telling(change: impl Fn(&mut ServiceConfig), notifier: jeroboam_service::Notifier) -> Self {
        let policy = PolicySettings { enforce_new_defaults: true, ..PolicySettings::default() };
        Self::made(change, notifier, policy).await
    }

    async fn made(
        change: impl Fn(&mut ServiceConfig),
        notifier: jeroboam_service::Notifier,
        policy: PolicySettings,
    ) -> Self {
        let cloud = Cloud::start().await;
        let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().expect("time")));
        let mut config = StoreConfig::at("sqlite::memory:".to_owned().into());
        config.key = Some("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_owned().into());
        let store = Store::connect(&config).await.expect("store");
        store.upgrade().await.expect("tables");

        let user = UserRef::Id("magnum".to_owned());
        let auth = Auth::Password { user, password: "none".to_owned().into(), scope: Scope::Unscoped };
        let mut session = SessionConfig::new(cloud.url.clone(), auth);
        let pause = Duration::from_millis(1);
        session.transport.retry = RetryPolicy { attempts: 2, base: pause, cap: pause };
        let session = Session::new(session, clock.clone()).expect("session");
        let mut settings = ServiceConfig::default();
        settings.certificates.kind = jeroboam_certificates::Kind::Database;
        change(&mut settings);
        let service = Service::new(ServiceParts {
            store: store.clone(),
            session,
            policy: Arc::new(Enforcer::new(policy).expect("policy")),
            settings,
            clock: clock.clone(),
            notifier,
        });
        Self { service, store, cloud, clock }
    }

    /// Somebody with a token of a project.
    pub(crate) fn caller(&self, user: &str, project: &str, roles: &[&str]) -> Caller {
        let mut caller = Caller {
            user: user.into(),
            user_name: user.to_owned(),
            user_domain: Some("default".to_owned()),
            project: Some(project.into()),
            project_name: Some(project.to_owned()),
            project_domain: Some("default".to_owned()),
            domain: None,
            system_scope: None,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            is_admin: false,
            application_credential: false,
            token: format!("{user}/{project}/{}", roles.join(",")).into(),
            request_id: "req-1".to_owned(),
            global_request_id: None,
        };
        caller.is_admin = self.service.is_admin(&caller);
        caller
    }

    /// The tenant of most tests.
    pub(crate) fn ann(&self) -> Caller {
        self.caller("ann", "blue", &["member", "reader"])
    }

    pub(crate) fn admin(&self) -> Caller {
        self.caller("root", "admin", &["admin", "member", "reader"])
    }

    /// Ann's template, with v1.33.4 in its image.
    pub(crate) async fn template(&self, change: impl Fn(&mut NewTemplate)) -> ClusterTemplate {
        let mut new = template();
        change(&mut new);
        self.service.templates().create(&self.ann(), new).await.expect("template")
    }

    /// Ann's cluster, accepted.
    pub(crate) async fn cluster(&self, change: impl Fn(&mut NewCluster)) -> ClusterWithGroups {
        let template = self.template(|_| {}).await;
        let mut new = NewCluster { template: template.id.to_string(), ..NewCluster::default() };
        change(&mut new);
        self.service.clusters().create(&self.ann(), new).await.expect("cluster")
    }

    /// Ann's cluster, made: three workers with names.
    pub(crate) async fn running(&self) -> ClusterWithGroups {
        let cluster = self.cluster(|new| new.node_count = Some(3)).await;
        self.settle(cluster.cluster.id, Status::CREATE_COMPLETE).await
    }

    /// Does what a reconciler does at the end of an operation.
    pub(crate) async fn settle(&self, id: ClusterId, status: Status) -> ClusterWithGroups {
        self.record(id, |cluster, groups| {
            cluster.status = status;
            cluster.api_address = Some("https://192.0.2.1:6443".to_owned());
            cluster.coe_version = Some("v1.33.4".to_owned());
            for group in groups {
                group.status = status;
            }
        })
        .await
    }

    /// Writes what a reconciler saw, with machines for every node.
    pub(crate) async fn record(
        &self,
        id: ClusterId,
        change: impl FnOnce(&mut ClusterSeen, &mut [GroupSeen]),
    ) -> ClusterWithGroups {
        let now = jeroboam_model::Clock::now(&*self.clock);
        let lease = self.store.claim(id, "test", now, Duration::from_secs(10)).await.expect("claim").expect("free");
        let loaded = self.store.load(&lease).await.expect("load").expect("there");
        let mut cluster = ClusterSeen::from(&loaded.view.cluster);
        let mut groups: Vec<GroupSeen> = loaded.view.groups.iter().map(GroupSeen::from).collect();
        change(&mut cluster, &mut groups);
        let machines = loaded.view.groups.iter().flat_map(machines).collect();
        let seen = Recorded {
            cluster: Some(cluster),
            groups,
            progress: Some(Progress { machines, ..Progress::default() }),
            ..Recorded::default()
        };
        assert!(self.store.record(&lease, loaded.work.revision, seen).await.expect("recorded"));
        assert!(self.store.release(&lease, now).await.expect("released"));
        self.read(id).await
    }

    pub(crate) async fn read(&self, id: ClusterId) -> ClusterWithGroups {
        let found = self.store.cluster(&Ident::Id(id.uuid()), &jeroboam_model::Scope::All).await;
        found.expect("store").expect("a cluster")
    }
}

/// `default-worker-0` with the server `server-default-worker-0` and so on.
fn machines(group: &NodeGroup) -> Vec<MachineView> {
    let machine = |n: i32| MachineView {
        name: format!("{}-{n}", group.name),
        group: group.name.clone(),
        node: Some(format!("node-{}-{n}", group.name)),
        server: Some(format!("server-{}-{n}", group.name)),
        ready: true,
        ..MachineView::default()
    };
    (0..group.node_count).map(machine).collect()
}

/// A template that can be made, but for what a test takes away.
pub(crate) fn template() -> NewTemplate {
    NewTemplate {
        name: Some("plain".to_owned()),
        image_id: "ubuntu-v1.33.4".to_owned(),
        flavor_id: Some("small".to_owned()),
        master_flavor_id: Some("small".to_owned()),
        keypair_id: Some("mine".to_owned()),
        external_network_id: Some("public".to_owned()),
        dns_nameserver: Some("8.8.8.8".to_owned()),
        master_lb_enabled: true,
        ..NewTemplate::default()
    }
}

pub(crate) fn labels(items: &[(&str, &str)]) -> Labels {
    items.iter().copied().collect()
}

/// The kind and the words of a refusal.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Error>) -> (Kind, String) {
    let error = answer.expect_err("refused");
    (error.kind(), error.to_string())
}
