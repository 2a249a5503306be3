//! The operator's file becomes the service's settings.

use std::collections::BTreeMap;
use std::time::Duration;

use jeroboam_certificates::Kind;
use jeroboam_oslo::Config;
use jeroboam_service::{ServiceConfig, SigningRules};

fn read(text: &str) -> ServiceConfig {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("magnum.conf");
    std::fs::write(&path, text).expect("write");
    ServiceConfig::from_oslo(&Config::load(&[path], &BTreeMap::new()).expect("configuration"))
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let (read, default) = (read(""), ServiceConfig::default());
    assert_eq!(read.max_clusters_per_project, default.max_clusters_per_project);
    assert_eq!(
        (read.create_timeout, read.update_timeout, read.delete_timeout),
        (default.create_timeout, default.update_timeout, default.delete_timeout)
    );
    assert_eq!(read.allowed_network_drivers, default.allowed_network_drivers);
    assert_eq!(read.default_network_driver, default.default_network_driver);
    assert_eq!((read.boot_volume_size, read.default_driver), (0, None));
    assert_eq!(read.credential_roles, default.credential_roles);
    let signing = SigningRules { key_usages: read.signing.key_usages.clone(), ..default.signing };
    assert_eq!(read.signing, signing);
    assert_eq!(read.certificates.kind, Kind::Barbican, "as Magnum: nobody's keys go elsewhere because it was replaced");
}

#[test]
fn what_the_operator_set_is_used() {
    let read = read(
        "[quotas]\nmax_clusters_per_project = 3\n[jeroboam]\ncreate_timeout = 90\nupdate_timeout = 999999999\n\
         credential_roles = member\n[cluster_template]\nkubernetes_allowed_network_drivers = all\n\
         kubernetes_default_network_driver = calico\n[cinder]\ndefault_boot_volume_size = 20\n[drivers]\n\
         default_driver = k8s_cluster_api_flatcar\ndisabled_drivers = k8s_cluster_api_debian\n[x509]\n\
         rsa_key_size = 4096\nterm_of_validity = 30\nallow_ca = true\nallowed_extensions = keyUsage\n\
         [certificates]\ncert_manager_type = x509keypair\n",
    );
    assert_eq!((read.max_clusters_per_project, read.boot_volume_size), (3, 20));
    assert_eq!(read.create_timeout, Duration::from_secs(90 * 60));
    assert!(read.update_timeout <= Duration::from_secs(366 * 86_400), "never is a year");
    assert_eq!(
        (read.allowed_network_drivers, read.credential_roles),
        (vec!["all".to_owned()], vec!["member".to_owned()])
    );
    assert_eq!(read.default_network_driver, "calico");
    assert_eq!(read.default_driver.as_deref(), Some("k8s_cluster_api_flatcar"));
    assert_eq!(read.disabled_drivers, ["k8s_cluster_api_debian"]);
    let signing = read.signing;
    assert_eq!((signing.key_bits, signing.validity_days, signing.allow_ca), (4096, 30, true));
    assert_eq!(signing.extensions, ["keyUsage"]);
    assert_eq!(read.certificates.kind, Kind::Database);
}
