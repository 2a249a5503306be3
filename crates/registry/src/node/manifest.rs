//! What a cluster needs so that every node has a registry at `localhost:5000`: configuration, credentials, a DaemonSet.
//!
//! The same settings always give the same objects. Nothing is reached from outside of a node, nor from pods that have a network of their own: the registry is in the network of the
//! node and listens on its loopback, where containerd and the kubelet are.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// What everything is called.
const NAME: &str = "jeroboam-registry";

/// Where the cache is on a node.
const CACHE: &str = "/var/cache/jeroboam-registry";

/// Where blobs of other registries are on their way, which are as large as those in the cache.
const SPOOL: &str = "/var/cache/jeroboam-registry/spool";

/// Where the cache of the store is.
const STORE: &str = "/var/cache/jeroboam-registry/store";

/// The program in its image.
const PROGRAM: &str = "/bin/registry";

/// Where containerd looks.
const CERTS: &str = "/etc/containerd/certs.d";

/// How a node's registry gets into the container of the store.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of Keystone")]
pub enum Credentials {
    /// An application credential, best one with access rules for the container alone.
    Application { id: String, secret: SecretString },
    /// A trust, as Magnum makes one for each cluster.
    Trust { trust_id: String, user_name: String, domain_id: String, password: SecretString },
    /// A user of its own.
    Password { user_name: String, domain: String, project: String, project_domain: String, password: SecretString },
}

impl Credentials {
    /// The lines of the file that the registry reads them from.
    fn lines(&self) -> String {
        let pairs: Vec<(&str, &str)> = match self {
            Self::Application { id, secret } => {
                vec![("applicationcredentialid", id), ("applicationcredentialsecret", secret.expose_secret())]
            }
            Self::Trust { trust_id, user_name, domain_id, password } => vec![
                ("username", user_name),
                ("domainid", domain_id),
                ("trustid", trust_id),
                ("password", password.expose_secret()),
            ],
            Self::Password { user_name, domain, project, project_domain, password } => vec![
                ("username", user_name),
                ("domain", domain),
                ("tenant", project),
                ("tenantdomain", project_domain),
                ("password", password.expose_secret()),
            ],
        };
        // A text in JSON is the same text in YAML.
        pairs.into_iter().map(|(name, value)| format!("{name}: {}\n", Value::from(value))).collect()
    }
}

/// What a cluster's registry is like.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// Where in Kubernetes.
    pub namespace: String,
    /// The image of this program.
    pub image: String,
    /// The port on the loopback of each node.
    pub port: u16,
    /// Keystone, with `/v3`.
    pub auth_url: String,
    /// The region of the store.
    pub region: String,
    /// The container.
    pub container: String,
    /// Authorities to believe, in PEM, where the machine's are not enough.
    pub ca_cert: Option<String>,
    /// Who the registry is there.
    pub credentials: Credentials,
    /// Most bytes on each node, such as `20GiB`.
    pub cache_size: String,
    /// Whether pods may push.
    pub push: bool,
    /// Registries that the node's registry is a cache of, by the host that images name.
    pub mirrors: Vec<String>,
}

impl NodeSettings {
    /// The configuration of each registry.
    fn config(&self) -> Value {
        let mut swift = json!({
            "authurl": self.auth_url,
            "region": self.region,
            "container": self.container,
            "secretsfile": "/etc/jeroboam/secrets/secrets.yml",
        });
        if self.ca_cert.is_some() {
            swift["cacert"] = json!("/etc/jeroboam/config/ca.pem");
        }
        let mirror = |host: &String| {
            let url = if host == "docker.io" { "registry-1.docker.io" } else { host };
            json!({"host": host, "prefix": format!("mirror/{}", component(host)), "url": format!("https://{url}")})
        };
        let mut ours = json!({"nodecache": {"directory": STORE, "size": self.cache_size, "push": self.push}});
        if !self.mirrors.is_empty() {
            ours["mirrors"] = self.mirrors.iter().map(mirror).collect();
        }
        json!({
            "version": "0.1",
            "http": {"addr": format!("127.0.0.1:{}", self.port)},
            "storage": {"swift": swift},
            "jeroboam": ours,
        })
    }
}

/// A host as a part of a repository's name.
fn component(host: &str) -> String {
    let mapped = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = host.chars().map(mapped).collect();
    text.trim_matches('-').to_owned()
}

/// All objects, in the order in which they are applied.
#[must_use]
pub fn resources(settings: &NodeSettings) -> Vec<Value> {
    let meta = json!({
        "name": NAME,
        "namespace": settings.namespace,
        "labels": {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "registry"},
    });
    let mut files = json!({"config.yml": settings.config().to_string()});
    if let Some(pem) = &settings.ca_cert {
        files["ca.pem"] = json!(pem);
    }
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": files});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque",
        "stringData": {"secrets.yml": settings.credentials.lines()},
    });
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta, "automountServiceAccountToken": false,
    });
    vec![account, config, secret, daemon_set(settings, &meta)]
}

fn daemon_set(settings: &NodeSettings, meta: &Value) -> Value {
    let selector = json!({"app.kubernetes.io/name": NAME});
    let port = settings.port;
    let probe = |path: &str, every: u32| json!({"httpGet": {"host": "127.0.0.1", "path": path, "port": port}, "periodSeconds": every});
    let confined = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    // It writes below /etc and /var/cache of the node, which belong to root.
    let mut as_root = confined;
    as_root["runAsUser"] = json!(0);
    as_root["capabilities"]["add"] = json!(["DAC_OVERRIDE"]);
    let mut mirrored = Vec::new();
    for host in &settings.mirrors {
        mirrored.extend(["--mirror".to_owned(), host.clone()]);
    }
    let mut hosts_args = vec!["node".to_owned(), "hosts".to_owned()];
    hosts_args.extend(["--port".to_owned(), port.to_string(), "--to".to_owned(), CERTS.to_owned()]);
    hosts_args.extend(mirrored);
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta,
        "spec": {
            "selector": {"matchLabels": selector},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            "template": {
                "metadata": {"labels": meta["labels"]},
                "spec": {
                    "serviceAccountName": NAME,
                    "automountServiceAccountToken": false,
                    "hostNetwork": true,
                    "dnsPolicy": "ClusterFirstWithHostNet",
                    "priorityClassName": "system-node-critical",
                    // Every node pulls, also those of the control plane and those that are not ready.
                    "tolerations": [{"operator": "Exists"}],
                    "terminationGracePeriodSeconds": 60,
                    "initContainers": [{
                        "name": "containerd",
                        "image": settings.image,
                        "command": [PROGRAM],
                        "args": hosts_args,
                        "securityContext": as_root,
                        "volumeMounts": [{"name": "containerd", "mountPath": CERTS}],
                    }],
                    "containers": [{
                        "name": "registry",
                        "image": settings.image,
                        "command": [PROGRAM],
                        "args": ["serve", "/etc/jeroboam/config/config.yml"],
                        // So that no two of them are put on one node; nothing is opened by it.
                        "ports": [{"name": "registry", "containerPort": port, "hostPort": port}],
                        "env": [{"name": "TMPDIR", "value": SPOOL}],
                        "readinessProbe": probe("/readyz", 10),
                        "livenessProbe": probe("/healthz", 30),
                        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
                        "securityContext": as_root,
                        "volumeMounts": [
                            {"name": "config", "mountPath": "/etc/jeroboam/config", "readOnly": true},
                            {"name": "secrets", "mountPath": "/etc/jeroboam/secrets", "readOnly": true},
                            {"name": "cache", "mountPath": CACHE},
                        ],
                    }],
                    "volumes": [
                        {"name": "config", "configMap": {"name": NAME}},
                        {"name": "secrets", "secret": {"secretName": NAME, "defaultMode": 0o400}},
                        {"name": "cache", "hostPath": {"path": CACHE, "type": "DirectoryOrCreate"}},
                        {"name": "containerd", "hostPath": {"path": CERTS, "type": "DirectoryOrCreate"}},
                    ],
                },
            },
        },
    })
}

/// All objects as one text that `kubectl apply -f -` takes.
#[must_use]
pub fn yaml(settings: &NodeSettings) -> String {
    let documents = resources(settings)
        .into_iter()
        .map(|object| serde_saphyr::to_string(&object).expect("texts, numbers, lists and maps can be written as YAML"));
    documents.map(|text| format!("---\n{text}")).collect()
}
