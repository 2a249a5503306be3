//! `clouds.yaml` and its companions.

use std::collections::BTreeMap;
use std::path::Path;

use jeroboam_openstack::clouds::{
    ApplicationCredentialCloud, CloudConfig, Lookup, application_credential_clouds_yaml, resolve,
};
use jeroboam_openstack::{Auth, DomainRef, Interface, Named, Scope, ServiceType};
use secrecy::ExposeSecret;

const CLOUDS: &str = "
clouds:
  dev:
    auth:
      auth_url: http://keystone/v3
      username: demo
      project_name: demo
      user-domain-name: People
    region_name: RegionOne
    interface: internal
    cacert: ~/ca.pem
    container_infra_endpoint_override: http://127.0.0.1:9511/v1
  robot:
    auth:
      auth_url: https://keystone
      application_credential_id: 12345
      application_credential_secret: s
    verify: false
  vendor:
    profile: acme
    auth: {username: u, password: p, project_id: '1'}
  kerberos:
    auth_type: v3kerberos
    auth: {auth_url: http://k}
";

fn lookup(dir: &Path, env: &[(&str, &str)]) -> Lookup {
    let env: BTreeMap<_, _> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut lookup = Lookup::new(env, Some(dir.to_owned()));
    lookup.home = Some("/home/me".into());
    lookup.site_directories.clear();
    lookup
}

fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn found(dir: &Path, env: &[(&str, &str)]) -> CloudConfig {
    resolve(&lookup(dir, env)).unwrap()
}

fn refused(dir: &Path, env: &[(&str, &str)]) -> String {
    resolve(&lookup(dir, env)).unwrap_err().to_string()
}

#[test]
fn a_named_cloud_is_read_with_its_secret_from_beside_it() {
    let secure = "clouds: {dev: {auth: {password: hidden}}}";
    let dir = files(&[("clouds.yaml", CLOUDS), ("secure.yaml", secure)]);
    let cloud = found(dir.path(), &[("OS_CLOUD", "dev")]);
    let Auth::Password { user, password, scope } = &cloud.auth else { panic!("{:?}", cloud.auth) };
    assert_eq!(*user, Named::Name { name: "demo".into(), domain: DomainRef::Name("People".into()) });
    assert_eq!(*scope, Scope::Project(Named::Name { name: "demo".into(), domain: DomainRef::Id("default".into()) }));
    assert_eq!(password.expose_secret(), "hidden");
    assert_eq!((cloud.interface, cloud.verify), (Interface::Internal, true));
    assert_eq!(cloud.cacert.as_deref(), Some(Path::new("/home/me/ca.pem")));
    assert_eq!(cloud.region.as_deref(), Some("RegionOne"));
    assert_eq!(cloud.endpoint_overrides[&ServiceType::ContainerInfra], "http://127.0.0.1:9511/v1");
    assert!(!format!("{cloud:?}").contains("hidden"));
    let west = found(dir.path(), &[("OS_CLOUD", "dev"), ("OS_REGION_NAME", "west")]);
    assert_eq!(west.region.as_deref(), Some("west"));
}

#[test]
fn an_application_credential_needs_no_auth_type_and_numbers_are_text() {
    let dir = files(&[("clouds.yml", CLOUDS)]);
    let cloud = found(dir.path(), &[("OS_CLOUD", "robot")]);
    let Auth::ApplicationCredential { id, .. } = &cloud.auth else { panic!("{:?}", cloud.auth) };
    assert_eq!((id.as_str(), cloud.verify), ("12345", false));
    assert!(cloud.session_config().transport.insecure);
}

#[test]
fn the_variables_alone_make_a_cloud() {
    let dir = files(&[("clouds.yaml", CLOUDS)]);
    let base = [("OS_AUTH_URL", "http://k:5000"), ("OS_USERNAME", "u"), ("OS_PASSWORD", "p")];
    for (more, wanted) in [
        (vec![("OS_PROJECT_ID", "1")], Scope::Project(Named::Id("1".into()))),
        (vec![("OS_DOMAIN_NAME", "D")], Scope::Domain(DomainRef::Name("D".into()))),
        (vec![("OS_SYSTEM_SCOPE", "all")], Scope::System),
        (vec![("OS_TRUST_ID", "t")], Scope::Trust("t".into())),
        (vec![], Scope::Unscoped),
        (
            vec![("OS_TENANT_NAME", "p"), ("OS_DEFAULT_DOMAIN_ID", "x")],
            Scope::Project(Named::Name { name: "p".into(), domain: DomainRef::Id("x".into()) }),
        ),
    ] {
        let cloud = found(dir.path(), &[&base[..], &more].concat());
        let Auth::Password { scope, .. } = cloud.auth else { panic!("{more:?}") };
        assert_eq!(scope, wanted, "{more:?}");
        assert_eq!(cloud.name, "envvars");
    }
    let token = found(dir.path(), &[("OS_AUTH_URL", "http://k"), ("OS_TOKEN", "t"), ("OS_AUTH_TYPE", "v3token")]);
    assert!(matches!(token.auth, Auth::Token { .. }));
}

#[test]
fn the_only_cloud_is_taken_without_being_named() {
    let dir = files(&[("clouds.yaml", "clouds: {one: {auth: {auth_url: 'http://k', token: t}}}")]);
    assert_eq!(found(dir.path(), &[]).name, "one");
    assert_eq!(found(dir.path(), &[("OS_REGION_NAME", "r")]).name, "one");
}

#[test]
fn a_profile_is_laid_under_the_cloud() {
    let public = "public-clouds: {acme: {auth: {auth_url: 'https://acme'}, regions: [north, south]}}";
    let dir = files(&[("clouds.yaml", CLOUDS), ("clouds-public.yaml", public)]);
    let cloud = found(dir.path(), &[("OS_CLOUD", "vendor")]);
    assert_eq!((cloud.auth_url.as_str(), cloud.region.as_deref()), ("https://acme", Some("north")));
}

#[test]
fn what_is_wrong_is_said_without_what_is_secret() {
    let dir = files(&[("clouds.yaml", CLOUDS)]);
    let broken = files(&[("clouds.yaml", "clouds:\n  a: {password: hunter2\n  b: ]")]);
    let empty = files(&[]);
    for (dir, env, wanted) in [
        (&dir, vec![], "clouds.yaml has several clouds: set OS_CLOUD to one of them"),
        (&dir, vec![("OS_CLOUD", "x")], "cloud x was not found (known: dev, kerberos, robot, vendor)"),
        (&dir, vec![("OS_CLOUD", "dev")], "cloud dev has no password"),
        (&dir, vec![("OS_CLOUD", "kerberos")], "cloud kerberos has auth_type v3kerberos, which is not supported"),
        (&dir, vec![("OS_CLOUD", "vendor")], "profile acme is in no clouds-public.yaml"),
        (&dir, vec![("OS_USERNAME", "u")], "cloud envvars has no auth_url"),
        (&empty, vec![("OS_CLOUD", "x")], "cloud x was not found (no clouds.yaml was found)"),
        (
            &empty,
            vec![],
            "no cloud is configured: set OS_CLOUD and write a clouds.yaml, or set OS_AUTH_URL and its companions",
        ),
    ] {
        assert_eq!(refused(dir.path(), &env), wanted);
    }
    let message = refused(broken.path(), &[]);
    assert!(message.contains("is not valid YAML at line") && !message.contains("hunter2"), "{message}");
}

#[test]
fn a_rendered_file_is_read_back_as_it_was_meant() {
    let secret = "a\"b\\c: #d\n".into();
    let (region, id) = (Some("Region: One"), "1e10");
    let cloud = ApplicationCredentialCloud {
        name: "default",
        auth_url: "https://k:5000/v3",
        region,
        interface: Interface::Public,
        verify: true,
        id,
        secret: &secret,
    };
    let yaml = application_credential_clouds_yaml(&cloud);
    let dir = files(&[("clouds.yaml", yaml.expose_secret())]);
    let read = found(dir.path(), &[("OS_CLOUD", "default")]);
    let Auth::ApplicationCredential { id: read_id, secret: read_secret } = &read.auth else {
        panic!("{:?}", read.auth)
    };
    assert_eq!((read_id.as_str(), read_secret.expose_secret()), (id, secret.expose_secret()));
    assert_eq!((read.region.as_deref(), read.verify, read.auth_url.as_str()), (region, true, "https://k:5000/v3"));
}
