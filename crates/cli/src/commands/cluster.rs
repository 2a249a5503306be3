//! `jeroboam cluster …`

use serde_json::{Value, json};

use super::{Body, choice, count, nodes, text, title};
use crate::args::{
    ClusterCommand, ClusterCreateArgs, ClusterDeleteArgs, ClusterResizeArgs, ClusterUpgradeArgs, OutputArgs, WaitArgs,
};
use crate::client::Api;
use crate::wait::{Until, follow};
use crate::{Failure, Surroundings, output};

const COLUMNS: [&str; 6] = ["uuid", "name", "node_count", "master_count", "status", "health_status"];

const FIRST: [&str; 9] = [
    "uuid",
    "name",
    "status",
    "status_reason",
    "health_status",
    "api_address",
    "coe_version",
    "master_count",
    "node_count",
];

pub(super) async fn run(api: &Api, command: ClusterCommand, surroundings: &mut Surroundings) -> Result<(), Failure> {
    match command {
        ClusterCommand::List(args) => {
            let clusters = api.list(&["clusters"], &args, &[]).await?;
            surroundings.print(&output::list(&clusters, &COLUMNS, &args.output, surroundings.screen)?)
        }
        ClusterCommand::Show { cluster, output } => show(api, &cluster, &output, surroundings).await,
        ClusterCommand::Create(args) => create(api, &args, surroundings).await,
        ClusterCommand::Update(args) => {
            let patch = json!([{"op": "replace", "path": "/node_count", "value": args.node_count}]);
            let answer = api.patch(&["clusters", &args.cluster], patch).await?;
            settle(api, &answer, &args.wait, &args.output, surroundings).await
        }
        ClusterCommand::Resize(args) => resize(api, &args, surroundings).await,
        ClusterCommand::Upgrade(args) => upgrade(api, &args, surroundings).await,
        ClusterCommand::Delete(args) => delete(api, &args, surroundings).await,
        ClusterCommand::Nodes { cluster, output } => nodes::run(api, &cluster, &output, surroundings).await,
        ClusterCommand::Wait { cluster, timeout } => {
            let found: Value = api.get(&["clusters", &cluster]).await?;
            let until = match found["status"].as_str() {
                Some("DELETE_IN_PROGRESS") => Until::Gone,
                _ => Until::Settled,
            };
            follow(api, surroundings, (text(&found, "uuid")?, &title(&found)), until, timeout).await
        }
    }
}

async fn create(api: &Api, args: &ClusterCreateArgs, surroundings: &mut Surroundings) -> Result<(), Failure> {
    let mut body = Body::default();
    body.maybe("name", args.name.as_deref());
    body.set("cluster_template_id", args.template.as_str());
    body.set("node_count", args.node_count);
    body.set("master_count", args.master_count);
    body.maybe("keypair", args.keypair.as_deref());
    body.maybe("flavor_id", args.flavor.as_deref());
    body.maybe("master_flavor_id", args.master_flavor.as_deref());
    body.maybe("fixed_network", args.fixed_network.as_deref());
    body.maybe("fixed_subnet", args.fixed_subnet.as_deref());
    body.maybe("docker_volume_size", args.docker_volume_size);
    body.maybe("create_timeout", args.create_timeout);
    body.pairs("labels", &args.labels);
    body.maybe("merge_labels", args.merge_labels.then_some(true));
    body.maybe("floating_ip_enabled", choice(args.floating_ip, args.no_floating_ip));
    body.maybe("master_lb_enabled", choice(args.master_lb, args.no_master_lb));
    let answer = api.post(&["clusters"], body.finish()).await?;
    settle(api, &answer, &args.wait, &args.output, surroundings).await
}

async fn resize(api: &Api, args: &ClusterResizeArgs, surroundings: &mut Surroundings) -> Result<(), Failure> {
    let mut body = Body::default();
    body.set("node_count", args.node_count);
    body.set("nodes_to_remove", args.nodes_to_remove.clone());
    body.maybe("nodegroup", args.nodegroup.as_deref());
    let answer = api.post(&["clusters", &args.cluster, "actions", "resize"], body.finish()).await?;
    settle(api, &answer, &args.wait, &args.output, surroundings).await
}

async fn upgrade(api: &Api, args: &ClusterUpgradeArgs, surroundings: &mut Surroundings) -> Result<(), Failure> {
    let mut body = Body::default();
    body.set("cluster_template", args.template.as_str());
    body.set("max_batch_size", args.max_batch_size);
    body.maybe("nodegroup", args.nodegroup.as_deref());
    let answer = api.post(&["clusters", &args.cluster, "actions", "upgrade"], body.finish()).await?;
    settle(api, &answer, &args.wait, &args.output, surroundings).await
}

/// Waits if that was asked for, then shows the cluster as it is.
pub(super) async fn settle(
    api: &Api,
    accepted: &Value,
    wait: &WaitArgs,
    output: &OutputArgs,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let id = text(accepted, "uuid")?;
    if wait.wait {
        let cluster: Value = api.get(&["clusters", id]).await?;
        follow(api, surroundings, (id, &title(&cluster)), Until::Settled, wait.timeout).await?;
    }
    show(api, id, output, surroundings).await
}

async fn show(api: &Api, cluster: &str, output: &OutputArgs, surroundings: &mut Surroundings) -> Result<(), Failure> {
    let cluster: Value = api.get(&["clusters", cluster]).await?;
    surroundings.print(&output::one(&cluster, &FIRST, output, surroundings.screen)?)
}

/// All names are looked up before anything is asked or deleted, so that a slip of the pen deletes nothing.
async fn delete(api: &Api, args: &ClusterDeleteArgs, surroundings: &mut Surroundings) -> Result<(), Failure> {
    let mut clusters: Vec<Value> = Vec::new();
    for name in &args.clusters {
        let cluster: Value = api.get(&["clusters", name]).await?;
        if !clusters.iter().any(|known| known["uuid"] == cluster["uuid"]) {
            clusters.push(cluster);
        }
    }
    if args.confirm.dry_run {
        for cluster in &clusters {
            surroundings.print(&format!("would delete {}\n", described(cluster)))?;
        }
        return Ok(());
    }
    if !args.confirm.yes {
        let all: Vec<_> = clusters.iter().map(described).collect();
        surroundings.confirm(&format!("delete {}?", all.join(" and ")))?;
    }
    let mut failed = Vec::new();
    for cluster in &clusters {
        if let Err(failure) = delete_one(api, cluster, args, surroundings).await {
            failed.push((title(cluster), failure));
        }
    }
    match failed.pop() {
        None => Ok(()),
        Some((_, failure)) if clusters.len() == 1 => Err(failure),
        Some(last) => {
            failed.push(last);
            let lines: Vec<_> = failed.iter().map(|(name, failure)| format!("{name}: {}", failure.message)).collect();
            Err(Failure::new(format!("{} of {} were not deleted\n{}", failed.len(), clusters.len(), lines.join("\n"))))
        }
    }
}

async fn delete_one(
    api: &Api,
    cluster: &Value,
    args: &ClusterDeleteArgs,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let (id, name) = (text(cluster, "uuid")?, title(cluster));
    api.delete(&["clusters", id]).await?;
    if !args.wait.wait {
        surroundings.say(&format!("cluster {name} is being deleted"));
        return Ok(());
    }
    follow(api, surroundings, (id, &name), Until::Gone, args.wait.timeout).await?;
    surroundings.say(&format!("cluster {name} is gone"));
    Ok(())
}

/// What goes with a cluster, so that whoever answers knows.
fn described(cluster: &Value) -> String {
    let masters = count(cluster["master_count"].as_i64().unwrap_or(0), "control plane node");
    let workers = count(cluster["node_count"].as_i64().unwrap_or(0), "worker node");
    format!("cluster {} ({}) with {masters} and {workers}", title(cluster), cluster["uuid"].as_str().unwrap_or("-"))
}
