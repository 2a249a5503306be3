//! Requests per second, how long they take and what they cost, beside the bare routes, all in turns.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use jeroboam_store::testing::Engine;
use jeroboam_store::{Creation, Store, samples};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::args::RunArgs;
use crate::bed::{self, Bed, Tenant};
use crate::figures::{Spread, median};
use crate::floor;
use crate::load::{Bounds, Make, Shot, Tally};
use crate::process::{Memory, Process};
use crate::say;

/// How many clusters the listed project has.
pub(crate) const ROWS: usize = 1000;
/// How the names of templates begin that are posted.
pub(crate) const POSTED: &str = "t-";
/// As many of them as a tenant would never send in a row, and few enough for the table to stay small.
pub(crate) const POSTS: u64 = 300;
/// As the service's own pool by default.
const CONNECTIONS: &str = "55";

/// One kind of request at one number of connections.
#[derive(Debug, Serialize)]
pub(crate) struct RequestFigures {
    pub(crate) engine: &'static str,
    pub(crate) what: &'static str,
    pub(crate) connections: usize,
    /// Requests per second, the median of the rounds.
    pub(crate) rate: f64,
    pub(crate) latency: Spread,
    /// CPU time of the answering process, in all its threads, for one request.
    pub(crate) cpu_us: f64,
    /// The rate as a share of the bare SELECT's, the median of the rounds.
    pub(crate) of_select: f64,
    /// The CPU time as a multiple of the bare SELECT's.
    pub(crate) cpu_of_select: f64,
    /// Memory of the answering process after all of its rounds.
    pub(crate) memory: Memory,
}

/// Who answers a kind of request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Floor,
    Service,
}

/// A kind of request, and what was measured of it.
struct Case {
    what: &'static str,
    by: By,
    shot: Shot,
    most: u64,
    tally: Tally,
}

/// The bare SELECT among the cases.
const SELECT: usize = 1;

/// `jeroboam api` alone: with rows of clusters that nobody makes, a reconciler would be busy with them.
pub(crate) async fn measure(args: &RunArgs, engine: Engine) -> Result<Vec<RequestFigures>> {
    say(&format!("requests on {}", engine.name()));
    let bed = Bed::new(&args.how.binary, engine).await?;
    let tenant = bed.tenant().await?;
    let store = bed.store().await;
    let row = fill(&store, &tenant).await?;
    store.close().await;
    let service = bed.service("api", "service").await?;
    let (floor, floor_address) = start_floor(bed.dir.path(), &bed.database.url, &row).await?;
    let mut cases = cases(bed.address(), floor_address, &tenant, &row.id)?;
    cases.retain(|case| case.by == By::Floor || case.what.contains(&args.how.only));
    let (rounds, time) = if args.how.quick { (2, 300) } else { (7, 700) };

    let mut figures = Vec::new();
    for &connections in &args.how.connections {
        for round in 0..=rounds {
            for case in &mut cases {
                // The first round warms up.
                if round == 1 {
                    case.tally = Tally::default();
                }
                let process = if case.by == By::Floor { &floor } else { &service };
                let bounds = Bounds { time: Duration::from_millis(time), requests: case.most };
                case.tally.volley(&case.shot, process, connections, bounds).await.context(case.what)?;
            }
        }
        let (select_rates, select_cpu) = (cases[SELECT].tally.rates.clone(), cases[SELECT].tally.cpu_us());
        for case in &mut cases {
            let memory = if case.by == By::Floor { floor.memory()? } else { service.memory()? };
            let tally = std::mem::take(&mut case.tally);
            let shares = tally.rates.iter().zip(&select_rates).map(|(rate, select)| rate / select).collect();
            figures.push(RequestFigures {
                engine: engine.name(),
                what: case.what,
                connections,
                cpu_us: tally.cpu_us(),
                of_select: median(shares),
                cpu_of_select: tally.cpu_us() / select_cpu,
                rate: median(tally.rates),
                latency: Spread::of(tally.latencies),
                memory,
            });
        }
    }
    service.stop().await;
    Ok(figures)
}

/// The row that single reads are of.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) serial: i64,
}

/// Puts the clusters of one project straight into the database.
pub(crate) async fn fill(store: &Store, tenant: &Tenant) -> Result<Row> {
    let template = samples::template(&tenant.project, "bench");
    let template = store.create_template(&template).await.context("make a template")?;
    let mut last = None;
    for number in 0..ROWS {
        let mut new = samples::new_cluster(&template, &tenant.project, &format!("bench-{number}"));
        new.cluster.user = tenant.user.as_str().into();
        match store.create_cluster(new, u32::MAX).await.context("make a cluster")? {
            Creation::Created(all) if number == ROWS / 2 => last = Some(all),
            _ => {}
        }
    }
    let cluster = last.context("make a cluster")?.cluster;
    Ok(Row { id: cluster.id.to_string(), serial: cluster.serial })
}

/// Starts the bare routes on a database, in a folder for its files.
pub(crate) async fn start_floor(dir: &Path, database: &SecretString, row: &Row) -> Result<(Process, SocketAddr)> {
    let (ports, file) = (dir.join("floor.port"), dir.join("floor.database"));
    std::fs::write(&file, database.expose_secret()).context("write the address of the database")?;
    let program = std::env::current_exe().context("find this program")?;
    let (row, port_file, file) = (row.serial.to_string(), ports.display().to_string(), file.display().to_string());
    let args = ["floor", "--port-file", &port_file, "--database-file", &file, "--connections", CONNECTIONS];
    let mut process = Process::start(&program, &[&args[..], &["--row", &row]].concat(), dir, "floor")?;
    let port = || std::fs::read_to_string(&ports).ok().and_then(|text| text.parse::<u16>().ok());
    process.until("the bare routes", Duration::from_millis(20), || std::future::ready(port().is_some())).await?;
    Ok((process, SocketAddr::from(([127, 0, 0, 1], port().context("find the bare routes")?))))
}

fn cases(service: SocketAddr, floor: SocketAddr, tenant: &Tenant, id: &str) -> Result<Vec<Case>> {
    let case = |what, by, make, expected, most| Case {
        what,
        by,
        shot: Shot { address: if by == By::Floor { floor } else { service }, make, expected, length: None },
        most,
        tally: Tally::default(),
    };
    let reads = |what, path: &str| {
        Ok::<_, anyhow::Error>(case(what, By::Service, get(path, Some(&tenant.token))?, StatusCode::OK, u64::MAX))
    };
    Ok(vec![
        case("bare: nothing", By::Floor, get(floor::NOTHING, None)?, StatusCode::OK, u64::MAX),
        case("bare: one SELECT", By::Floor, get(floor::SELECT, None)?, StatusCode::OK, u64::MAX),
        case("bare: one whole row", By::Floor, get(floor::ROW, None)?, StatusCode::OK, u64::MAX),
        case("GET /", By::Service, get("/", None)?, StatusCode::OK, u64::MAX),
        reads("GET one cluster", &format!("/v1/clusters/{id}"))?,
        reads("list 10", "/v1/clusters?limit=10")?,
        reads("list 100", "/v1/clusters?limit=100")?,
        reads("list 1000", "/v1/clusters?limit=1000")?,
        case("POST template", By::Service, post_template(tenant), StatusCode::CREATED, POSTS),
    ])
}

/// A GET, with a token or without.
pub(crate) fn get(path: &str, token: Option<&str>) -> Result<Make> {
    let mut request = Request::get(path).header("host", "127.0.0.1");
    if let Some(token) = token {
        request = request.header("x-auth-token", token);
        request = request.header("openstack-api-version", "container-infra latest");
    }
    let (parts, ()) = request.body(()).context("make a request")?.into_parts();
    Ok(Arc::new(move |_| Request::from_parts(parts.clone(), Full::new(Bytes::new()))))
}

/// Templates, each with a name of its own.
pub(crate) fn post_template(tenant: &Tenant) -> Make {
    let token = tenant.token.clone();
    Arc::new(move |number| {
        let body = bed::template(&format!("{POSTED}{number}")).to_string();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/v1/clustertemplates");
        let headers = request.headers_mut();
        let value = |text: &str| http::HeaderValue::from_str(text).unwrap_or(http::HeaderValue::from_static(""));
        headers.insert("host", value("127.0.0.1"));
        headers.insert("x-auth-token", value(&token));
        headers.insert("content-type", value("application/json"));
        headers.insert("openstack-api-version", value("container-infra latest"));
        request
    })
}
