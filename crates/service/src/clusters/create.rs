//! Takes a new cluster: everything is looked at first, then written in one transaction.

use std::sync::Arc;
use std::time::Duration;

use jeroboam_certificates::{Kept, NewCertificate};
use jeroboam_model::{
    Caller, CertificateRefs, Cluster, ClusterId, ClusterTemplate, ClusterWithGroups, NodeGroup, NodeGroupId, ProjectId,
    Scope, Status, Timestamp, secrets,
};
use jeroboam_notify::Action;
use jeroboam_store::{Creation, Ident, StoreError, StoreErrorKind};
use secrecy::SecretString;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::Clusters;
use crate::certificates::{self, ClusterCertificates, from_certificates};
use crate::cloud::{self, Cloud, References};
use crate::credential::Credential;
use crate::drivers::{self, Wanted};
use crate::error::{Cause, Looking, from_store};
use crate::policy::Target;
use crate::{Error, NewCluster, Service, labels, names, rules};

/// Minutes that a creation may take when the client says nothing.
const CREATE_MINUTES: i32 = 60;

impl Clusters<'_> {
    /// `POST /v1/clusters`. When this returns, the cluster is committed and will be made.
    pub async fn create(&self, caller: &Caller, new: NewCluster) -> Result<ClusterWithGroups, Error> {
        let service = self.0;
        let template = self.template_for(caller, &new).await?;
        drivers::resolve(&Wanted::by(&template), &service.inner.settings)?;
        rules::storage_driver(
            template.docker_storage_driver.as_deref(),
            truthy(new.docker_volume_size).or(template.docker_volume_size),
        )?;
        let masters = new.master_count.unwrap_or(1);
        rules::control_plane_size(masters)?;
        rules::zero_nodes(new.before_1_10, new.node_count)?;
        service.enforce(caller, "cluster:create", &Target::own(caller))?;
        let project = caller.project.clone().ok_or(Error::NoProject)?;
        let limit = service.has_room(&project).await?;
        if template.hidden && !caller.is_admin {
            return Err(Error::NotAuthorized);
        }

        let cloud = service.cloud(caller);
        let draft = inherit(&new, &template, caller, project, service.now());
        service.check_draft(&cloud, &draft.cluster, &template).await?;
        if masters > 1 && !draft.cluster.master_lb_enabled {
            return Err(Error::bad_request("master_count must be 1 when master_lb_enabled is False"));
        }
        service.commit(caller, &cloud, draft, limit).await
    }

    async fn template_for(&self, caller: &Caller, new: &NewCluster) -> Result<ClusterTemplate, Error> {
        let ident = Ident::template_for_create(&new.template);
        match self.0.template_to_follow(caller, &new.template, &ident).await {
            // Magnum: clients of the first versions know of no 404 here.
            Err(error @ Error::NoTemplate(_)) if new.before_1_10 => Err(Error::BadRequest(error.to_string())),
            other => other,
        }
    }
}

/// A cluster and its two groups before anything is made for them.
struct Draft {
    cluster: Cluster,
    groups: Vec<NodeGroup>,
}

/// Puts the request and the template together. Pure but for the ids.
fn inherit(new: &NewCluster, template: &ClusterTemplate, caller: &Caller, project: ProjectId, now: Timestamp) -> Draft {
    let id = ClusterId::random();
    let name = new.name.clone().unwrap_or_else(|| names::generated(Uuid::new_v4().as_u128(), "cluster"));
    let text = |given: &Option<String>, parent: &Option<String>| non_empty(given).or_else(|| non_empty(parent));
    let labels = labels::inherited(&template.labels, new.labels.as_ref(), new.merge_labels);
    let cluster = Cluster {
        serial: 0,
        id,
        stack_id: Some(names::stack_id(Some(&name), Uuid::new_v4().as_u128())),
        name: Some(name),
        project,
        user: caller.user.clone(),
        template: template.id,
        status: Status::CREATE_IN_PROGRESS,
        status_reason: None,
        health_status: None,
        health_status_reason: std::collections::BTreeMap::new(),
        api_address: None,
        coe_version: None,
        container_version: None,
        discovery_url: new.discovery_url.clone(),
        keypair: text(&new.keypair, &template.keypair_id),
        master_flavor_id: text(&new.master_flavor_id, &template.master_flavor_id),
        flavor_id: text(&new.flavor_id, &template.flavor_id),
        docker_volume_size: truthy(new.docker_volume_size).or(template.docker_volume_size),
        create_timeout: new.create_timeout.unwrap_or(Some(CREATE_MINUTES)),
        labels,
        fixed_network: text(&new.fixed_network, &template.fixed_network),
        fixed_subnet: text(&new.fixed_subnet, &template.fixed_subnet),
        // Magnum: an explicit null takes the object's default, not the template's value.
        floating_ip_enabled: new
            .floating_ip_enabled
            .map_or(template.floating_ip_enabled, |given| given.unwrap_or(true)),
        master_lb_enabled: new.master_lb_enabled.unwrap_or(template.master_lb_enabled),
        certificates: CertificateRefs::default(),
        created_at: now,
        updated_at: None,
    };
    let masters = default_group(&cluster, template, NodeGroup::CONTROL_PLANE_ROLE, new.master_count.unwrap_or(1));
    let mut workers = default_group(&cluster, template, NodeGroup::WORKER_ROLE, new.node_count.unwrap_or(1));
    workers.min_node_count = cluster.labels.integer(labels::MIN_NODE_COUNT).ok().flatten().unwrap_or(0);
    Draft { cluster, groups: vec![masters, workers] }
}

fn default_group(cluster: &Cluster, template: &ClusterTemplate, role: &str, count: i32) -> NodeGroup {
    let flavor = if role == NodeGroup::CONTROL_PLANE_ROLE { &cluster.master_flavor_id } else { &cluster.flavor_id };
    NodeGroup {
        serial: 0,
        id: NodeGroupId::random(),
        name: format!("default-{role}"),
        cluster: cluster.id,
        project: cluster.project.clone(),
        role: role.to_owned(),
        is_default: true,
        node_count: count,
        min_node_count: 0,
        max_node_count: None,
        flavor_id: flavor.clone(),
        image_id: template.image_id.clone(),
        docker_volume_size: cluster.docker_volume_size,
        labels: cluster.labels.clone(),
        node_labels: std::collections::BTreeMap::new(),
        node_taints: Vec::new(),
        node_addresses: Vec::new(),
        stack_id: cluster.stack_id.clone(),
        status: Status::CREATE_IN_PROGRESS,
        status_reason: None,
        version: None,
        created_at: cluster.created_at,
        updated_at: None,
    }
}

impl Service {
    /// The project's limit, if it is not reached yet. The transaction counts again; this one spares a useless credential.
    async fn has_room(&self, project: &ProjectId) -> Result<u32, Error> {
        let store = &self.inner.store;
        let quota = store.quota(project).await.map_err(|error| from_store(Looking::Clusters, error))?;
        let limit = quota.unwrap_or(self.inner.settings.max_clusters_per_project);
        let held = store.cluster_count(project).await.map_err(|error| from_store(Looking::Clusters, error))?;
        if held >= u64::from(limit) { Err(Error::OverQuota { limit }) } else { Ok(limit) }
    }

    /// Waits for a processor to make keys on. Whoever had to wait is counted again: others of the project may have been faster.
    async fn key_turn(&self, project: &ProjectId) -> Result<OwnedSemaphorePermit, Error> {
        let turns = || Arc::clone(&self.key_turns);
        if let Ok(turn) = turns().try_acquire_owned() {
            return Ok(turn);
        }
        let turn = turns().acquire_owned().await;
        self.has_room(project).await?;
        turn.map_err(|error| Error::internal("wait for a processor", error))
    }

    /// Labels, then everything that the cluster names in the cloud.
    async fn check_draft(&self, cloud: &Cloud, cluster: &Cluster, template: &ClusterTemplate) -> Result<(), Error> {
        labels::check(&cluster.labels)?;
        let given = |what: &str, name: &str, value: &Option<String>| match value {
            Some(_) => Ok(()),
            None => Err(Error::bad_request(format!("No {what} is given: set {name} in the cluster or its template."))),
        };
        given("image", "image_id", &template.image_id)?;
        given("flavor for the workers", "flavor_id", &cluster.flavor_id)?;
        given("flavor for the control plane", "master_flavor_id", &cluster.master_flavor_id)?;
        let named = References {
            image: template.image_id.as_deref(),
            flavor: cluster.flavor_id.as_deref(),
            master_flavor: cluster.master_flavor_id.as_deref(),
            external_network: template.external_network_id.as_deref(),
            fixed_network: cluster.fixed_network.as_deref(),
            fixed_subnet: cluster.fixed_subnet.as_deref(),
            keypair: cluster.keypair.as_deref(),
            volume_type: cluster.labels.text(labels::BOOT_VOLUME_TYPE),
        };
        let boot_volume = rules::boot_volume_size(&cluster.labels, &self.inner.settings)?;
        let found = cloud.look_up(named, boot_volume).await?;
        if let (Some(name), Some(image)) = (named.image, &found.image) {
            cloud::release(name, image, &cluster.labels)?;
        }
        Ok(())
    }

    /// Makes certificates and a credential, and writes all of it in one transaction.
    async fn commit(
        &self,
        caller: &Caller,
        cloud: &Cloud,
        draft: Draft,
        limit: u32,
    ) -> Result<ClusterWithGroups, Error> {
        let (title, rules, now) = (draft.cluster.title(), self.inner.settings.signing.clone(), self.now());
        let (id, template) = (draft.cluster.id, draft.cluster.template);
        let turn = self.key_turn(&draft.cluster.project).await?;
        let keys = move || {
            let made = certificates::for_cluster(&title, &rules, now);
            drop(turn);
            made
        };
        let (made, credential) = tokio::join!(
            tokio::task::spawn_blocking(keys),
            self.make_credential(caller, cloud, &draft.cluster.project, id, format!("jeroboam-{id}")),
        );
        let credential = credential?;
        let made = match made {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => return self.abandoned(caller, cloud, &credential, error.into()).await,
            Err(error) => return self.abandoned(caller, cloud, &credential, error.into()).await,
        };
        let kept = match self.keep_certificates(&draft.cluster, &made).await {
            Ok(kept) => kept,
            Err(error) => {
                self.take_back(caller, cloud, &credential).await;
                return Err(error);
            }
        };
        let new = assemble(draft, &kept, made.service_account, &credential, self.deadline_of_creation(now));
        let failure = match self.inner.store.create_cluster(new, limit).await {
            Ok(Creation::Created(created)) => {
                tracing::info!(cluster.id = %id, "accepted to create a cluster");
                self.told(caller, Action::Create, &created);
                return Ok(*created);
            }
            Ok(Creation::OverQuota { limit }) => Error::OverQuota { limit },
            Ok(Creation::NoTemplate) => Error::NoTemplate(template.to_string()),
            Ok(Creation::CredentialRevoked) => Error::TooSlow,
            Err(error) => match self.found_after_all(id, &error).await {
                Some(created) => {
                    self.told(caller, Action::Create, &created);
                    return Ok(created);
                }
                // Nobody knows whether it was written: the note stays, and with it the way to find out later.
                None if error.kind() == StoreErrorKind::Unavailable => {
                    return Err(from_store(Looking::Clusters, error));
                }
                None => from_store(Looking::Clusters, error),
            },
        };
        self.kept_certificates.take_back(&kept).await;
        self.take_back(caller, cloud, &credential).await;
        Err(failure)
    }

    /// Gives the certificates of a new cluster away, in the order of [`certificate_refs`].
    async fn keep_certificates(&self, cluster: &Cluster, made: &ClusterCertificates) -> Result<Vec<Kept>, Error> {
        let title = cluster.title();
        // Magnum: conductor/handlers/common/cert_manager.py names them.
        let named = [
            (title.as_str(), &made.ca),
            ("Magnum-Conductor", &made.client),
            (title.as_str(), &made.etcd_ca),
            (title.as_str(), &made.front_proxy_ca),
        ];
        let new = named.map(|(name, issued)| NewCertificate {
            name: name.to_owned(),
            certificate: issued.certificate.clone(),
            private_key: issued.key.pem.clone(),
            passphrase: issued.key.passphrase.clone(),
            project: cluster.project.clone(),
            user: cluster.user.clone(),
        });
        let kept = self.kept_certificates.keep(new.into()).await;
        kept.map_err(|error| from_certificates("keep the cluster's certificates", error))
    }

    /// Certificates could not be made, which nobody can help who called.
    async fn abandoned<T>(
        &self,
        caller: &Caller,
        cloud: &Cloud,
        credential: &Credential,
        cause: Cause,
    ) -> Result<T, Error> {
        self.take_back(caller, cloud, credential).await;
        Err(Error::internal("make certificates", cause))
    }

    /// A connection that broke while committing says nothing about the commit.
    async fn found_after_all(&self, id: ClusterId, error: &StoreError) -> Option<ClusterWithGroups> {
        if error.kind() != StoreErrorKind::Unavailable {
            return None;
        }
        self.inner.store.cluster(&Ident::Id(id.uuid()), &Scope::All).await.ok().flatten()
    }
}

impl Service {
    fn deadline_of_creation(&self, now: Timestamp) -> impl Fn(Option<i32>) -> Timestamp + use<> {
        let default = self.inner.settings.create_timeout;
        move |minutes| {
            let given = minutes.and_then(|minutes| u64::try_from(minutes).ok()).filter(|minutes| *minutes > 0);
            now + given.map_or(default, |minutes| Duration::from_secs(minutes * 60))
        }
    }
}

fn assemble(
    draft: Draft,
    kept: &[Kept],
    service_account: SecretString,
    credential: &Credential,
    deadline: impl Fn(Option<i32>) -> Timestamp,
) -> jeroboam_store::NewCluster {
    let Draft { mut cluster, groups } = draft;
    cluster.certificates = certificate_refs(kept);
    let named = |name: &str, value: SecretString| (name.to_owned(), value);
    jeroboam_store::NewCluster {
        deadline: Some(deadline(cluster.create_timeout)),
        cluster,
        groups,
        key_pairs: kept.iter().filter_map(|one| one.row.clone()).collect(),
        secrets: vec![
            named(secrets::SERVICE_ACCOUNT_KEY, service_account),
            named(secrets::APPLICATION_CREDENTIAL_ID, credential.id.clone().into()),
            named(secrets::APPLICATION_CREDENTIAL_SECRET, credential.secret.clone()),
        ],
        credential: Some(credential.name.clone()),
    }
}

fn certificate_refs(kept: &[Kept]) -> CertificateRefs {
    let mut references = kept.iter().map(|one| one.reference.clone());
    CertificateRefs {
        ca: references.next(),
        client: references.next(),
        etcd_ca: references.next(),
        front_proxy_ca: references.next(),
    }
}

/// Magnum takes every false value for "not given".
fn truthy(number: Option<i32>) -> Option<i32> {
    number.filter(|number| *number != 0)
}

fn non_empty(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}
