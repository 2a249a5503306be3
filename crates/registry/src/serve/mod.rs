//! Serving: puts the parts of a registry together as they are configured, listens, and takes them apart in order.
//!
//! The listener is there before the store is: a store that does not answer makes requests fail with 503, and no process end.

mod access_log;
mod build;
mod clock;
mod health;
mod house;
mod house_metrics;
mod indexing;
mod kept;
mod measured;
mod metrics;
mod outside;
mod renewed;
mod subject;
mod switch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_listen::{Limits, Socket, SocketError, Tls, TlsError, TlsFiles, Versions};
use jeroboam_model::Clock;
use jeroboam_telemetry::Shutdown;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use uuid::Uuid;

use crate::around::{self, Around, AroundError};
use crate::auth::{Auth, AuthError};
use crate::background;
use crate::config::{Address, Config, HttpConfig, MinimumTls, TlsConfig};
use crate::http::Registry;
use crate::http::failure::chain;
use crate::leases::{GRACE, Leases};
use crate::store::Store;

use house::House;
use kept::Keepers;

pub use build::{PlaceError, gc_config, place, retention_rules, store_config};
pub use measured::{Hears, measured};
pub use metrics::Metrics;

/// How long it takes until those who distribute requests have seen that we are not ready any more.
const NOTICED: Duration = Duration::from_millis(200);

/// How long the beginning waits for what may be collected.
const FIRST_READING: Duration = Duration::from_secs(2);

/// How long the end waits for a store that does not answer.
const FAREWELL: Duration = Duration::from_secs(5);

/// Files that a process has open besides those of requests.
const OWN_FILES: u64 = 128;

/// More connections than this are only taken if somebody asks for it.
const MOST_CONNECTIONS: usize = 4096;

/// What serving needs.
pub struct ServeParts {
    /// What is configured.
    pub config: Config,
    /// The environment, for what credentials of the store are not configured.
    pub environment: BTreeMap<String, String>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Owner of all tasks, and the word that they shall end.
    pub shutdown: Shutdown,
    /// The version of the program, for pages and metrics.
    pub version: &'static str,
}

impl std::fmt::Debug for ServeParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeParts").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nobody can listen there.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// TLS cannot be spoken.
    #[error("http.tls")]
    Tls(#[from] TlsError),
    /// Who is who cannot be told.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The store cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// What lies around the registry cannot be begun.
    #[error(transparent)]
    Around(#[from] AroundError),
    /// Everybody would be let in from everywhere, and nobody said that this is meant.
    #[error(
        "everybody would be let in from everywhere: configure auth, listen on 127.0.0.1, or say jeroboam.insecureopen: true"
    )]
    Open,
}

/// Serves until told to stop.
pub async fn run(parts: ServeParts) -> Result<(), ServeError> {
    let ServeParts { config, environment, clock, shutdown, version } = parts;
    check_files(&config, jeroboam_listen::raise_open_files());
    let socket = listen(&config.http.address).await?;
    may_be_open(&config, socket.is_local())?;
    let tls = config.http.tls.as_ref().map(|tls| Tls::open(files(tls, config.http.http2))).transpose()?;
    let metrics = Metrics::new(version);
    let http = build::http_config(&config);
    let auth = Auth::new(config.auth.clone(), &http, Arc::clone(&clock))?;
    let bare = place(&config, &environment, Arc::clone(&clock)).await?;
    let bare = measured(bare, metrics.of_calls(config.storage.place.name()));
    let (place, node) = around::place(&config, Arc::clone(&bare)).await?;
    let instance = Uuid::new_v4().simple().to_string();
    let leases = leases(&config, &bare, &clock, &instance).await;
    let store = Store::new(Arc::clone(&place), Arc::clone(&clock), Arc::clone(&leases), store_config(&config));
    let store = Arc::new(store);
    let (tasks, token) = (shutdown.tasks(), shutdown.token());
    if let Some(file) = config.ours.read_only_file.clone() {
        let (always, store) = (config.storage.read_only, Arc::clone(&store));
        background::spawn(tasks, &token, "looking for the file that stops writes", move |stop| {
            switch::follow(file.clone(), always, Arc::clone(&store), stop)
        });
    }
    // What requests need while they are answered ends when the last of them has, not when the first one is turned away.
    let needed = CancellationToken::new();
    let no_longer_needed = needed.clone().drop_guard();
    let reading = Arc::clone(&leases);
    background::spawn(tasks, &needed, "keeping up with the collection of garbage", move |stop| {
        let leases = Arc::clone(&reading);
        async move { leases.keep_reading(stop).await }
    });
    let called = config.http.host.clone().unwrap_or_else(|| shown(&socket, tls.is_some()));
    // What is fetched for others is as large as layers are: memory is no place for it.
    let spool = environment.get("TMPDIR").map_or("/var/tmp", String::as_str).into();
    let around = Around::start(&config, &store, &clock, &called, spool, tasks, &needed)?;
    let registry = Registry::new(Arc::clone(&store), auth.clone(), around.events.clone(), http);
    let registry = around.put_around(registry);
    metrics.kept().by(Keepers { store: Arc::clone(&store), around: around.clone(), node });
    let house = House::new(&config, bare, Arc::clone(&store), around, Arc::clone(&clock), metrics.house(), instance);
    house.keep(tasks, &token);
    // Of those on nodes there are many, and the registry behind them does it.
    if config.ours.node_cache.is_none() {
        let (store, indexed) = (Arc::clone(&store), metrics.indexed());
        background::spawn(tasks, &token, "indexing what manifests are about", move |stop| {
            indexing::index(Arc::clone(&store), indexed.clone(), stop)
        });
    }
    let (watched, slack) = (Arc::clone(&place), config.ours.collection.times.slack());
    background::spawn(tasks, &token, "looking at the store's clock", move |stop| {
        let place = Arc::clone(&watched);
        clock::follow(move || place.seconds_ahead(), slack, clock::warn, stop)
    });

    let health = health::Health::new(config.health.clone());
    let (checking, watched) = (health.clone(), Arc::clone(&place));
    background::spawn(tasks, &token, "looking at what health is made of", move |stop| {
        checking.clone().watch(Arc::clone(&watched), stop)
    });
    if let Some(tls) = tls.clone() {
        background::spawn(tasks, &token, "looking for new certificates", move |stop| tls.clone().follow(stop));
    }
    let routes = outside::routes(outside::Parts {
        registry,
        auth,
        health: health.clone(),
        metrics: metrics.clone(),
        config: &config,
    });
    for (address, path) in numbers(&config) {
        let socket = Socket::tcp(&address).await?;
        info!("metrics and health are at {}", shown(&socket, false));
        let routes = outside::debug_routes(health.clone(), metrics.clone(), path.as_deref());
        let limits = Limits { connections: 16, ..limits(&config.http, &config) };
        let (token, tracker) = (token.clone(), tasks.clone());
        tasks.spawn(async move { jeroboam_listen::serve(socket, None, routes, limits, token, &tracker).await });
    }
    info!(fields = ?config.log.fields, "listening on {}", shown(&socket, tls.is_some()));

    // Whoever distributes requests sees first that there is no place for new ones here; then the listener goes.
    let stop = CancellationToken::new();
    let told = {
        let (stop, health, token) = (stop.clone(), health.clone(), token.clone());
        async move {
            token.cancelled().await;
            health.end();
            tokio::time::sleep(NOTICED).await;
            stop.cancel();
        }
    };
    tasks.spawn(told);
    let requests = TaskTracker::new();
    jeroboam_listen::serve(socket, tls, routes, limits(&config.http, &config), stop, &requests).await;
    let drain = config.http.drain;
    requests.close();
    if tokio::time::timeout(drain + NOTICED, requests.wait()).await.is_err() {
        warn!("requests were still running after {} s and are cut off", drain.as_secs());
    }
    drop(no_longer_needed);
    finish(&shutdown, &store, drain).await;
    // Nobody asks us any more: whoever wonders who serves need not wait until our word is old.
    if tokio::time::timeout(FAREWELL, leases.retire()).await.is_err() {
        warn!("the store does not answer: what this process says of itself stays in it");
    }
    Ok(())
}

/// Where nothing is collected, promises need not be written down: distribution does not read them.
async fn leases(config: &Config, place: &SharedBlobs, clock: &Arc<dyn Clock>, instance: &str) -> Arc<Leases> {
    let times = config.ours.collection.times;
    if !config.ours.exclusive {
        let leases = Leases::in_memory(Arc::clone(clock), GRACE);
        // On each node there may be one, and what is read-only takes nothing down.
        let is_quiet = config.storage.read_only || config.ours.node_cache.is_some();
        return Arc::new(match is_quiet {
            true => leases,
            false => leases.telling(Arc::clone(place), times, instance.to_owned()),
        });
    }
    let leases = Leases::stored(Arc::clone(place), Arc::clone(clock), times, instance.to_owned());
    // It is read again with the first promise; a process starts without its store.
    match tokio::time::timeout(FIRST_READING, leases.read()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            warn!(error = chain(&error), "what may be collected could not be read yet, and nothing is promised before");
        }
        Err(_) => warn!("what may be collected could not be read yet, and nothing is promised before"),
    }
    Arc::new(leases)
}

/// What was begun is finished, and what is half received is made durable.
async fn finish(shutdown: &Shutdown, store: &Store, drain: Duration) {
    let farewell = drain.max(FAREWELL);
    if !shutdown.finish(farewell).await {
        warn!("some of what runs beside requests did not end within {} s", farewell.as_secs());
    }
    if tokio::time::timeout(drain, store.drain()).await.is_err() {
        warn!("not all that was received is durable after {} s", drain.as_secs());
    }
}

async fn listen(address: &Address) -> Result<Socket, SocketError> {
    match address {
        Address::Tcp(address) => Socket::tcp(address).await,
        Address::Unix(path) => Socket::unix(path).await,
    }
}

/// A file that is distribution's alone does what distribution did with it; one that knows of us has to say that it is meant.
fn may_be_open(config: &Config, local: bool) -> Result<(), ServeError> {
    if local || !config.auth.is_open() || config.ours.insecure_open {
        return Ok(());
    }
    if config.ours.is_there || config.auth.none {
        return Err(ServeError::Open);
    }
    warn!(
        "everybody is let in from everywhere, as distribution does with this configuration: configure auth, or listen on 127.0.0.1"
    );
    Ok(())
}

fn files(tls: &TlsConfig, http2: bool) -> TlsFiles {
    TlsFiles {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        client_authorities: tls.client_authorities.clone(),
        certificate_optional: tls.certificate_optional,
        only_1_3: tls.minimum == MinimumTls::V1_3,
        suites: tls.suites.clone(),
        http2,
    }
}

fn limits(http: &HttpConfig, config: &Config) -> Limits {
    let limits = &config.ours.limits;
    // Over TLS the client chooses among what was offered; without it, whoever begins with HTTP/2 is one that was told so.
    let both = if http.tls.is_some() { http.http2 } else { http.h2c };
    Limits {
        connections: limits.connections.unwrap_or_else(|| connections(jeroboam_listen::open_files())),
        header: limits.header_timeout,
        // What is too long hears so from us, as long as it is not much too long: the connection counts the first line as well.
        header_bytes: Some(limits.header.saturating_add(limits.uri)),
        idle: limits.idle_timeout,
        stall: limits.idle_timeout,
        streams: limits.streams,
        window: 256 << 10,
        finish: http.drain,
        versions: if both { Versions::Both } else { Versions::Http1 },
    }
}

/// How many connections there are at a time where nothing is set: each may need a file or a connection to the store beside its own, and the process
/// needs some for itself.
fn connections(files: u64) -> usize {
    let half = files.saturating_sub(OWN_FILES) / 2;
    usize::try_from(half).unwrap_or(MOST_CONNECTIONS).clamp(16, MOST_CONNECTIONS)
}

/// Says so where more connections are wanted than files can be open.
fn check_files(config: &Config, files: u64) {
    let wanted = config.ours.limits.connections.unwrap_or_default() as u64;
    if wanted.saturating_add(OWN_FILES) > files {
        warn!(
            "jeroboam.limits.connections is {wanted}, and this process may open no more than {files} files: raise its limit (LimitNOFILE, ulimit -n)"
        );
    }
}

/// Addresses for numbers, and the path of metrics there.
fn numbers(config: &Config) -> Vec<(String, Option<String>)> {
    let debug = config.http.debug.as_ref().map(|debug| (debug.address.clone(), debug.metrics.clone()));
    let ours = config.ours.metrics.as_ref().map(|address| (address.clone(), Some("/metrics".to_owned())));
    debug.into_iter().chain(ours).collect()
}

fn shown(socket: &Socket, tls: bool) -> String {
    match socket.address() {
        Some(address) => format!("{}://{address}", if tls { "https" } else { "http" }),
        None => "a unix socket".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_connections_as_files_allow() {
        for (files, expected) in [(0, 16), (1024, 448), (2304, 1088), (4096, 1984), (65_536, 4096), (u64::MAX, 4096)] {
            assert_eq!(connections(files), expected, "{files}");
        }
    }
}
