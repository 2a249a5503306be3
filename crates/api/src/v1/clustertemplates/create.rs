//! `POST /v1/clustertemplates`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use jeroboam_model::{Labels, ServerType, TemplateId};
use jeroboam_service::NewTemplate;
use utoipa::ToSchema;

use super::TemplateView;
use crate::App;
use crate::edge::{Links, Who};
use crate::error::ApiResult;
use crate::wire::{Argument, Body, Fields, Length, Query, Range};

const TEMPLATE: Argument = Argument {
    name: "cluster_template",
    known: &[
        "uuid",
        "name",
        "coe",
        "image_id",
        "flavor_id",
        "master_flavor_id",
        "dns_nameserver",
        "keypair_id",
        "external_network_id",
        "fixed_network",
        "fixed_subnet",
        "network_driver",
        "apiserver_port",
        "docker_volume_size",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "volume_driver",
        "registry_enabled",
        "labels",
        "tls_disabled",
        "public",
        "server_type",
        "insecure_registry",
        "docker_storage_driver",
        "master_lb_enabled",
        "floating_ip_enabled",
        "hidden",
        "tags",
        "driver",
        // Accepted and overwritten: the image says it.
        "cluster_distro",
    ],
    read_only: &["links", "project_id", "user_id", "created_at", "updated_at"],
};

/// The container engines that are made.
pub(super) const ENGINES: [&str; 1] = ["kubernetes"];
/// What nodes can be.
pub(super) const SERVER_TYPES: [&str; 2] = ["vm", "bm"];
/// Ports that an API may listen on.
pub(super) const PORTS: Range = Range(1024, 65_535);

/// A cluster template that is to be made. Numbers and booleans may come as text.
#[derive(Debug, ToSchema)]
pub(crate) struct CreateTemplate {
    /// A random one when absent.
    #[schema(value_type = Option<String>, format = "uuid")]
    uuid: Option<TemplateId>,
    /// A generated one when absent.
    #[schema(max_length = 255)]
    name: Option<String>,
    /// `kubernetes`.
    #[schema(pattern = "^kubernetes$")]
    #[expect(dead_code, reason = "there is only one engine, so it is enough that it was named")]
    coe: String,
    /// Glance image, name or id.
    #[schema(max_length = 255)]
    image_id: String,
    /// Flavor of the workers.
    flavor_id: Option<String>,
    /// Flavor of the control plane.
    master_flavor_id: Option<String>,
    /// Comma-separated IPv4 addresses.
    dns_nameserver: Option<String>,
    /// Nova key pair.
    keypair_id: Option<String>,
    /// Network with the way out.
    external_network_id: Option<String>,
    /// Network that is there already.
    fixed_network: Option<String>,
    /// Subnet that is there already.
    fixed_subnet: Option<String>,
    /// `flannel`, `calico`, `cilium`.
    network_driver: Option<String>,
    /// Port of the API.
    #[schema(minimum = 1024, maximum = 65535)]
    apiserver_port: Option<i32>,
    /// GiB.
    #[schema(minimum = 1)]
    docker_volume_size: Option<i32>,
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    no_proxy: Option<String>,
    /// `cinder`.
    volume_driver: Option<String>,
    registry_enabled: Option<bool>,
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    labels: Option<Labels>,
    tls_disabled: Option<bool>,
    /// Readable by every project.
    public: Option<bool>,
    /// `vm` or `bm`.
    #[schema(pattern = "^(vm|bm)$")]
    server_type: Option<String>,
    insecure_registry: Option<String>,
    docker_storage_driver: Option<String>,
    master_lb_enabled: Option<bool>,
    /// True when absent.
    floating_ip_enabled: Option<bool>,
    /// Not offered.
    hidden: Option<bool>,
    /// Comma-separated words.
    tags: Option<String>,
    /// The driver by name.
    driver: Option<String>,
}

impl CreateTemplate {
    fn parse(fields: &Fields) -> ApiResult<Self> {
        fields.not_null("labels")?;
        let column = |name| fields.text(name, Length::COLUMN);
        Ok(Self {
            uuid: fields.uuid("uuid")?.map(TemplateId::from),
            name: column("name")?,
            coe: fields.word("coe", &ENGINES)?.ok_or_else(|| Fields::missing("coe"))?,
            image_id: fields.mandatory_text("image_id", Length::COLUMN)?,
            flavor_id: column("flavor_id")?,
            master_flavor_id: column("master_flavor_id")?,
            dns_nameserver: column("dns_nameserver")?,
            keypair_id: column("keypair_id")?,
            external_network_id: column("external_network_id")?,
            fixed_network: column("fixed_network")?,
            fixed_subnet: column("fixed_subnet")?,
            network_driver: column("network_driver")?,
            apiserver_port: fields.integer("apiserver_port", PORTS)?,
            docker_volume_size: fields.integer("docker_volume_size", Range::POSITIVE)?,
            http_proxy: column("http_proxy")?,
            https_proxy: column("https_proxy")?,
            no_proxy: column("no_proxy")?,
            volume_driver: column("volume_driver")?,
            registry_enabled: fields.boolean("registry_enabled")?,
            labels: fields.labels("labels")?,
            tls_disabled: fields.boolean("tls_disabled")?,
            public: fields.boolean("public")?,
            server_type: fields.word("server_type", &SERVER_TYPES)?,
            insecure_registry: column("insecure_registry")?,
            docker_storage_driver: column("docker_storage_driver")?,
            master_lb_enabled: fields.boolean("master_lb_enabled")?,
            floating_ip_enabled: fields.boolean("floating_ip_enabled")?,
            hidden: fields.boolean("hidden")?,
            tags: fields.text("tags", Length(0, 255))?,
            driver: column("driver")?,
        })
    }
}

/// What nodes are, by the word of the wire.
pub(super) fn server_type(word: Option<&str>) -> ServerType {
    if word == Some("bm") { ServerType::Bm } else { ServerType::Vm }
}

impl From<CreateTemplate> for NewTemplate {
    fn from(wire: CreateTemplate) -> Self {
        Self {
            id: wire.uuid,
            name: wire.name,
            image_id: wire.image_id,
            flavor_id: wire.flavor_id,
            master_flavor_id: wire.master_flavor_id,
            keypair_id: wire.keypair_id,
            external_network_id: wire.external_network_id,
            fixed_network: wire.fixed_network,
            fixed_subnet: wire.fixed_subnet,
            dns_nameserver: wire.dns_nameserver,
            network_driver: wire.network_driver,
            volume_driver: wire.volume_driver,
            server_type: server_type(wire.server_type.as_deref()),
            apiserver_port: wire.apiserver_port,
            docker_volume_size: wire.docker_volume_size,
            docker_storage_driver: wire.docker_storage_driver,
            http_proxy: wire.http_proxy,
            https_proxy: wire.https_proxy,
            no_proxy: wire.no_proxy,
            insecure_registry: wire.insecure_registry,
            registry_enabled: wire.registry_enabled.unwrap_or_default(),
            labels: wire.labels.unwrap_or_default(),
            tls_disabled: wire.tls_disabled.unwrap_or_default(),
            public: wire.public.unwrap_or_default(),
            hidden: wire.hidden.unwrap_or_default(),
            master_lb_enabled: wire.master_lb_enabled.unwrap_or_default(),
            floating_ip_enabled: wire.floating_ip_enabled,
            tags: wire.tags,
            driver: wire.driver,
        }
    }
}

/// Makes a cluster template.
#[utoipa::path(post, path = "/v1/clustertemplates", tag = "clustertemplates", request_body = CreateTemplate,
    responses((status = 201, body = TemplateView), (status = 400), (status = 403), (status = 409)))]
pub(crate) async fn create(
    State(app): State<App>,
    who: Who,
    links: Links,
    query: Query,
    body: Body,
) -> ApiResult<Response> {
    query.only(&[])?;
    let wanted = CreateTemplate::parse(&body.fields(&TEMPLATE)?)?;
    let template = app.service().templates().create(&who, wanted.into()).await?;
    let location = format!("{}/v1/clustertemplates/{}", links.base(), template.id);
    let view = Json(TemplateView::new(&template, &links));
    Ok((StatusCode::CREATED, [(LOCATION, location)], view).into_response())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::ApiError;

    fn parse(more: &Value) -> Result<NewTemplate, String> {
        let mut body = json!({"coe": "kubernetes", "image_id": "i"});
        let map = body.as_object_mut().expect("an object");
        map.extend(more.as_object().expect("an object").clone());
        let fields = Body::of(body).fields(&TEMPLATE);
        fields.and_then(|fields| CreateTemplate::parse(&fields)).map(Into::into).map_err(ApiError::into_detail)
    }

    #[test]
    fn what_the_openstack_client_sends_is_understood() {
        let new = parse(&json!({
            "name": "k8s", "external_network_id": "public", "flavor_id": "m1.medium", "master_flavor_id": null,
            "docker_volume_size": null, "fixed_network": null, "fixed_subnet": null, "keypair_id": null,
            "network_driver": null, "volume_driver": null, "dns_nameserver": "8.8.8.8", "labels": {},
            "docker_storage_driver": "overlay2", "http_proxy": null, "https_proxy": null, "no_proxy": null,
            "public": false, "registry_enabled": false, "server_type": "vm", "tls_disabled": false,
            "master_lb_enabled": false, "floating_ip_enabled": true, "insecure_registry": null
        }));
        let new = new.expect("a good body");
        assert_eq!((new.image_id.as_str(), new.master_flavor_id), ("i", None));
        assert_eq!((new.floating_ip_enabled, new.server_type), (Some(true), ServerType::Vm));
    }

    #[test]
    fn bad_values_are_named() {
        let rows = [
            (json!({"coe": null}), "coe. Value: 'None'. Mandatory field missing."),
            (json!({"coe": "swarm"}), "coe. Value: 'swarm'. Value should be one of: kubernetes"),
            (json!({"image_id": null}), "image_id. Value: 'None'. Mandatory field missing."),
            (json!({"server_type": "container"}), "server_type. Value: 'container'. Value should be one of: vm, bm"),
            (json!({"apiserver_port": 80}), "apiserver_port. Value: '80'. Value should be greater or equal to 1024"),
            (
                json!({"apiserver_port": 70000}),
                "apiserver_port. Value: '70000'. Value should be lower or equal to 65535",
            ),
            (json!({"labels": null}), "labels. Value: 'None'. Value can not be null"),
            (json!({"created_at": "x"}), "created_at. Value: 'x'. Cannot set read only field."),
        ];
        for (body, expected) in rows {
            let expected = format!("Invalid input for field/attribute {expected}");
            assert_eq!(parse(&body).expect_err(&expected), expected, "{body}");
        }
    }
}
