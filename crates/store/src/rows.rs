//! From rows to nouns: the one place where a column becomes a typed value, and where a bad one is named.

use std::str::FromStr;

use jeroboam_model::{
    CertificateRef, CertificateRefs, Cluster, ClusterTemplate, HealthStatus, Labels, NodeGroup, Operation, ServerType,
    ShownGroup, Status, Taint, TaintEffect, Timestamp, Work,
};
use sea_orm::prelude::DateTime;
use sea_orm::{DbErr, QueryResult};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::entity::{cluster, cluster_template, nodegroup, work, x509keypair};
use crate::{KeyPair, ServiceRow, StoreError, json};

/// Reads a row that the database wrote as one JSON array. Fifty columns cost more to carry over one by one than to find.
pub(crate) fn read_row<T: DeserializeOwned>(row: &QueryResult, at: usize) -> Result<T, DbErr> {
    let text: String = row.try_get_by_index(at)?;
    serde_json::from_str(&text).map_err(|error| DbErr::Json(error.to_string()))
}

/// Reads a JSON list of such rows; `NULL` is an empty one.
pub(crate) fn read_rows<T: DeserializeOwned>(row: &QueryResult, at: usize) -> Result<Vec<T>, DbErr> {
    let Some(text) = row.try_get_by_index::<Option<String>>(at)? else { return Ok(Vec::new()) };
    serde_json::from_str(&text).map_err(|error| DbErr::Json(error.to_string()))
}

/// A database time as an instant; whole seconds, as Magnum's columns hold them.
pub(crate) fn instant(time: DateTime) -> Timestamp {
    Timestamp::from_second(time.and_utc().timestamp()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// An instant as a database time; whole seconds.
pub(crate) fn database_time(instant: Timestamp) -> DateTime {
    sea_orm::prelude::ChronoDateTimeUtc::from_timestamp(instant.as_second(), 0).unwrap_or_default().naive_utc()
}

/// What our own tables keep of an instant.
pub(crate) fn millis(instant: Timestamp) -> i64 {
    instant.as_millisecond()
}

/// The instant that one of our own tables holds.
pub(crate) fn from_millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Names what is bad.
struct Reader {
    table: &'static str,
    id: String,
}

impl Reader {
    fn bad(&self, column: &'static str, problem: impl Into<String>) -> StoreError {
        StoreError::BadRow { table: self.table, column, id: self.id.clone(), problem: problem.into() }
    }

    fn needed(&self, column: &'static str, value: Option<String>) -> Result<String, StoreError> {
        value.ok_or_else(|| self.bad(column, "NULL"))
    }

    fn parsed<T: FromStr>(&self, column: &'static str, text: &str) -> Result<T, StoreError>
    where
        T::Err: ToString,
    {
        text.parse().map_err(|error: T::Err| self.bad(column, error.to_string()))
    }

    fn labels(&self, column: &'static str, text: Option<&str>) -> Result<Labels, StoreError> {
        let map = json::loads_map(text).map_err(|problem| self.bad(column, problem))?;
        Ok(map.into_iter().collect())
    }

    fn addresses(&self, text: Option<&str>) -> Result<Vec<String>, StoreError> {
        let items = json::loads_list(text).map_err(|problem| self.bad("node_addresses", problem))?;
        Ok(items.into_iter().map(json::python_text).collect())
    }

    fn group_status(&self, text: Option<String>) -> Result<Status, StoreError> {
        // Magnum writes a default group's row before a driver has said anything of it.
        text.map_or(Ok(Status::CREATE_IN_PROGRESS), |text| self.parsed("status", &text))
    }

    fn taints(&self, column: &'static str, text: Option<&str>) -> Result<Vec<Taint>, StoreError> {
        let items = json::loads_list(text).map_err(|problem| self.bad(column, problem))?;
        items.into_iter().map(|item| taint(item).ok_or_else(|| self.bad(column, "an item that is no taint"))).collect()
    }
}

fn taint(item: Value) -> Option<Taint> {
    let Value::Object(mut fields) = item else { return None };
    let mut text = |name: &str| fields.remove(name).filter(|value| !value.is_null()).map(json::python_text);
    Some(Taint { key: text("key")?, value: text("value"), effect: TaintEffect::from_str(&text("effect")?).ok()? })
}

fn certificate_ref(text: Option<String>) -> Option<CertificateRef> {
    text.filter(|text| !text.is_empty()).map(CertificateRef::from)
}

impl TryFrom<cluster::Model> for Cluster {
    type Error = StoreError;

    fn try_from(row: cluster::Model) -> Result<Self, StoreError> {
        let id = row.uuid.unwrap_or_else(|| row.id.to_string());
        let reader = Reader { table: "cluster", id };
        let health = row.health_status.as_deref().map(|text| reader.parsed::<HealthStatus>("health_status", text));
        let reasons = json::loads_map(row.health_status_reason.as_deref());
        Ok(Self {
            serial: i64::from(row.id),
            id: reader.parsed("uuid", &reader.id)?,
            name: row.name,
            project: reader.needed("project_id", row.project_id)?.into(),
            // Without an owner nobody passes the policies that compare with one; all else works.
            user: row.user_id.unwrap_or_default().into(),
            template: reader
                .parsed("cluster_template_id", &reader.needed("cluster_template_id", row.cluster_template_id)?)?,
            stack_id: row.stack_id,
            status: reader.parsed("status", &reader.needed("status", row.status)?)?,
            status_reason: row.status_reason,
            health_status: health.transpose()?,
            health_status_reason: reasons.map_err(|problem| reader.bad("health_status_reason", problem))?,
            api_address: row.api_address,
            coe_version: row.coe_version,
            container_version: row.container_version,
            discovery_url: row.discovery_url,
            keypair: row.keypair,
            master_flavor_id: row.master_flavor_id,
            flavor_id: row.flavor_id,
            docker_volume_size: row.docker_volume_size,
            create_timeout: row.create_timeout,
            labels: reader.labels("labels", row.labels.as_deref())?,
            fixed_network: row.fixed_network,
            fixed_subnet: row.fixed_subnet,
            floating_ip_enabled: row.floating_ip_enabled.unwrap_or(true),
            master_lb_enabled: row.master_lb_enabled.unwrap_or(false),
            certificates: CertificateRefs {
                ca: certificate_ref(row.ca_cert_ref),
                client: certificate_ref(row.magnum_cert_ref),
                etcd_ca: certificate_ref(row.etcd_ca_cert_ref),
                front_proxy_ca: certificate_ref(row.front_proxy_ca_cert_ref),
            },
            created_at: row.created_at.map_or(Timestamp::UNIX_EPOCH, instant),
            updated_at: row.updated_at.map(instant),
        })
    }
}

impl TryFrom<nodegroup::Model> for NodeGroup {
    type Error = StoreError;

    fn try_from(row: nodegroup::Model) -> Result<Self, StoreError> {
        let reader = Reader { table: "nodegroup", id: row.uuid };
        let node_labels = json::loads_map(row.node_labels.as_deref());
        Ok(Self {
            serial: i64::from(row.id),
            id: reader.parsed("uuid", &reader.id)?,
            name: row.name,
            cluster: reader.parsed("cluster_id", &row.cluster_id)?,
            project: row.project_id.into(),
            role: row.role.unwrap_or_else(|| Self::WORKER_ROLE.to_owned()),
            is_default: row.is_default.unwrap_or(false),
            node_count: row.node_count.unwrap_or(0),
            min_node_count: row.min_node_count.unwrap_or(0),
            max_node_count: row.max_node_count,
            flavor_id: row.flavor_id,
            image_id: row.image_id,
            docker_volume_size: row.docker_volume_size,
            labels: reader.labels("labels", row.labels.as_deref())?,
            node_labels: node_labels.map_err(|problem| reader.bad("node_labels", problem))?,
            node_taints: reader.taints("node_taints", row.node_taints.as_deref())?,
            node_addresses: reader.addresses(row.node_addresses.as_deref())?,
            stack_id: row.stack_id,
            status: reader.group_status(row.status)?,
            status_reason: row.status_reason,
            version: row.version,
            created_at: row.created_at.map_or(Timestamp::UNIX_EPOCH, instant),
            updated_at: row.updated_at.map(instant),
        })
    }
}

impl TryFrom<nodegroup::Shown> for ShownGroup {
    type Error = StoreError;

    fn try_from(row: nodegroup::Shown) -> Result<Self, StoreError> {
        let reader = Reader { table: "nodegroup", id: row.uuid };
        Ok(Self {
            name: row.name,
            role: row.role.unwrap_or_else(|| NodeGroup::WORKER_ROLE.to_owned()),
            node_count: row.node_count.unwrap_or(0),
            node_addresses: reader.addresses(row.node_addresses.as_deref())?,
            status: reader.group_status(row.status)?,
            status_reason: row.status_reason,
        })
    }
}

impl TryFrom<cluster_template::Model> for ClusterTemplate {
    type Error = StoreError;

    fn try_from(row: cluster_template::Model) -> Result<Self, StoreError> {
        let id = row.uuid.unwrap_or_else(|| row.id.to_string());
        let reader = Reader { table: "cluster_template", id };
        let server_type = match row.server_type.as_deref() {
            None | Some("vm") => ServerType::Vm,
            Some("bm") => ServerType::Bm,
            Some(other) => return Err(reader.bad("server_type", format!("{other:?} is neither vm nor bm"))),
        };
        Ok(Self {
            serial: i64::from(row.id),
            id: reader.parsed("uuid", &reader.id)?,
            name: row.name,
            project: reader.needed("project_id", row.project_id)?.into(),
            user: row.user_id.unwrap_or_default().into(),
            coe: row.coe.unwrap_or_default(),
            image_id: row.image_id,
            cluster_distro: row.cluster_distro,
            flavor_id: row.flavor_id,
            master_flavor_id: row.master_flavor_id,
            keypair_id: row.keypair_id,
            external_network_id: row.external_network_id,
            fixed_network: row.fixed_network,
            fixed_subnet: row.fixed_subnet,
            dns_nameserver: row.dns_nameserver,
            network_driver: row.network_driver,
            volume_driver: row.volume_driver,
            apiserver_port: row.apiserver_port,
            docker_volume_size: row.docker_volume_size,
            docker_storage_driver: row.docker_storage_driver,
            http_proxy: row.http_proxy,
            https_proxy: row.https_proxy,
            no_proxy: row.no_proxy,
            insecure_registry: row.insecure_registry,
            registry_enabled: row.registry_enabled.unwrap_or(false),
            labels: reader.labels("labels", row.labels.as_deref())?,
            tls_disabled: row.tls_disabled.unwrap_or(false),
            public: row.public.unwrap_or(false),
            hidden: row.hidden.unwrap_or(false),
            server_type,
            master_lb_enabled: row.master_lb_enabled.unwrap_or(false),
            floating_ip_enabled: row.floating_ip_enabled.unwrap_or(true),
            tags: row.tags,
            driver: row.driver,
            created_at: row.created_at.map_or(Timestamp::UNIX_EPOCH, instant),
            updated_at: row.updated_at.map(instant),
        })
    }
}

/// The labels of a template that was joined to its cluster, without the rest of it.
pub(crate) fn template_labels(template: &str, text: Option<&str>) -> Result<Labels, StoreError> {
    Reader { table: "cluster_template", id: template.to_owned() }.labels("labels", text)
}

impl TryFrom<work::Model> for Work {
    type Error = StoreError;

    fn try_from(row: work::Model) -> Result<Self, StoreError> {
        let reader = Reader { table: "jeroboam_cluster", id: row.cluster };
        let operation = match row.operation.as_str() {
            "create" => Operation::Create,
            "update" => Operation::Update,
            "upgrade" => Operation::Upgrade,
            "delete" => Operation::Delete,
            "observe" => Operation::Observe,
            other => return Err(reader.bad("operation", format!("{other:?} is no operation"))),
        };
        let parse_error = |column| move |error: serde_json::Error| (column, error.to_string());
        let removals = row.removals.as_deref().map(serde_json::from_str).transpose().map_err(parse_error("removals"));
        let progress = row.progress.as_deref().map(serde_json::from_str).transpose().map_err(parse_error("progress"));
        Ok(Self {
            cluster: reader.parsed("cluster", &reader.id)?,
            operation,
            revision: row.revision,
            began: from_millis(row.began),
            deadline: row.deadline.map(from_millis),
            attempts: row.attempts,
            removals: removals.map_err(|(column, problem)| reader.bad(column, problem))?.unwrap_or_default(),
            progress: progress.map_err(|(column, problem)| reader.bad(column, problem))?.unwrap_or_default(),
        })
    }
}

impl TryFrom<x509keypair::Model> for KeyPair {
    type Error = StoreError;

    fn try_from(row: x509keypair::Model) -> Result<Self, StoreError> {
        let id = row.uuid.unwrap_or_else(|| row.id.to_string());
        let reader = Reader { table: "x509keypair", id };
        Ok(Self {
            id: reader.parsed("uuid", &reader.id)?,
            certificate: reader.needed("certificate", row.certificate)?,
            private_key: reader.needed("private_key", row.private_key)?.into(),
            passphrase: row.private_key_passphrase.unwrap_or_default().into(),
            intermediates: row.intermediates,
            project: row.project_id.unwrap_or_default().into(),
            user: row.user_id.unwrap_or_default().into(),
        })
    }
}

impl From<crate::entity::magnum_service::Model> for ServiceRow {
    fn from(row: crate::entity::magnum_service::Model) -> Self {
        Self {
            serial: i64::from(row.id),
            host: row.host,
            binary: row.binary,
            report_count: row.report_count,
            disabled: row.disabled.unwrap_or(false),
            disabled_reason: row.disabled_reason,
            last_seen_up: row.last_seen_up.map(instant),
            forced_down: row.forced_down.unwrap_or(false),
            created_at: row.created_at.map(instant),
            updated_at: row.updated_at.map(instant),
        }
    }
}
