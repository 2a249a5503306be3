//! `POST /v1/clusters`.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use jeroboam_model::{Labels, Status};
use jeroboam_oslo::Microversion;
use jeroboam_service::NewCluster;
use utoipa::ToSchema;

use crate::App;
use crate::edge::Who;
use crate::error::ApiResult;
use crate::v1::{Accepted, versions};
use crate::wire::{Argument, Body, Fields, Length, Query, Range, cluster_name};

const CLUSTER: Argument = Argument {
    name: "cluster",
    known: &[
        "cluster_template_id",
        "name",
        "keypair",
        "node_count",
        "master_count",
        "docker_volume_size",
        "labels",
        "merge_labels",
        "master_flavor_id",
        "flavor_id",
        "create_timeout",
        "discovery_url",
        "fixed_network",
        "fixed_subnet",
        "floating_ip_enabled",
        "master_lb_enabled",
        // Accepted where they are of their kind, and not looked at.
        "uuid",
        "status",
        "status_reason",
        "health_status",
        "health_status_reason",
        "faults",
        "labels_overridden",
        "labels_added",
        "labels_skipped",
    ],
    read_only: &[
        "links",
        "stack_id",
        "cluster_id",
        "api_address",
        "coe_version",
        "container_version",
        "project_id",
        "user_id",
        "node_addresses",
        "master_addresses",
        "created_at",
        "updated_at",
    ],
};

/// A cluster that is to be made. Numbers and booleans may come as text.
#[derive(Debug, ToSchema)]
pub(crate) struct CreateCluster {
    /// uuid, name or number of the template.
    cluster_template_id: String,
    /// A generated one when absent.
    #[schema(pattern = "^[a-zA-Z][a-zA-Z0-9_.-]*$", max_length = 242)]
    name: Option<String>,
    /// Nova key pair; the template's when absent.
    keypair: Option<String>,
    /// Workers; 1 when absent.
    #[schema(minimum = 0)]
    node_count: Option<i32>,
    /// Control plane nodes, an odd number; 1 when absent.
    #[schema(minimum = 1)]
    master_count: Option<i32>,
    /// GiB; the template's when absent.
    #[schema(minimum = 1)]
    docker_volume_size: Option<i32>,
    /// The template's when absent or empty.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    labels: Option<Labels>,
    /// Whether the labels are laid over the template's instead of replacing them.
    merge_labels: Option<bool>,
    /// The template's when absent.
    master_flavor_id: Option<String>,
    /// The template's when absent.
    flavor_id: Option<String>,
    /// Minutes; 60 when absent, and null is kept.
    #[schema(value_type = Option<i32>, minimum = 0)]
    create_timeout: Option<Option<i32>>,
    discovery_url: Option<String>,
    /// The template's when absent.
    fixed_network: Option<String>,
    /// The template's when absent.
    fixed_subnet: Option<String>,
    /// The template's when absent; null means true.
    #[schema(value_type = Option<bool>)]
    floating_ip_enabled: Option<Option<bool>>,
    /// The template's when absent.
    master_lb_enabled: Option<bool>,
}

impl CreateCluster {
    fn parse(fields: &Fields) -> ApiResult<Self> {
        fields.not_null("master_count")?;
        fields.uuid("uuid")?;
        let statuses: Vec<&str> = Status::all().map(Status::as_str).collect();
        fields.word("status", &statuses)?;
        fields.word("health_status", &["HEALTHY", "UNHEALTHY", "UNKNOWN"])?;
        fields.text("status_reason", Length(0, 65_535))?;
        fields.map("health_status_reason")?;
        Ok(Self {
            // Magnum: the empty name is looked for, too.
            cluster_template_id: fields
                .text("cluster_template_id", Length(0, 255))?
                .ok_or_else(|| Fields::missing("cluster_template_id"))?,
            name: cluster_name(fields)?,
            keypair: fields.text("keypair", Length::COLUMN)?,
            node_count: fields.integer("node_count", Range::NATURAL)?,
            master_count: fields.integer("master_count", Range::POSITIVE)?,
            docker_volume_size: fields.integer("docker_volume_size", Range::POSITIVE)?,
            labels: fields.labels("labels")?,
            merge_labels: fields.boolean("merge_labels")?,
            master_flavor_id: fields.text("master_flavor_id", Length::COLUMN)?,
            flavor_id: fields.text("flavor_id", Length::COLUMN)?,
            create_timeout: fields.integer_or_null("create_timeout", Range::NATURAL)?,
            discovery_url: fields.text("discovery_url", Length(0, 255))?,
            fixed_network: fields.text("fixed_network", Length::COLUMN)?,
            fixed_subnet: fields.text("fixed_subnet", Length::COLUMN)?,
            floating_ip_enabled: fields.boolean_or_null("floating_ip_enabled")?,
            master_lb_enabled: fields.boolean("master_lb_enabled")?,
        })
    }

    fn into_new(self, version: Microversion) -> NewCluster {
        NewCluster {
            template: self.cluster_template_id,
            name: self.name,
            keypair: self.keypair,
            node_count: self.node_count,
            master_count: self.master_count,
            docker_volume_size: self.docker_volume_size,
            labels: self.labels,
            merge_labels: self.merge_labels.unwrap_or_default(),
            master_flavor_id: self.master_flavor_id,
            flavor_id: self.flavor_id,
            create_timeout: self.create_timeout,
            discovery_url: self.discovery_url,
            fixed_network: self.fixed_network,
            fixed_subnet: self.fixed_subnet,
            floating_ip_enabled: self.floating_ip_enabled,
            master_lb_enabled: self.master_lb_enabled,
            before_1_10: version < versions::ZERO_NODES,
        }
    }
}

/// Makes a cluster.
#[utoipa::path(post, path = "/v1/clusters", tag = "clusters", request_body = CreateCluster,
    responses((status = 202, body = Accepted), (status = 400), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn create(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    query: Query,
    body: Body,
) -> ApiResult<(StatusCode, Json<Accepted>)> {
    query.only(&[])?;
    let wanted = CreateCluster::parse(&body.fields(&CLUSTER)?)?;
    let all = app.service().clusters().create(&who, wanted.into_new(version)).await?;
    Ok((StatusCode::ACCEPTED, Json(all.cluster.id.into())))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(more: &Value) -> Result<NewCluster, String> {
        let mut body = json!({"cluster_template_id": "t"});
        let map = body.as_object_mut().expect("an object");
        map.extend(more.as_object().expect("an object").clone());
        let fields = Body::of(body).fields(&CLUSTER);
        let parsed = fields.and_then(|fields| CreateCluster::parse(&fields));
        parsed.map(|create| create.into_new(Microversion::MAX)).map_err(crate::error::ApiError::into_detail)
    }

    #[test]
    fn what_horizon_sends_is_understood() {
        let new = parse(&json!({
            "name": "ui", "keypair": "", "node_count": "3", "master_count": "1", "docker_volume_size": "5",
            "labels": {"a": "1"}, "merge_labels": "True", "create_timeout": "60", "flavor_id": "m1.small",
            "floating_ip_enabled": "True", "master_lb_enabled": "False", "fixed_network": ""
        }));
        let new = new.expect("a good body");
        assert_eq!((new.name.as_deref(), new.keypair, new.node_count), (Some("ui"), None, Some(3)));
        assert_eq!((new.master_count, new.docker_volume_size, new.merge_labels), (Some(1), Some(5), true));
        assert_eq!((new.create_timeout, new.flavor_id.as_deref()), (Some(Some(60)), Some("m1.small")));
        assert_eq!((new.floating_ip_enabled, new.master_lb_enabled), (Some(Some(true)), Some(false)));
        assert_eq!(new.fixed_network, None);
    }

    #[test]
    fn nulls_mean_what_magnum_makes_of_them() {
        let new = parse(&json!({
            "name": null, "keypair": null, "labels": null, "create_timeout": null, "floating_ip_enabled": null,
            "master_lb_enabled": null, "node_count": null, "merge_labels": null
        }));
        let new = new.expect("a good body");
        assert_eq!((new.create_timeout, new.floating_ip_enabled), (Some(None), Some(None)));
        assert_eq!((new.name, new.keypair, new.labels, new.master_lb_enabled), (None, None, None, None));
        assert!(!new.merge_labels);
        let absent = parse(&json!({})).expect("a good body");
        assert_eq!((absent.create_timeout, absent.floating_ip_enabled), (None, None));
    }

    #[test]
    fn bad_values_are_named() {
        let long = "a".repeat(243);
        let pattern = "Value should match the pattern ^[a-zA-Z][a-zA-Z0-9_.-]*$";
        let rows = [
            (
                json!({"cluster_template_id": null}),
                "cluster_template_id. Value: 'None'. Mandatory field missing.".to_owned(),
            ),
            (json!({"name": "1a"}), format!("name. Value: '1a'. {pattern}")),
            (json!({"name": "a b"}), format!("name. Value: 'a b'. {pattern}")),
            (json!({"name": "ä"}), format!("name. Value: 'ä'. {pattern}")),
            (
                json!({"name": long}),
                format!("name. Value: '{long}'. Value should have a maximum character requirement of 242"),
            ),
            (json!({"name": 5}), "name. Value: '5'. Value should be string".to_owned()),
            (json!({"node_count": -1}), "node_count. Value: '-1'. Value should be greater or equal to 0".to_owned()),
            (
                json!({"node_count": "x"}),
                "node_count. Value: 'x'. invalid literal for int() with base 10: 'x'".to_owned(),
            ),
            (json!({"master_count": 0}), "master_count. Value: '0'. Value should be greater or equal to 1".to_owned()),
            (json!({"master_count": null}), "master_count. Value: 'None'. Value can not be null".to_owned()),
            (
                json!({"docker_volume_size": 0}),
                "docker_volume_size. Value: '0'. Value should be greater or equal to 1".to_owned(),
            ),
            (
                json!({"labels": {"a": null}}),
                "labels. Value: 'None'. Value of 'a' should be a string, a number or a boolean".to_owned(),
            ),
            (json!({"links": []}), "links. Value: '[]'. Cannot set read only field.".to_owned()),
            (json!({"api_address": "x"}), "api_address. Value: 'x'. Cannot set read only field.".to_owned()),
        ];
        for (body, expected) in rows {
            let expected = format!("Invalid input for field/attribute {expected}");
            assert_eq!(parse(&body).expect_err(&expected), expected, "{body}");
        }
        assert_eq!(parse(&json!({"foo": 1})).expect_err("unknown"), "Unknown attribute for argument cluster: foo");
    }
}
