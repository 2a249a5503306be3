//! The real openstack client: python-openstackclient with python-magnumclient, and the real kubectl.

use std::process::Command;

use crate::bed::{Cloud, provided};

#[tokio::test]
async fn the_real_openstack_client_sees_a_whole_life() {
    let Some(client) = provided("JEROBOAM_CLIENT", "the folder with the openstack command; make test sets it") else {
        return;
    };
    let Some(kubectl) = provided("JEROBOAM_KUBECTL", "the kubectl program; make test sets it") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let cloud = Cloud::start(dir.path(), "20").await;
    let _service = cloud.service(dir.path(), "service", &[]).await;
    let kubectl = std::path::Path::new(&kubectl).parent().expect("a folder").display().to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/client/life.sh");
    let output = Command::new("bash")
        .args([script, "ubuntu-kube-v1.33.5", "ubuntu-kube-v1.34.2", "v1.33.5", "v1.34.2"])
        .env("PATH", format!("{client}:{kubectl}:/usr/local/bin:/usr/bin:/bin"))
        // `coe cluster config` writes its export line for the shell that this names, and stops without it.
        .env("SHELL", "/bin/bash")
        .env("OS_CLIENT_CONFIG_FILE", cloud.dir.join("clouds.yaml"))
        .env("OS_CLOUD", "jeroboam-dev")
        .output()
        .expect("bash");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
}
