//! Living clusters in the pretend cloud: how soon an accepted one has its objects, how soon a change is seen, and memory.
//!
//! One cluster is made through the API. Others are rows copied from it with names and ids of their own and its certificates and
//! credential: making keys for a thousand would take longer than everything else. From then on they are like any other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jeroboam_capi::namespace;
use jeroboam_model::{
    CertificateRef, Clock, ClusterId, ClusterWithGroups, KeyPairId, NodeGroupId, Page, Scope, Status, SystemClock,
    secrets,
};
use jeroboam_store::testing::Engine;
use jeroboam_store::{Creation, Ident, KeyPair, NewCluster, Store};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use crate::args::RunArgs;
use crate::bed::{self, Bed, Tenant};
use crate::figures::Spread;
use crate::kube::{Kube, Objects};
use crate::process::Memory;
use crate::say;

/// Namespaces of projects begin with this.
const PREFIX: &str = "magnum";
/// How often it is asked whether something can be seen.
const POLL: Duration = Duration::from_millis(5);
/// How long a change may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many changes are on their way at once.
const PROBES: usize = 4;

/// Figures of one engine.
#[derive(Debug, Serialize)]
pub(crate) struct LifeFigures {
    pub(crate) engine: &'static str,
    /// `api` and `reconcile` in one process, before the first request.
    pub(crate) idle: Memory,
    pub(crate) sizes: Vec<SizeFigures>,
}

/// Figures at a number of living clusters.
#[derive(Debug, Serialize)]
pub(crate) struct SizeFigures {
    pub(crate) clusters: usize,
    /// From the 202 of `POST /v1/clusters` until the Cluster object is there, which is applied last.
    pub(crate) applied: Spread,
    /// From sending a change of a Machine's condition until `GET /v1/clusters/{id}` has another `health_status`.
    pub(crate) seen: Spread,
    /// The part of that until the management cluster has answered.
    pub(crate) written: Spread,
    /// CPU of the service in a second while nothing changes, as a share of one core.
    pub(crate) quiet_cpu: f64,
    pub(crate) memory: Memory,
    /// Seconds from the first row to the last `CREATE_COMPLETE`, for the rows that were added for this number.
    pub(crate) growing_s: f64,
}

struct Life<'a> {
    bed: &'a Bed,
    store: Store,
    tenant: Tenant,
    kube: Kube,
    quick: bool,
}

/// `jeroboam all` with growing numbers of clusters.
pub(crate) async fn measure(args: &RunArgs, engine: Engine) -> Result<LifeFigures> {
    say(&format!("clusters on {}", engine.name()));
    let bed = Bed::new(&args.how.binary, engine).await?;
    let store = bed.store().await;
    let service = bed.service("all", "service").await?;
    let pause = Duration::from_secs(if args.how.quick { 2 } else { 10 });
    tokio::time::sleep(pause).await;
    let idle = service.memory()?;

    let life = Life { tenant: bed.tenant().await?, kube: bed.kube()?, bed: &bed, store, quick: args.how.quick };
    let template =
        life.tenant.ask(Method::POST, "/clustertemplates", Some(&bed::template("bench")), StatusCode::CREATED).await?;
    let template = template["uuid"].as_str().context("the template has no uuid")?.to_owned();
    let first = life.create(&template, "first").await?.0;
    life.until_complete(1).await?;
    let mut sizes = Vec::new();
    let all = args.sizes();
    for clusters in all.iter().copied() {
        let began = Instant::now();
        life.grow(first, clusters).await?;
        let growing_s = began.elapsed().as_secs_f64();
        tokio::time::sleep(pause).await;
        let before = service.cpu()?;
        tokio::time::sleep(pause).await;
        let quiet_cpu = service.cpu()?.saturating_sub(before).as_secs_f64() / pause.as_secs_f64();
        let memory = service.memory()?;
        let (seen, written) = life.changes().await?;
        let (applied, made) = life.creations(&template).await?;
        // After the last figures all of it ends anyway.
        if Some(&clusters) != all.last() {
            life.delete(&made).await?;
        }
        let size = SizeFigures { clusters, applied, seen, written, quiet_cpu, memory, growing_s };
        say(&format!("{clusters} clusters: {}", serde_json::to_string(&size).context("write figures")?));
        sizes.push(size);
    }
    service.stop().await;
    Ok(LifeFigures { engine: engine.name(), idle, sizes })
}

impl Life<'_> {
    /// Makes a cluster through the API; its id, and how long after the answer its objects were there.
    async fn create(&self, template: &str, name: &str) -> Result<(ClusterId, Duration)> {
        let body = json!({"name": name, "cluster_template_id": template, "master_count": 1, "node_count": 1, "keypair": "demo"});
        let made = self.tenant.ask(Method::POST, "/clusters", Some(&body), StatusCode::ACCEPTED).await?;
        let began = Instant::now();
        let id: ClusterId = made["uuid"].as_str().context("no uuid")?.parse().context("no uuid")?;
        let cluster = self.store.cluster(&Ident::Id(id.uuid()), &Scope::All).await?.context("the cluster is gone")?;
        let objects = self.objects(&cluster)?;
        while !self.kube.has(&objects).await? {
            if began.elapsed() > PATIENCE {
                bail!("{name} has no objects after {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok((id, began.elapsed()))
    }

    /// Makes some clusters one after the other.
    async fn creations(&self, template: &str) -> Result<(Spread, Vec<ClusterId>)> {
        let mut times = Vec::new();
        let mut made = Vec::new();
        for number in 0..if self.quick { 3 } else { 30 } {
            let (id, time) = self.create(template, &format!("extra-{number}")).await?;
            times.push(time);
            made.push(id);
        }
        Ok((Spread::of(times), made))
    }

    /// Takes clusters away, and waits until they are gone.
    async fn delete(&self, made: &[ClusterId]) -> Result<()> {
        for id in made {
            self.tenant.ask(Method::DELETE, &format!("/clusters/{id}"), None, StatusCode::NO_CONTENT).await?;
        }
        self.until("the extra clusters are gone", |all| !all.iter().any(|one| made.contains(&one.cluster.id))).await
    }

    /// Adds copies of a cluster until there are so many, and waits until all are made.
    async fn grow(&self, pattern: ClusterId, wanted: usize) -> Result<()> {
        let pattern = self.store.cluster(&Ident::Id(pattern.uuid()), &Scope::All).await?.context("no pattern")?;
        let have = self.all().await?.len();
        for number in have..wanted {
            let new = self.copy(&pattern, number).await?;
            if !matches!(self.store.create_cluster(new, u32::MAX).await?, Creation::Created(_)) {
                bail!("a copy of a cluster was refused");
            }
        }
        self.until_complete(wanted).await
    }

    /// A new cluster like the pattern, with the pattern's certificates and credential.
    async fn copy(&self, pattern: &ClusterWithGroups, number: usize) -> Result<NewCluster> {
        let mut cluster = pattern.cluster.clone();
        let now = SystemClock.now();
        cluster.id = ClusterId::random();
        cluster.name = Some(format!("bench-{number}"));
        cluster.stack_id = Some(format!("bench-{number}"));
        cluster.status = Status::CREATE_IN_PROGRESS;
        (cluster.status_reason, cluster.health_status, cluster.api_address, cluster.coe_version) =
            (None, None, None, None);
        cluster.health_status_reason.clear();
        (cluster.created_at, cluster.updated_at) = (now, None);
        let mut key_pairs = Vec::new();
        let refs = &mut cluster.certificates;
        for reference in [&mut refs.ca, &mut refs.client, &mut refs.etcd_ca, &mut refs.front_proxy_ca] {
            let id = reference.as_ref().and_then(CertificateRef::key_pair);
            let id = id.context("the pattern lacks a certificate")?;
            let pair = self.store.keypair(id).await?.context("the pattern lacks a certificate")?;
            let pair = KeyPair { id: KeyPairId::random(), ..pair };
            *reference = Some(pair.id.into());
            key_pairs.push(pair);
        }
        let mut kept = Vec::new();
        let names =
            [secrets::SERVICE_ACCOUNT_KEY, secrets::APPLICATION_CREDENTIAL_ID, secrets::APPLICATION_CREDENTIAL_SECRET];
        for name in names {
            let secret = self.store.secret(pattern.cluster.id, name).await?.context("the pattern lacks a secret")?;
            kept.push((name.to_owned(), secret));
        }
        let mut groups = pattern.groups.clone();
        for group in &mut groups {
            group.id = NodeGroupId::random();
            group.cluster = cluster.id;
            group.stack_id.clone_from(&cluster.stack_id);
            group.status = Status::CREATE_IN_PROGRESS;
            group.status_reason = None;
            group.node_addresses.clear();
        }
        let deadline = Some(now + Duration::from_secs(3600));
        Ok(NewCluster { cluster, groups, key_pairs, secrets: kept, deadline, credential: None })
    }

    /// Changes machines of paused clusters, so that nobody changes them back, and waits until the API tells.
    async fn changes(&self) -> Result<(Spread, Spread)> {
        let all = self.all().await?;
        let (most, each) = if self.quick { (2, 3) } else { (PROBES * 6, 10) };
        // Spread over all that there are.
        let step = all.len().div_ceil(most).max(1);
        let chosen: Vec<_> = all.iter().step_by(step).collect();
        let mut probes: Vec<Vec<Probe>> = (0..PROBES.min(chosen.len())).map(|_| Vec::new()).collect();
        for (number, view) in chosen.iter().enumerate() {
            let objects = self.objects(view)?;
            self.kube.pause(&objects).await?;
            let lane = number % probes.len();
            probes[lane].push(Probe {
                kube: self.kube.clone(),
                tenant: self.tenant.clone(),
                objects,
                id: view.cluster.id.to_string(),
                times: each,
            });
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut lanes = JoinSet::new();
        for lane in probes {
            lanes.spawn(async move {
                let mut times = Vec::new();
                for probe in &lane {
                    times.extend(probe.run().await.with_context(|| format!("change {}", probe.objects.name))?);
                }
                anyhow::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(lane) = lanes.join_next().await {
            times.extend(lane.context("a probe broke")??);
        }
        for view in chosen {
            self.kube.resume(&self.objects(view)?).await?;
        }
        let (seen, written) = times.into_iter().unzip();
        Ok((Spread::of(seen), Spread::of(written)))
    }

    fn objects(&self, view: &ClusterWithGroups) -> Result<Objects> {
        let name = view.cluster.stack_id.clone().context("the cluster has no stack id")?;
        Ok(Objects { namespace: namespace(PREFIX, &view.cluster.project), name })
    }

    async fn all(&self) -> Result<Vec<ClusterWithGroups>> {
        Ok(self.store.clusters(&Scope::All, &Page::first(100_000)).await?)
    }

    async fn until_complete(&self, wanted: usize) -> Result<()> {
        let what = format!("{wanted} clusters are complete");
        let done = |all: &[ClusterWithGroups]| {
            all.iter().filter(|one| one.cluster.status == Status::CREATE_COMPLETE).count() == wanted
        };
        self.until(&what, done).await
    }

    /// Waits until the rows are as wanted; says now and then how far it is.
    async fn until(&self, what: &str, done: impl Fn(&[ClusterWithGroups]) -> bool) -> Result<()> {
        let mut told = Instant::now();
        let mut moved = (Instant::now(), 0);
        loop {
            let all = self.all().await?;
            if done(&all) {
                return Ok(());
            }
            let complete = all.iter().filter(|one| one.cluster.status == Status::CREATE_COMPLETE).count();
            if let Some(failed) = all.iter().find(|one| one.cluster.status == Status::CREATE_FAILED) {
                bail!("{} failed: {:?}", failed.cluster.title(), failed.cluster.status_reason);
            }
            if (complete + all.len()) != moved.1 {
                moved = (Instant::now(), complete + all.len());
            }
            if moved.0.elapsed() > Duration::from_secs(300) {
                bail!(
                    "nothing moved for 300 s, {complete} of {} clusters are complete; {}",
                    all.len(),
                    self.bed.dir.path().display()
                );
            }
            if told.elapsed() > Duration::from_secs(10) {
                say(&format!("waiting until {what}: {complete} of {}", all.len()));
                told = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// One cluster whose machine is changed again and again.
struct Probe {
    kube: Kube,
    tenant: Tenant,
    objects: Objects,
    id: String,
    times: usize,
}

impl Probe {
    /// For each change: until it was seen, and the part of it until it was written.
    async fn run(&self) -> Result<Vec<(Duration, Duration)>> {
        let machine = self.kube.machine(&self.objects).await?;
        let mut times = Vec::new();
        for _ in 0..self.times {
            for (healthy, expected) in [(false, "UNHEALTHY"), (true, "HEALTHY")] {
                let began = Instant::now();
                self.kube.say_healthy(&machine, healthy).await?;
                let written = began.elapsed();
                while self.tenant.cluster(&self.id).await?["health_status"] != expected {
                    if began.elapsed() > PATIENCE {
                        bail!("it was not {expected} after {} s", PATIENCE.as_secs());
                    }
                    tokio::time::sleep(POLL).await;
                }
                times.push((began.elapsed(), written));
            }
        }
        Ok(times)
    }
}
