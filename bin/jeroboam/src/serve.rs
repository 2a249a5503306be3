//! `jeroboam api`, `reconcile` and `all`: puts the parts together, runs them, and takes them apart in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jeroboam_api::{ApiConfig, App, AppParts, CorsConfig, HttpMetrics};
use jeroboam_cli::ServerArgs;
use jeroboam_management::Management;
use jeroboam_model::{Clock, SystemClock};
use jeroboam_notify::Notifier;
use jeroboam_openstack::{Session, TokenValidator};
use jeroboam_oslo::{Config, Enforcer, PolicySettings};
use jeroboam_reconcile::{ReconcileParts, Reconciler};
use jeroboam_service::{Service, ServiceConfig, ServiceParts};
use jeroboam_store::Store;
use jeroboam_telemetry::metrics::register_kept;
use jeroboam_telemetry::{Metrics, Shutdown};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::presence::{self, Presence};
use crate::{faults, listen, metrics, policy, settings};

/// Which parts this process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Answers requests.
    Api,
    /// Makes clusters what they are wanted to be.
    Reconcile,
    /// Both.
    All,
}

impl Role {
    fn answers(self) -> bool {
        self != Self::Reconcile
    }

    fn reconciles(self) -> bool {
        self != Self::Api
    }

    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Reconcile => "reconcile",
            Self::All => "all",
        }
    }
}

/// Runs until told to stop.
pub(crate) async fn run(role: Role, args: &ServerArgs, config: &Config, shutdown: &Shutdown) -> Result<()> {
    let hook = args.crash_at_write.map(faults::hook);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut store = Store::connect(&settings::store(config)?).await.context("open the database")?;
    if let Some(hook) = &hook {
        store = store.with_faults(Arc::clone(hook));
    }
    if args.upgrade_database {
        upgrade_when_there(&store, shutdown).await?;
    }
    presence::may_serve(&store).await?;
    let owner = owner(config);
    let presence = Presence { store: store.clone(), clock: Arc::clone(&clock), name: owner.clone(), role: role.name() };
    shutdown.tasks().spawn(presence.keep(shutdown.clone()));
    let session = Session::new(settings::service_session(config)?, Arc::clone(&clock)).context("[keystone_auth]")?;
    let notifier =
        Notifier::start(settings::notifications(config)?, Arc::clone(&clock), shutdown.tasks(), shutdown.token())?;
    let (metrics, http_metrics) = Metrics::with(|registry| {
        let (told, help) = (notifier.clone(), "Notifications that RabbitMQ did not get");
        register_kept(registry, "notifications_dropped", help, move || told.dropped());
        HttpMetrics::register(registry)
    });

    if role.reconciles() {
        let mut management =
            Management::new(settings::management(config)).await.context("[jeroboam_management] kubeconfig")?;
        if let Some(hook) = &hook {
            management = management.with_faults(Arc::clone(hook));
        }
        management.start(shutdown.tasks(), shutdown.token());
        let reconciler = Reconciler::new(ReconcileParts {
            store: store.clone(),
            management,
            session: session.clone(),
            settings: settings::reconcile(config)?,
            clock: Arc::clone(&clock),
            owner,
            seed: seed(clock.as_ref()),
            hook: None,
            notifier: notifier.clone(),
        });
        let token = shutdown.token();
        shutdown.tasks().spawn(async move { reconciler.run(token).await });
    }
    metrics::start(config, &metrics, shutdown).await?;
    let served = if role.answers() {
        let policy = Enforcer::new(PolicySettings::from_config(config)).context("read the policy")?;
        policy::warn_of(&policy);
        let policy = Arc::new(policy);
        shutdown.tasks().spawn(policy::follow(Arc::clone(&policy), shutdown.token()));
        let app = application(config, store.clone(), session, policy, Arc::clone(&clock), http_metrics, notifier)?;
        serve_api(config, app, shutdown).await
    } else {
        shutdown.begun().await;
        Ok(())
    };
    let patience = config.int("jeroboam", "shutdown_timeout").and_then(|value| u64::try_from(value).ok()).unwrap_or(10);
    if !shutdown.finish(Duration::from_secs(patience)).await {
        warn!("work was still running after {patience} s and is left to the next process");
    }
    store.close().await;
    served
}

/// Makes or completes the tables, waiting for a database that is not there yet.
async fn upgrade_when_there(store: &Store, shutdown: &Shutdown) -> Result<()> {
    let mut pause = Duration::from_millis(250);
    loop {
        match store.upgrade().await {
            Ok(done) => {
                info!("the database is ready: {done}");
                return Ok(());
            }
            Err(error) if error.kind() == jeroboam_store::StoreErrorKind::Unavailable => {
                warn!(error = %error, "the database does not answer, trying again in {} ms", pause.as_millis());
            }
            Err(error) => return Err(error).context("prepare the database"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
            () = shutdown.begun() => return Ok(()),
        }
    }
}

fn application(
    config: &Config,
    store: Store,
    session: Session,
    policy: Arc<Enforcer>,
    clock: Arc<dyn Clock>,
    http_metrics: HttpMetrics,
    notifier: Notifier,
) -> Result<App> {
    let tokens = Session::new(settings::token_session(config)?, Arc::clone(&clock)).context("[keystone_authtoken]")?;
    let auth = TokenValidator::new(tokens, settings::validator(config), Arc::clone(&clock));
    let service = Service::new(ServiceParts {
        store,
        session: session.with_known_tokens(&auth),
        policy,
        settings: ServiceConfig::from_oslo(config),
        clock,
        notifier,
    });
    Ok(App::new(AppParts { service, auth, config: api_config(config)?, http_metrics }))
}

pub(crate) fn api_config(config: &Config) -> Result<ApiConfig> {
    let uri = config.string("keystone_authtoken", "www_authenticate_uri");
    let uri = uri.or_else(|| config.string("keystone_authtoken", "auth_url")).unwrap_or_default();
    let default = ApiConfig::new(uri);
    let natural = |group: &str, name: &str| config.int(group, name).and_then(|value| u64::try_from(value).ok());
    let mut versions = default.versions;
    if let Some(max) = config.string("jeroboam", "max_microversion") {
        versions.max =
            max.parse().ok().with_context(|| format!("[jeroboam] max_microversion {max:?} is no version"))?;
    }
    let tls = config.bool("api", "enabled_ssl").unwrap_or(false);
    Ok(ApiConfig {
        versions,
        max_limit: natural("api", "max_limit").unwrap_or(default.max_limit),
        max_body_bytes: natural("jeroboam", "max_body_size")
            .and_then(|value| usize::try_from(value).ok())
            .unwrap_or(default.max_body_bytes),
        request_timeout: natural("jeroboam", "request_timeout").map_or(default.request_timeout, Duration::from_secs),
        body_timeout: natural("jeroboam", "body_timeout").map_or(default.body_timeout, Duration::from_secs),
        proxy_headers: config.bool("oslo_middleware", "enable_proxy_headers_parsing").unwrap_or(false),
        scheme: if tls { "https" } else { "http" }.to_owned(),
        host: listen::address(config)?,
        prefix: config.string("jeroboam", "path_prefix").unwrap_or_default().trim_end_matches('/').to_owned(),
        version_service: config.string("jeroboam", "version_service").unwrap_or(default.version_service),
        healthcheck_disabled_by: config.string("healthcheck", "disable_by_file_path").map(PathBuf::from),
        cors: cors(config),
        ..default
    })
}

fn cors(config: &Config) -> CorsConfig {
    let default = CorsConfig::default();
    let max_age = config.int("cors", "max_age").and_then(|seconds| u64::try_from(seconds).ok());
    CorsConfig {
        origins: config.list("cors", "allowed_origin"),
        credentials: config.bool("cors", "allow_credentials").unwrap_or(default.credentials),
        methods: config.list("cors", "allow_methods"),
        headers: config.list("cors", "allow_headers"),
        exposed: config.list("cors", "expose_headers"),
        max_age: max_age.unwrap_or(default.max_age),
    }
}

async fn serve_api(config: &Config, app: App, shutdown: &Shutdown) -> Result<()> {
    let address = listen::address(config)?;
    let listener = TcpListener::bind(&address).await.with_context(|| format!("listen on {address}"))?;
    info!("listening on {address}");
    let (tls, routes) = (listen::tls(config)?, jeroboam_api::router(app));
    listen::serve(listener, tls, routes, listen::limits(config), shutdown).await;
    Ok(())
}

/// A name that no other process of this database has.
fn owner(config: &Config) -> String {
    format!("{}:{}:{}", settings::hostname(config), std::process::id(), jeroboam_model::ClusterId::random())
}

/// Different for each start; only jitter comes from it.
fn seed(clock: &dyn Clock) -> u64 {
    let nanoseconds = clock.now().as_nanosecond();
    u64::from(std::process::id()) ^ u64::try_from(nanoseconds.rem_euclid(i128::from(u64::MAX))).unwrap_or_default()
}
