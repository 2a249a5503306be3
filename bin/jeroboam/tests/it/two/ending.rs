//! When nobody asks any more and all processes run: everything becomes what was last asked for, and goes without a trace.

use std::collections::BTreeSet;

use jeroboam_store::testing::texts;
use reqwest::Method;
use serde_json::Value;

use super::bed::Bed;
use super::client::{Left, Owned, Shared};
use crate::bed::{Tenant, until};

/// Tables of which nothing may be left when the last cluster and the last template are gone.
const EMPTIED: [(&str, &str); 7] = [
    ("cluster", "name"),
    ("nodegroup", "name"),
    ("x509keypair", "uuid"),
    ("cluster_template", "name"),
    ("jeroboam_cluster", "cluster"),
    ("jeroboam_secret", "name"),
    ("jeroboam_credential", "name"),
];

pub(super) struct Ending<'a> {
    bed: &'a Bed,
    shared: &'a Shared,
    tenant: &'a Tenant,
    left: Vec<Left>,
}

impl<'a> Ending<'a> {
    /// What was promised, and of what was in doubt that which is there.
    pub(super) async fn of(bed: &'a Bed, shared: &'a Shared, mut left: Vec<Left>) -> Self {
        let tenant = &shared.demo[0];
        for one in &mut left {
            for doubtful in std::mem::take(&mut one.doubtful_clusters) {
                if tenant.find(&doubtful.path()).await.is_some() {
                    one.clusters.push(doubtful);
                }
            }
            for doubtful in std::mem::take(&mut one.doubtful_templates) {
                if tenant.find(&format!("/clustertemplates/{doubtful}")).await.is_some() {
                    one.templates.push(doubtful);
                }
            }
        }
        Self { bed, shared, tenant, left }
    }

    fn clusters(&self) -> impl Iterator<Item = &Owned> {
        self.left.iter().flat_map(|left| &left.clusters)
    }

    fn wrong(&self, words: String) {
        self.shared.ledger.wrong(words);
    }

    /// Every status converges, and what it says is so.
    pub(super) async fn converge(&self) {
        for own in self.clusters() {
            if own.leaving {
                self.tenant.until_gone(&own.name).await;
            } else {
                self.until_settled(own).await;
            }
        }
        let expected: BTreeSet<_> = self.clusters().filter(|own| !own.leaving).map(|own| own.name.as_str()).collect();
        let listed = self.tenant.must(Method::GET, "/clusters", None, 200).await;
        let listed = listed["clusters"].as_array().expect("a list");
        let names: BTreeSet<_> = listed.iter().filter_map(|cluster| cluster["name"].as_str()).collect();
        if names != expected || names.len() != listed.len() {
            self.wrong(format!("there are {names:?} and not {expected:?}"));
        }
        for name in self.left.iter().flat_map(|left| &left.templates) {
            if self.tenant.find(&format!("/clustertemplates/{name}")).await.is_none() {
                self.wrong(format!("the accepted template {name} is lost"));
            }
        }
        for (project, possible) in self.left.iter().filter_map(|left| left.quota.as_ref()) {
            let path = format!("/quotas/{project}/Cluster");
            let shown = self.shared.admin[1].must(Method::GET, &path, None, 200).await;
            if possible.len() == 1
                && possible.first().is_some_and(|limit| limit.is_some_and(|limit| shown["hard_limit"] != limit))
            {
                self.wrong(format!("{path}: {shown} and not {possible:?}"));
            }
        }
    }

    async fn until_settled(&self, own: &Owned) {
        let path = own.path();
        let seen = until(&format!("{} to settle", own.name), || async {
            let answer = self.tenant.ask(Method::GET, &path, None).await?;
            let status = answer.body["status"].as_str().unwrap_or_default();
            (answer.status != 200 || !status.ends_with("_IN_PROGRESS")).then_some(answer)
        })
        .await;
        let status = seen.body["status"].as_str().unwrap_or_default();
        if seen.status != 200 || !["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&status) {
            return self.wrong(format!("{path}: {} {}", seen.status, seen.body));
        }
        let groups = self.tenant.must(Method::GET, &format!("{path}/nodegroups"), None, 200).await;
        let mut machines = 0;
        let mut there = BTreeSet::new();
        for listed in groups["nodegroups"].as_array().expect("a list") {
            let name = listed["name"].as_str().expect("a name");
            let group = self.tenant.must(Method::GET, &format!("{path}/nodegroups/{name}"), None, 200).await;
            machines += group["node_count"].as_u64().expect("a number");
            there.insert(name.to_owned());
            if let Some(why) = wrong_group(own, name, &group) {
                self.wrong(format!("{path}: {why}: {group}"));
            }
        }
        for (name, _) in
            own.groups.iter().filter(|(name, group)| !group.counts.contains(&None) && !there.contains(*name))
        {
            self.wrong(format!("{path}: the accepted node group {name} is lost"));
        }
        let progress = format!("/jeroboam{path}/progress");
        let ready = |machine: &Value| machine["ready"] == true;
        until(&format!("{machines} machines of {}", own.name), || async {
            let shown = self.tenant.find(&progress).await?;
            let seen = shown["progress"]["machines"].as_array()?;
            (seen.len() as u64 == machines && seen.iter().all(ready)).then_some(())
        })
        .await;
    }

    /// Deletes all, and looks that nothing is left: not in the cloud, and not in the database.
    pub(super) async fn clear_away(&self, before: &BTreeSet<String>) {
        let staying: BTreeSet<_> = self.clusters().filter(|own| !own.leaving).map(Owned::path).collect();
        for (number, path) in staying.iter().enumerate() {
            self.shared.demo[number % 2].must(Method::DELETE, path, None, 204).await;
        }
        for own in self.clusters() {
            self.tenant.until_gone(&own.name).await;
        }
        let own = self.left.iter().flat_map(|left| &left.templates);
        for template in own.chain([&self.shared.template]) {
            self.tenant.must(Method::DELETE, &format!("/clustertemplates/{template}"), None, 204).await;
        }
        until("the cloud to be as it was", || async {
            let after = self.bed.cloud.things().await;
            let left: Vec<_> = after.difference(before).collect();
            left.is_empty().then_some(())
        })
        .await;
        let store = self.bed.store().await;
        for (table, column) in EMPTIED {
            until(&format!("{table} to be empty"), || async {
                let rows = texts(&store, &format!("SELECT {column} FROM {table}")).await;
                rows.is_empty().then_some(())
            })
            .await;
        }
        store.close().await;
    }
}

fn wrong_group(own: &Owned, name: &str, shown: &Value) -> Option<String> {
    let status = shown["status"].as_str().unwrap_or_default();
    if !status.ends_with("_COMPLETE") {
        return Some(format!("the node group {name} is not settled"));
    }
    let count = shown["node_count"].as_i64();
    let Some(group) = own.groups.get(name) else {
        if own.common {
            return None;
        }
        return (name != "default-master" || count != Some(1))
            .then(|| format!("nobody asked for the node group {name}"));
    };
    let bound = shown["max_node_count"].as_i64().unwrap_or_default();
    (!group.counts.contains(&count) || !group.bounds.contains(&bound)).then(|| format!("asked for was {group:?}"))
}
