//! Cinder: volume types and volumes.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::access::Access;
use super::answer::{Answer, ok, version, with_status};
use super::documents::{Filters, owner, shown};
use super::refusal::Who;

const WHO: Who = Who::Volume;

pub(super) fn router() -> Router<Cloud> {
    Router::new()
        .route("/", get(versions))
        .route("/v3", get(own_version))
        .route("/v3/", get(own_version))
        .route("/v3/types", get(types))
        .route("/v3/types/{id}", get(volume_type))
        .route("/v3/volumes", get(volumes))
        .route("/v3/volumes/detail", get(volumes))
        .route("/v3/volumes/{id}", get(volume).delete(remove))
        .route("/v3/snapshots", get(async || Json(json!({"snapshots": []}))))
        .route("/v3/snapshots/detail", get(async || Json(json!({"snapshots": []}))))
        .route("/v3/limits", get(limits))
        .route("/v3/os-quota-sets/{project}", get(quota))
        .route("/v3/os-quota-sets/{project}/defaults", get(quota))
        .route("/v3/os-availability-zone", get(zones))
}

fn document(cloud: &Cloud) -> Value {
    version("v3.0", &format!("{}/volume/v3/", cloud.base_url()), Some(("3.0", "3.71")))
}

async fn versions(State(cloud): State<Cloud>) -> Answer {
    with_status(StatusCode::MULTIPLE_CHOICES, json!({"versions": [document(&cloud)]}))
}

async fn own_version(State(cloud): State<Cloud>) -> Answer {
    ok(json!({"versions": [document(&cloud)]}))
}

async fn types(State(cloud): State<Cloud>, access: Access) -> Answer {
    ok(json!({"volume_types": cloud.select(&access, "volumetype", &Filters::default())}))
}

async fn volume_type(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    if id == "default" {
        let all = cloud.state().list("volumetype").into_iter().map(|(_, kind)| kind);
        let default = all.into_iter().find(|kind| kind["_default"] == true);
        let default = default.ok_or_else(|| WHO.refuse(404, "Default volume type can not be found."))?;
        return ok(json!({"volume_type": shown(&default)}));
    }
    ok(json!({"volume_type": shown(&*cloud.find(&access, WHO, "volumetype", "Volume type", &id)?)}))
}

async fn volumes(State(cloud): State<Cloud>, access: Access, filters: Filters) -> Answer {
    let tagged: Option<serde_json::Map<String, Value>> = match filters.get("metadata") {
        Some(text) => Some(metadata(text).ok_or_else(|| WHO.bad("The metadata filter is no mapping"))?),
        None => None,
    };
    let mut all = cloud.select_own(&access, "volume", &filters.clone().without(&["metadata", "offset"]));
    if let Some(tagged) = tagged {
        all.retain(|volume| tagged.iter().all(|(name, value)| volume["metadata"][name] == *value));
    }
    let (page, next) = filters.page(all.into_iter().map(complete).collect());
    let mut body = json!({"volumes": page});
    if let Some(marker) = next {
        let href = format!("{}/volume/v3/volumes/detail?{}", cloud.base_url(), filters.after(&marker));
        body["volumes_links"] = json!([{"rel": "next", "href": href}]);
    }
    ok(body)
}

/// Python's clients write a dictionary as Python does.
fn metadata(text: &str) -> Option<serde_json::Map<String, Value>> {
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&text.replace('\'', "\""))).ok()
}

async fn volume(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    let found = cloud.find(&access, WHO, "volume", "Volume", &id)?;
    ok(json!({"volume": complete(shown(&found))}))
}

async fn remove(State(cloud): State<Cloud>, access: Access, Path(id): Path<String>) -> Answer {
    let found = cloud.find(&access, WHO, "volume", "Volume", &id)?;
    if found["status"] == "in-use" {
        return Err(WHO.bad("Invalid volume: Volume status must be available or error, but current status is: in-use"));
    }
    cloud.state().remove("volume", &id);
    Ok(StatusCode::ACCEPTED.into_response())
}

/// What every volume has on the wire, whoever put the document there.
fn complete(mut volume: Value) -> Value {
    let project = owner(&volume).map(str::to_owned);
    if let Some(map) = volume.as_object_mut() {
        let usual = [
            ("status", json!("available")),
            ("size", json!(1)),
            ("attachments", json!([])),
            ("metadata", json!({})),
            ("bootable", json!("false")),
            ("volume_type", json!("standard")),
            ("availability_zone", json!("nova")),
            ("os-vol-tenant-attr:tenant_id", json!(project)),
            ("links", json!([])),
        ];
        for (name, value) in usual {
            map.entry(name).or_insert(value);
        }
    }
    volume
}

async fn limits(State(cloud): State<Cloud>, access: Access) -> Answer {
    let used = cloud.select_own(&access, "volume", &Filters::default()).len();
    ok(json!({"limits": {"rate": [], "absolute": {"maxTotalVolumes": 1000, "maxTotalVolumeGigabytes": 100_000,
        "maxTotalSnapshots": 1000, "totalVolumesUsed": used, "totalGigabytesUsed": 0, "totalSnapshotsUsed": 0}}}))
}

async fn quota(access: Access, Path(project): Path<String>) -> Answer {
    if !access.admin && access.project.as_deref() != Some(project.as_str()) {
        return Err(WHO.forbidden());
    }
    ok(json!({"quota_set": {"id": project, "volumes": 1000, "gigabytes": 100_000, "snapshots": 1000, "backups": 100,
        "backup_gigabytes": 1000, "per_volume_gigabytes": -1, "groups": 10}}))
}

async fn zones(_access: Access) -> Answer {
    ok(json!({"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": true}}]}))
}
