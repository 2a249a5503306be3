//! The public templates that a fresh pretend cloud offers, made through the API like anybody's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::Method;
use jeroboam_model::SystemClock;
use jeroboam_openstack::{Auth, DomainRef, Named, Scope, ServiceType, Session, SessionConfig};
use jeroboam_telemetry::Shutdown;
use serde_json::{Value, json};
use tracing::info;

use super::files::Cloud;

/// What the tour begins with.
pub(super) const OLDER: &str = "kubernetes-v1.33";
/// What it upgrades to.
const NEWER: &str = "kubernetes-v1.34";

/// How often the service is asked whether it is there, and how long.
const STEP: Duration = Duration::from_millis(50);
const STEPS: u32 = 600;

/// Waits for the service and makes what is missing. A real cloud has templates of its own.
pub(super) async fn seed(port: u16, cloud: &Cloud, shutdown: &Shutdown) -> Result<()> {
    let Some(password) = cloud.password() else { return Ok(()) };
    let named = |name: &str| Named::Name { name: name.to_owned(), domain: DomainRef::Name("Default".to_owned()) };
    let auth =
        Auth::Password { user: named("admin"), password: password.clone(), scope: Scope::Project(named("admin")) };
    let mut config = SessionConfig::new(cloud.auth_url.clone(), auth);
    config.endpoint_overrides.insert(ServiceType::ContainerInfra, format!("http://127.0.0.1:{port}/v1"));
    let session = Session::new(config, Arc::new(SystemClock))?;
    let Some(have) = when_there(&session, shutdown).await? else { return Ok(()) };
    for (name, image) in [(OLDER, "ubuntu-kube-v1.33.5"), (NEWER, "ubuntu-kube-v1.34.2")] {
        let there = have["clustertemplates"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name));
        if there {
            continue;
        }
        let body = json!({"name": name, "coe": "kubernetes", "image_id": image, "external_network_id": "public",
            "flavor_id": "m1.small", "master_flavor_id": "m1.medium", "dns_nameserver": "9.9.9.9", "public": true,
            "network_driver": "calico", "master_lb_enabled": true, "floating_ip_enabled": true});
        let made = session.request(ServiceType::ContainerInfra, Method::POST, &["clustertemplates"]).json(body).send();
        made.await.with_context(|| format!("make the template {name}"))?;
        info!("made the public template {name}");
    }
    Ok(())
}

async fn when_there(session: &Session, shutdown: &Shutdown) -> Result<Option<Value>> {
    let mut last = None;
    for _ in 0..STEPS {
        if shutdown.token().is_cancelled() {
            return Ok(None);
        }
        let asked = session.request(ServiceType::ContainerInfra, Method::GET, &["clustertemplates"]).send().await;
        match asked.and_then(|answer| answer.json::<Value>()) {
            Ok(have) => return Ok(Some(have)),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(STEP).await;
    }
    match last {
        Some(error) => Err(error).context("the service did not come up"),
        None => bail!("the service did not come up"),
    }
}
