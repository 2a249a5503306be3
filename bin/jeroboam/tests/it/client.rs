//! Clients that are not ours: python-openstackclient, python-magnumclient and openstacksdk, and the real kubectl.

use std::path::Path;
use std::process::Command;

use crate::bed::{Cloud, provided};

/// Lives a cluster's life with a script of `tests/client`, which a program of the clients' environment runs.
async fn lives(program: &str, script: &str) {
    let Some(client) = provided("JEROBOAM_CLIENT", "the folder with the openstack command; make test sets it") else {
        return;
    };
    let Some(kubectl) = provided("JEROBOAM_KUBECTL", "the kubectl program; make test sets it") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let cloud = Cloud::start(dir.path(), "20").await;
    let _service = cloud.service(dir.path(), "service", &[]).await;
    let kubectl = Path::new(&kubectl).parent().expect("a folder").display().to_string();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/client").join(script);
    let path = format!("{client}:{kubectl}:/usr/local/bin:/usr/bin:/bin");
    let output = Command::new("env")
        .arg(format!("PATH={path}"))
        .arg(program)
        .arg(script)
        .args(["ubuntu-kube-v1.33.5", "ubuntu-kube-v1.34.2", "v1.33.5", "v1.34.2"])
        // `coe cluster config` writes its export line for the shell that this names, and stops without it.
        .env("SHELL", "/bin/bash")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("OS_CLIENT_CONFIG_FILE", cloud.dir.join("clouds.yaml"))
        .env("OS_CLOUD", "jeroboam-dev")
        .output()
        .expect("env");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
}

#[tokio::test]
async fn the_real_openstack_client_sees_a_whole_life() {
    lives("bash", "life.sh").await;
}

#[tokio::test]
async fn python_magnumclient_sees_a_whole_life_with_every_call_it_has() {
    lives("python", "magnumclient_life.py").await;
}

#[tokio::test]
async fn openstacksdk_sees_a_whole_life_with_every_call_it_has() {
    lives("python", "sdk_life.py").await;
}
