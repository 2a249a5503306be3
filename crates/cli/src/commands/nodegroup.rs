//! `jeroboam nodegroup …`

use serde_json::{Value, json};

use super::{Body, count, text, title};
use crate::args::{ConfirmArgs, NodegroupCommand, NodegroupCreateArgs, NodegroupUpdateArgs, OutputArgs, WaitArgs};
use crate::client::Api;
use crate::wait::{Until, follow};
use crate::{Failure, Surroundings, output};

const COLUMNS: [&str; 7] = ["uuid", "name", "role", "node_count", "flavor_id", "is_default", "status"];

const FIRST: [&str; 7] = ["uuid", "name", "role", "status", "status_reason", "node_count", "flavor_id"];

pub(super) async fn run(api: &Api, command: NodegroupCommand, surroundings: &mut Surroundings) -> Result<(), Failure> {
    match command {
        NodegroupCommand::List { cluster, role, list } => {
            let query: Vec<_> = role.iter().map(|role| ("role", role.as_str())).collect();
            let groups = api.list(&["clusters", &cluster, "nodegroups"], &list, &query).await?;
            surroundings.print(&output::list(&groups, &COLUMNS, &list.output, surroundings.screen)?)
        }
        NodegroupCommand::Show { cluster, nodegroup, output } => {
            let group: Value = api.get(&["clusters", &cluster, "nodegroups", &nodegroup]).await?;
            print(&group, &output, surroundings)
        }
        NodegroupCommand::Create(args) => create(api, &args, surroundings).await,
        NodegroupCommand::Update(args) => {
            let path = ["clusters", &args.cluster, "nodegroups", &args.nodegroup];
            let group = api.patch(&path, patch(&args)).await?;
            print(&group, &args.output, surroundings)
        }
        NodegroupCommand::Delete { cluster, nodegroup, confirm, wait } => {
            delete(api, (&cluster, &nodegroup), &confirm, &wait, surroundings).await
        }
    }
}

fn print(group: &Value, args: &OutputArgs, surroundings: &mut Surroundings) -> Result<(), Failure> {
    surroundings.print(&output::one(group, &FIRST, args, surroundings.screen)?)
}

async fn create(api: &Api, args: &NodegroupCreateArgs, surroundings: &mut Surroundings) -> Result<(), Failure> {
    let mut body = Body::default();
    body.set("name", args.name.as_str());
    body.set("node_count", args.node_count);
    body.maybe("min_node_count", args.min_nodes);
    body.maybe("max_node_count", args.max_nodes);
    body.maybe("role", args.role.as_deref());
    body.maybe("flavor_id", args.flavor.as_deref());
    body.maybe("image_id", args.image.as_deref());
    body.maybe("docker_volume_size", args.docker_volume_size);
    body.pairs("labels", &args.labels);
    body.maybe("merge_labels", args.merge_labels.then_some(true));
    body.pairs("node_labels", &args.node_labels);
    if !args.node_taints.is_empty() {
        let taints: Result<Vec<_>, _> = args.node_taints.iter().map(|text| taint(text)).collect();
        body.set("node_taints", taints?);
    }
    let mut group = api.post(&["clusters", &args.cluster, "nodegroups"], body.finish()).await?;
    if args.wait.wait {
        wait_for_cluster(api, &args.cluster, &args.wait, surroundings).await?;
        group = api.get(&["clusters", &args.cluster, "nodegroups", text(&group, "uuid")?]).await?;
    }
    print(&group, &args.output, surroundings)
}

fn patch(args: &NodegroupUpdateArgs) -> Value {
    let fields = [("/min_node_count", args.min_nodes), ("/max_node_count", args.max_nodes)];
    let given = fields.into_iter().filter_map(|(path, value)| value.map(|value| (path, value)));
    given.map(|(path, value)| json!({"op": "replace", "path": path, "value": value})).collect()
}

async fn delete(
    api: &Api,
    (cluster, nodegroup): (&str, &str),
    confirm: &ConfirmArgs,
    wait: &WaitArgs,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let group: Value = api.get(&["clusters", cluster, "nodegroups", nodegroup]).await?;
    let nodes = count(group["node_count"].as_i64().unwrap_or(0), "node");
    let described = format!("node group {} of cluster {cluster} with {nodes}", title(&group));
    if confirm.dry_run {
        return surroundings.print(&format!("would delete {described}\n"));
    }
    if !confirm.yes {
        surroundings.confirm(&format!("delete {described}?"))?;
    }
    api.delete(&["clusters", cluster, "nodegroups", text(&group, "uuid")?]).await?;
    if wait.wait {
        return wait_for_cluster(api, cluster, wait, surroundings).await;
    }
    surroundings.say(&format!("node group {} is being deleted", title(&group)));
    Ok(())
}

async fn wait_for_cluster(
    api: &Api,
    cluster: &str,
    wait: &WaitArgs,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let found: Value = api.get(&["clusters", cluster]).await?;
    follow(api, surroundings, (text(&found, "uuid")?, &title(&found)), Until::Settled, wait.timeout).await
}

/// `key[=value]:effect`, as kubectl writes taints.
fn taint(text: &str) -> Result<Value, Failure> {
    let wrong = || Failure::usage(format!("{text:?} is no taint, expected key[=value]:effect"));
    let (what, effect) = text.rsplit_once(':').ok_or_else(wrong)?;
    let (key, value) = what.split_once('=').map_or((what, None), |(key, value)| (key, Some(value)));
    if key.is_empty() || effect.is_empty() {
        return Err(wrong());
    }
    let mut taint = Body::default();
    taint.set("key", key);
    taint.maybe("value", value);
    taint.set("effect", effect);
    Ok(taint.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_are_written_as_kubectl_writes_them() {
        for (text, expected) in [
            ("gpu=a100:NoSchedule", Some(json!({"key": "gpu", "value": "a100", "effect": "NoSchedule"}))),
            ("nvidia.com/gpu:NoExecute", Some(json!({"key": "nvidia.com/gpu", "effect": "NoExecute"}))),
            ("gpu", None),
            (":NoSchedule", None),
            ("gpu:", None),
        ] {
            assert_eq!(taint(text).ok(), expected, "{text}");
        }
    }
}
