//! The OpenAPI document: generated from the handlers, served, and kept in the repository, where a test compares it.

use std::collections::BTreeSet;

use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoParams, Modify, OpenApi};

use crate::App;
use crate::v1::{
    certificates, clusters, clustertemplates, credentials, discovery, federations, mservices, nodegroups, progress,
    quotas, stats,
};
use crate::{health, root};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Jeroboam",
        description = "Magnum's container infrastructure API, version 1, microversions 1.1 to 1.14. Routes under \
                       /v1/jeroboam and the routes without a version are our own.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        root::versions,
        discovery::resources,
        clusters::list::list,
        clusters::list::detail,
        clusters::get::get,
        clusters::create::create,
        clusters::update::update,
        clusters::delete::delete,
        clusters::resize::resize,
        clusters::upgrade::upgrade,
        nodegroups::list::list,
        nodegroups::get::get,
        nodegroups::create::create,
        nodegroups::update::update,
        nodegroups::delete::delete,
        clustertemplates::list::list,
        clustertemplates::list::detail,
        clustertemplates::get::get,
        clustertemplates::create::create,
        clustertemplates::update::update,
        clustertemplates::delete::delete,
        certificates::get::get,
        certificates::sign::sign,
        certificates::rotate::rotate,
        credentials::rotate,
        quotas::list::list,
        quotas::get::get,
        quotas::create::create,
        quotas::update::update,
        quotas::delete::delete,
        stats::stats,
        federations::list::list,
        federations::list::detail,
        federations::get::get,
        federations::create::create,
        federations::update::update,
        federations::delete::delete,
        mservices::list,
        progress::progress,
        health::healthcheck,
        health::healthz,
        health::readyz,
    ),
    components(schemas(crate::error::Errors, crate::error::Unsupported, crate::error::Unauthenticated)),
    modifiers(&Common),
    security(("token" = []))
)]
struct Api;

/// What the header that asks for a version looks like.
const VERSION: &str = r"^container-infra(structure(-management)?)? (latest|1\.([1-9]|1[0-4]))$";

/// What all operations have in common.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut Document) {
        close_requests(document);
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Auth-Token")));
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
        for (path, item) in &mut document.paths.paths {
            let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                complete(path, operation);
            }
        }
    }
}

/// What a request may hold besides what is named: nothing, as the service refuses it.
fn close_requests(document: &mut Document) {
    let mut taken = BTreeSet::new();
    for item in document.paths.paths.values() {
        for operation in [&item.post, &item.patch].into_iter().flatten() {
            // A body is a schema by its name, or a list of such.
            let text = serde_json::to_string(&operation.request_body).unwrap_or_default();
            let names = text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
            taken.extend(names.map(str::to_owned));
        }
    }
    let Some(components) = &mut document.components else { return };
    for (name, schema) in &mut components.schemas {
        if let (true, RefOr::T(Schema::Object(object))) = (taken.contains(name), schema) {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

fn complete(path: &str, operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
    operation.operation_id = operation.operation_id.take().map(|name| format!("{tag}_{name}"));
    let open = ["versions", "health"].contains(&tag.as_str());
    if open {
        operation.security = Some(vec![SecurityRequirement::default()]);
    }
    for (status, response) in &mut operation.responses.responses {
        let code = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
        if let (RefOr::T(response), Some(reason)) = (response, code.and_then(|code| code.canonical_reason())) {
            response.description = reason.to_owned();
        }
    }
    if !path.starts_with("/v1") {
        return;
    }
    let version = ParameterBuilder::new()
        .name("OpenStack-API-Version")
        .parameter_in(ParameterIn::Header)
        .description(Some("`container-infra 1.14`, or `container-infra latest`; 1.1 when absent"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).pattern(Some(VERSION))));
    operation.parameters.get_or_insert_default().push(version.build().into());
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        // What was said of these is only that they may come.
        if let (RefOr::T(response), '4' | '5') = (response, status.chars().next().unwrap_or_default()) {
            response.content.insert("application/json".to_owned(), body_of(&["Errors"]).into());
        }
    }
    let mut add = |status: &str, description: &str, kind: &str, body: Content| {
        let response = ResponseBuilder::new().description(description).content(kind, body);
        responses.insert(status.to_owned(), response.build().into());
    };
    add("406", "Not Acceptable", "application/json", body_of(&["Errors", "Unsupported"]));
    add("default", "A refusal", "application/json", body_of(&["Errors"]));
    if !open {
        add("401", "Unauthorized", "application/json", body_of(&["Unauthenticated"]));
        add("503", "Service Unavailable", "application/json", body_of(&["Errors"]));
        let html = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        if let Some(RefOr::T(away)) = operation.responses.responses.get_mut("503") {
            away.content.insert("text/html".to_owned(), html.build().into());
        }
    }
}

/// A body that is one of these.
fn body_of(schemas: &[&str]) -> Content {
    let schema: RefOr<Schema> = match schemas {
        [one] => Ref::from_schema_name(*one).into(),
        several => {
            let each = several.iter().map(|name| Ref::from_schema_name(*name));
            each.fold(OneOfBuilder::new(), OneOfBuilder::item).into()
        }
    };
    ContentBuilder::new().schema(Some(schema)).build()
}

/// What part of a listing is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "this is only described: arguments are read by hand, for their error messages")]
pub(crate) struct ListingParams {
    /// The last item of the page before.
    #[param(value_type = Option<String>, format = "uuid")]
    marker: Option<String>,
    /// How many at most.
    #[param(minimum = 1)]
    limit: Option<u64>,
    /// A column of the resource; `id` when absent.
    sort_key: Option<String>,
    /// `asc` or `desc`.
    #[param(pattern = "^(asc|desc)$")]
    sort_dir: Option<String>,
}

/// The document.
#[must_use]
pub fn document() -> Document {
    Api::openapi()
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/openapi.json", get(served))
}

async fn served() -> Json<Document> {
    Json(document())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_document_in_the_repository_is_the_one_that_is_served() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api/openapi.json");
        let generated = super::document().to_pretty_json().expect("a document") + "\n";
        #[expect(clippy::disallowed_methods, reason = "whoever changes the API says so by hand")]
        let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
        if update {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
            std::fs::write(&path, &generated).expect("the document can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == generated, "docs/api/openapi.json is out of date: run this test with UPDATE=1");
    }

    #[test]
    fn the_document_names_every_route_and_every_schema_it_refers_to() {
        let text = serde_json::to_string(&super::document()).expect("a document");
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap_or_default();
            assert!(schemas.contains_key(name), "{name}");
        }
        let routes = include_str!("v1/mod.rs");
        let templates = routes.split('"').filter(|text| text.starts_with("/v1"));
        // These answer nothing but that something is missing.
        let nothing = ["/v1/credentials", "/v1/quotas/{project}"];
        for path in templates.filter(|path| !nothing.contains(path)) {
            assert!(document["paths"].get(path).is_some(), "{path}");
        }
    }
}
