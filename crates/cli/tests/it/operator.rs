use std::collections::BTreeMap;
use std::fs;

use crate::fake;

async fn operator(line: &str) -> fake::Ran {
    fake::run(BTreeMap::new(), line, None).await
}

#[tokio::test]
async fn a_configuration_is_checked_line_by_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let good = file("good.conf", "[api]\nport = 9511\n[certificates]\ncert_manager_type = x509keypair\n");
    let odd = file("odd.conf", "[api]\nprot = 9511\n[conductor]\nworkers = 4\n");
    let wrong = file("wrong.conf", "[api]\nport = x\n");

    let ran = operator(&format!("config check --config-file {good}")).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert_eq!(ran.err, format!("the configuration can be used ({good})\n"));

    let ran = operator(&format!("config check --config-file {odd}")).await;
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.out,
        format!(
            "warning: {odd}:2: [api] prot: there is no such option; did you mean port?\n\
             note: {odd}:4: [conductor] workers: there is no conductor; say workers in [jeroboam]\n\
             note: [certificates] cert_manager_type is not set: certificates of new clusters go to Barbican, as Magnum's do; \
             where there is none, say x509keypair, which is the database\n"
        )
    );
    assert_eq!(operator(&format!("config check --strict --config-file {odd}")).await.code, 1);

    let ran = operator(&format!("config check --config-file {good} --config-file {wrong}")).await;
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out, format!("error: {wrong}:2: [api] port: \"x\" is not a whole number from 0 to 65535\n"));
    assert_eq!(ran.err, "error: the service does not start: 1 of its options cannot be used\n");

    let ran = operator("config check --config-file /nonexistent/x.conf").await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("error: read configuration /nonexistent/x.conf: No such file"), "{}", ran.err);
}

#[tokio::test]
async fn a_policy_is_checked_rule_by_rule() {
    let dir = tempfile::tempdir().expect("a directory");
    let (config, policy) = (dir.path().join("magnum.conf"), dir.path().join("mine.yaml"));
    fs::write(&config, "[oslo_policy]\npolicy_file = mine.yaml\n").expect("a file");
    fs::write(&policy, "\"cluster:get\": \"role:admin and\"\n").expect("a file");
    let ran = operator(&format!("policy check --config-file {}", config.display())).await;
    assert_eq!(ran.code, 1);
    let expected = "\"cluster:get\": the rule ends too early; it refuses everybody";
    assert_eq!(ran.out, format!("error: {}: {expected}\n", policy.display()));

    fs::write(&policy, "\"cluster:get\": \"role:admin\"\n").expect("a file");
    let ran = operator(&format!("policy check --config-file {}", config.display())).await;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", "the policy can be used\n"));
}

#[tokio::test]
async fn samples_and_completions_are_printed() {
    for (line, part) in [
        ("config sample", "#port = 9511\n"),
        ("policy sample", "#\"cluster:create\": "),
        ("completion bash", "_jeroboam()"),
        ("completion fish", "complete -c jeroboam"),
    ] {
        let ran = operator(line).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert!(ran.out.contains(part), "{line}: {}", ran.out);
    }
}
