//! What a client asks to be changed, and what it is promised by the answer.

use std::sync::{Arc, PoisonError};

use rand::RngExt as _;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Client, Fate, Group, Owned, QUOTAS_FROM, WORKERS};

impl Client {
    pub(super) async fn change_templates(&mut self) {
        if self.left.templates.len() < 3 && self.random.random_bool(0.6) {
            let name = self.name("t");
            let path = format!("/clustertemplates/{name}");
            let body = json!({"name": name, "coe": "kubernetes", "image_id": "ubuntu-kube-v1.33.5",
                "external_network_id": "public", "flavor_id": "m1.small", "master_flavor_id": "m1.medium",
                "master_lb_enabled": true, "floating_ip_enabled": true, "network_driver": "calico"});
            let fate = self.change("POST template", Method::POST, "/clustertemplates", Some(body), StatusCode::CREATED);
            match fate.await {
                Fate::Done => self.left.templates.push(name),
                Fate::Refused(answer) => self.refused(&path, &answer, &[]),
                Fate::Open if self.see("GET template", &path).await.status == 200 => self.left.templates.push(name),
                Fate::Open => self.left.doubtful_templates.push(name),
            }
            self.look_at_template().await;
        } else if !self.left.templates.is_empty() {
            let picked = self.random.random_range(0..self.left.templates.len());
            let path = format!("/clustertemplates/{}", self.left.templates[picked]);
            match self.change("DELETE template", Method::DELETE, &path, None, StatusCode::NO_CONTENT).await {
                Fate::Done => drop(self.left.templates.remove(picked)),
                Fate::Refused(answer) => self.refused(&path, &answer, &["is referenced by one or multiple clusters"]),
                Fate::Open => {
                    let name = self.left.templates.remove(picked);
                    self.left.doubtful_templates.push(name);
                }
            }
        }
    }

    pub(super) async fn create(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Ok(_maker) = shared.makers.try_acquire() else { return };
        if self.left.clusters.iter().filter(|own| !own.common).count() >= 2 {
            return;
        }
        let (name, count) = (self.name("c"), self.random.random_range(1..3));
        let template = match self.left.templates.last() {
            Some(own) if self.random.random_bool(0.3) => own.clone(),
            _ => self.shared.template.clone(),
        };
        let own =
            Owned { name, groups: [(WORKERS.to_owned(), Group::of(count))].into(), leaving: false, common: false };
        let body = json!({"name": own.name, "cluster_template_id": template, "master_count": 1, "node_count": count});
        match self.change("POST cluster", Method::POST, "/clusters", Some(body), StatusCode::ACCEPTED).await {
            Fate::Done => {}
            Fate::Refused(answer) => {
                return self.refused(&own.path(), &answer, &["You have reached the maximum clusters per project"]);
            }
            Fate::Open => {
                if self.see("GET cluster", &own.path()).await.status == 404 {
                    return self.left.doubtful_clusters.push(own);
                }
            }
        }
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner).push(own.name.clone());
        self.left.clusters.push(own);
        // All of it is there from the first moment.
        let number = self.left.clusters.len() - 1;
        if self.status(number).await.is_some() {
            self.groups(number).await;
        }
    }

    pub(super) async fn resize(&mut self) {
        let Some(number) = self.pick_ready().await else { return };
        let own = &self.left.clusters[number];
        let there: Vec<_> = own.groups.iter().filter(|(_, group)| group.is_there()).map(|(name, _)| name).collect();
        if there.is_empty() {
            return;
        }
        let group = there[self.random.random_range(0..there.len())].clone();
        let (path, count) = (format!("{}/actions/resize", own.path()), self.random.random_range(1..4));
        let body = json!({"node_count": count, "nodegroup": group});
        let fate = self.change("POST resize", Method::POST, &path, Some(body), StatusCode::ACCEPTED).await;
        let counts = |client: &mut Self| {
            let group = client.left.clusters[number].groups.get_mut(&group);
            group.map(|group| &mut group.counts).map(std::mem::take).unwrap_or_default()
        };
        let mut possible = counts(self);
        match fate {
            Fate::Done => possible = [Some(count)].into(),
            Fate::Refused(answer) => self.refused(&path, &answer, &[]),
            Fate::Open => drop(possible.insert(Some(count))),
        }
        let before = possible.len();
        self.left.clusters[number].groups.entry(group.clone()).or_default().counts = possible;
        if before > 1 {
            let seen = self.groups(number).await;
            if seen.get(&group) == Some(&count) {
                self.left.clusters[number].groups.entry(group).or_default().counts = [Some(count)].into();
            }
        }
    }

    pub(super) async fn change_groups(&mut self) {
        let Some(number) = self.pick_ready().await else { return };
        let mut extra = self.left.clusters[number].groups.iter().filter(|(name, _)| *name != WORKERS);
        let extra = extra.find(|(_, group)| group.is_there()).map(|(name, _)| name.clone());
        match (extra, self.random.random_range(0..3)) {
            (None, 0 | 1) => self.add_group(number).await,
            (None, _) if self.left.clusters[number].common => {}
            (Some(name), 0) => self.remove_group(number, name).await,
            (Some(name), _) => self.bound_group(number, name).await,
            (None, _) => self.bound_group(number, WORKERS.to_owned()).await,
        }
    }

    async fn add_group(&mut self, number: usize) {
        let (name, count) = (self.name("g"), self.random.random_range(1..3));
        let path = format!("{}/nodegroups", self.left.clusters[number].path());
        let body = json!({"name": name, "node_count": count});
        let mut group = Group::of(count);
        match self.change("POST nodegroup", Method::POST, &path, Some(body), StatusCode::ACCEPTED).await {
            Fate::Done => {}
            Fate::Refused(answer) => return self.refused(&path, &answer, &[]),
            Fate::Open => {
                let seen = self.see("GET nodegroup", &format!("{path}/{name}")).await;
                if seen.status == 404 {
                    group.counts.insert(None);
                }
            }
        }
        self.left.clusters[number].groups.insert(name, group);
        self.groups(number).await;
    }

    async fn remove_group(&mut self, number: usize, name: String) {
        let path = format!("{}/nodegroups/{name}", self.left.clusters[number].path());
        let fate = self.change("DELETE nodegroup", Method::DELETE, &path, None, StatusCode::NO_CONTENT).await;
        let Some(group) = self.left.clusters[number].groups.get_mut(&name) else { return };
        match fate {
            Fate::Done => group.counts = [None].into(),
            Fate::Refused(answer) => self.refused(&path, &answer, &[]),
            Fate::Open => {
                group.counts.insert(None);
                self.groups(number).await;
            }
        }
    }

    /// Another upper bound.
    async fn bound_group(&mut self, number: usize, name: String) {
        let path = format!("{}/nodegroups/{name}", self.left.clusters[number].path());
        let bound = self.random.random_range(3..9);
        let patch = json!([{"op": "replace", "path": "/max_node_count", "value": bound}]);
        let fate = self.change("PATCH nodegroup", Method::PATCH, &path, Some(patch), StatusCode::ACCEPTED).await;
        let Some(group) = self.left.clusters[number].groups.get_mut(&name) else { return };
        match fate {
            Fate::Done => group.bounds = [bound].into(),
            Fate::Refused(answer) => return self.refused(&path, &answer, &[]),
            Fate::Open => drop(group.bounds.insert(bound)),
        }
        let possible = group.bounds.clone();
        let seen = self.see("GET nodegroup", &path).await;
        let shown = seen.body["max_node_count"].as_i64().unwrap_or_default();
        if seen.status != 200 || !possible.contains(&shown) {
            self.wrong(&format!("its bound is none of {possible:?}"), &path, &seen);
        }
    }

    pub(super) async fn delete(&mut self) {
        let Some(number) = self.pick().filter(|&number| !self.left.clusters[number].common) else { return };
        let Some(status) = self.status(number).await else { return };
        if !status.ends_with("_COMPLETE") && self.random.random_bool(0.8) {
            return;
        }
        let path = self.left.clusters[number].path();
        loop {
            match self.change("DELETE cluster", Method::DELETE, &path, None, StatusCode::NO_CONTENT).await {
                Fate::Done => break,
                Fate::Refused(answer) => {
                    self.refused(&path, &answer, &[]);
                    if answer.status != 409 {
                        return;
                    }
                }
                Fate::Open => {
                    let seen = self.see("GET cluster", &path).await;
                    if seen.status == 404 || seen.body["status"] == "DELETE_IN_PROGRESS" {
                        break;
                    }
                }
            }
        }
        self.left.clusters[number].leaving = true;
    }

    pub(super) async fn change_quota(&mut self) {
        let Some((project, before)) = self.left.quota.clone() else {
            let seen = self.see("GET stats", "/stats").await;
            if seen.status != 200 {
                self.wrong("no figures", "/stats", &seen);
            }
            return;
        };
        let path = format!("/quotas/{project}/Cluster");
        let seen = self.see("GET quota", &path).await;
        let shown = seen.body["hard_limit"].as_i64().filter(|limit| *limit >= QUOTAS_FROM);
        if seen.status != 200 || !before.contains(&shown) {
            self.wrong(&format!("the quota is none of {before:?}"), &path, &seen);
        }
        let wanted = Some(self.random.random_range(QUOTAS_FROM..QUOTAS_FROM + 900));
        let body = json!({"hard_limit": wanted});
        let (fate, after) = match shown {
            None => {
                let body = json!({"project_id": project, "resource": "Cluster", "hard_limit": wanted});
                (self.change("POST quota", Method::POST, "/quotas", Some(body), StatusCode::CREATED).await, wanted)
            }
            Some(_) if self.random.random_bool(0.3) => {
                (self.change("DELETE quota", Method::DELETE, &path, None, StatusCode::NO_CONTENT).await, None)
            }
            Some(_) => {
                (self.change("PATCH quota", Method::PATCH, &path, Some(body), StatusCode::ACCEPTED).await, wanted)
            }
        };
        let possible = match fate {
            Fate::Done => [after].into(),
            Fate::Refused(answer) => {
                // What was open has been decided since it was looked at.
                if before.len() == 1 {
                    self.wrong("refused", &path, &answer);
                }
                before
            }
            Fate::Open => [after, shown].into_iter().chain(before).collect(),
        };
        self.left.quota = Some((project, possible));
    }
}
