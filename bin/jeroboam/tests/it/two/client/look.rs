//! What a client asks to see, and what that has to be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use rand::RngExt as _;
use reqwest::Method;

use super::{Client, Group};

impl Client {
    /// The status of one of the client's own, which must be such as its requests make it; `None` when it is gone.
    pub(super) async fn status(&mut self, number: usize) -> Option<String> {
        let (path, leaving) = (self.left.clusters[number].path(), self.left.clusters[number].leaving);
        let seen = self.see("GET cluster", &path).await;
        if seen.status == 404 {
            if !leaving {
                self.wrong("an accepted cluster is lost", &path, &seen);
            }
            self.left.clusters.remove(number);
            return None;
        }
        let status = seen.body["status"].as_str().unwrap_or_default().to_owned();
        let right = if leaving { status == "DELETE_IN_PROGRESS" } else { !status.starts_with("DELETE") };
        if seen.status != 200 || status.ends_with("_FAILED") || !right {
            self.wrong("it should not be so", &path, &seen);
        }
        Some(status)
    }

    pub(super) async fn look_at_own(&mut self) {
        if !self.left.clusters.is_empty() {
            let number = self.random.random_range(0..self.left.clusters.len());
            self.status(number).await;
        }
    }

    pub(super) async fn look_at_others(&mut self) {
        let picked = {
            let known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.is_empty() { None } else { Some(known[self.random.random_range(0..known.len())].clone()) }
        };
        let Some(name) = picked else { return };
        let path = format!("/clusters/{name}");
        if let Some(seen) = self.ask("GET other", Method::GET, &path, None).await
            && ![200, 404, 503].contains(&seen.status)
        {
            self.wrong("it should be there or not", &path, &seen);
        }
    }

    /// All that are the client's own are listed, and no more are there than the project may have.
    pub(super) async fn list(&mut self) {
        let seen = self.see("GET clusters", "/clusters").await;
        let listed = seen.body["clusters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names: BTreeSet<_> = listed.iter().filter_map(|cluster| cluster["name"].as_str()).collect();
        let staying = self.left.clusters.iter().filter(|own| !own.leaving);
        let lost: Vec<_> = staying.filter(|own| !names.contains(own.name.as_str())).map(|own| &own.name).collect();
        if seen.status != 200 || !lost.is_empty() || listed.len() as u64 > self.shared.clusters {
            let words = format!("client {}: the list lacks {lost:?}, or has too many: {}", self.number, seen.body);
            self.shared.ledger.wrong(words);
        }
    }

    pub(super) async fn look_at_groups(&mut self) {
        if let Some(number) = self.pick() {
            self.groups(number).await;
        }
    }

    /// The sizes of a cluster's groups, which must be such as were asked for.
    pub(super) async fn groups(&mut self, number: usize) -> BTreeMap<String, i64> {
        let path = format!("{}/nodegroups", self.left.clusters[number].path());
        let seen = self.see("GET nodegroups", &path).await;
        let listed = seen.body["nodegroups"].as_array().cloned().unwrap_or_default();
        let sizes: BTreeMap<_, _> = listed
            .iter()
            .filter_map(|group| Some((group["name"].as_str()?.to_owned(), group["node_count"].as_i64()?)))
            .collect();
        let known = &self.left.clusters[number].groups;
        let right = |(name, group): (&String, &Group)| match sizes.get(name) {
            // A group that is to go is there until its machines are gone.
            Some(count) => !group.is_there() || group.counts.contains(&Some(*count)),
            None => group.counts.contains(&None),
        };
        let strangers = !self.left.clusters[number].common
            && sizes.keys().any(|name| name != "default-master" && !known.contains_key(name));
        if seen.status != 200 || strangers || !known.iter().all(right) {
            self.wrong(&format!("{known:?} is what was asked for"), &path, &seen);
        }
        sizes
    }

    pub(super) async fn look_at_template(&mut self) {
        let Some(name) = self.left.templates.last().cloned() else { return };
        let path = format!("/clustertemplates/{name}");
        let seen = self.see("GET template", &path).await;
        if seen.status != 200 {
            self.wrong("an accepted template is lost", &path, &seen);
        }
    }
}
