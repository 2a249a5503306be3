//! Every option that is read, those of Magnum and ours, in one table; and those that are known but not read.

use super::value::Kind;
use super::value::Kind::{Bool, Float, Host, Int, Ip, List, ListOf, Multi, OneOf, Text};

/// A declared option.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// The group; `DEFAULT` is one.
    pub group: &'static str,
    /// The name, with underscores.
    pub name: &'static str,
    /// What its value has to be.
    pub kind: Kind,
    /// What holds when it is not set; `$name` is replaced in it too.
    pub default: Option<&'static str>,
    /// One or two sentences for the sample.
    pub help: &'static str,
    /// Older places of the same option.
    pub deprecated: &'static [(&'static str, &'static str)],
    /// Whether the value is nobody's business: it is never shown.
    pub secret: bool,
}

const fn opt(group: &'static str, name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Opt {
    Opt { group, name, kind, default: Some(default), help, deprecated: &[], secret: false }
}

const fn unset(group: &'static str, name: &'static str, kind: Kind, help: &'static str) -> Opt {
    Opt { group, name, kind, default: None, help, deprecated: &[], secret: false }
}

impl Opt {
    const fn or(mut self, places: &'static [(&'static str, &'static str)]) -> Self {
        self.deprecated = places;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

const ANY: Kind = Int(i64::MIN, i64::MAX);
const NATURAL: Kind = Int(0, i64::MAX);
const POSITIVE: Kind = Int(1, i64::MAX);
const PORT: Kind = Int(0, 65535);
const INTERFACE: &str =
    "Which endpoint of the catalogue to use: public, internal or admin, with or without URL after it.";
const CA_FILE: &str = "Certificates to trust towards this service, PEM; those of the session when not set.";
const INSECURE: &str = "Trust any certificate of this service.";
const REGION: &str = "Region whose endpoint to use; the first one when not set.";

/// Extensions and key usages by the names that Magnum's configuration has for them.
const EXTENSIONS: &[&str] = &[
    "authorityKeyIdentifier",
    "subjectKeyIdentifier",
    "authorityInfoAccess",
    "basicConstraints",
    "cRLDistributionPoints",
    "certificatePolicies",
    "extendedKeyUsage",
    "OCSPNoCheck",
    "inhibitAnyPolicy",
    "keyUsage",
    "nameConstraints",
    "subjectAltName",
    "issuerAltName",
];
const KEY_USAGES: &[&str] = &[
    "Digital Signature",
    "Non Repudiation",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Certificate Sign",
    "CRL Sign",
    "Encipher Only",
    "Decipher Only",
];

const OPTIONS: &[Opt] = &[
    unset("DEFAULT", "host", Host, "Name of this host in the list of services; the machine's own name when not set."),
    opt("DEFAULT", "debug", Bool, "false", "Log at debug level."),
    unset("DEFAULT", "log_file", Text, "File for the log; standard error when not set.").or(&[("DEFAULT", "logfile")]),
    unset("DEFAULT", "log_dir", Text, "Directory for log_file.").or(&[("DEFAULT", "logdir")]),
    opt("DEFAULT", "use_json", Bool, "false", "Log one JSON object per line."),
    opt("DEFAULT", "use_stderr", Bool, "false", "Log to standard error also when there is a log_file."),
    opt("DEFAULT", "default_log_levels", List, "", "Pairs of logger=LEVEL that differ from the rest."),
    opt("DEFAULT", "state_path", Text, "/var/lib/magnum", "Directory for what the service keeps between starts."),
    opt(
        "DEFAULT",
        "service_down_time",
        NATURAL,
        "180",
        "Seconds after its last sign of life when a service counts as down.",
    ),
    opt(
        "DEFAULT",
        "transport_url",
        Text,
        "rabbit://",
        "The message bus, RabbitMQ, that notifications go to; nothing else does.",
    )
    .secret(),
    opt("DEFAULT", "control_exchange", Text, "magnum", "Exchange of the message bus that notifications are given to."),
    opt(
        "oslo_messaging_notifications",
        "driver",
        Multi,
        "",
        "How others are told of clusters: messagingv2, messaging, log or noop; nobody is told when not set. May be repeated.",
    ),
    unset(
        "oslo_messaging_notifications",
        "transport_url",
        Text,
        "The message bus for notifications; transport_url of [DEFAULT] when not set.",
    )
    .secret(),
    opt("oslo_messaging_notifications", "topics", List, "notifications", "Topics that notifications are sent to."),
    opt(
        "oslo_messaging_notifications",
        "retry",
        ANY,
        "-1",
        "How often a notification is sent again before it is dropped; -1 for as long as it takes.",
    ),
    opt("oslo_messaging_rabbit", "ssl", Bool, "false", "Speak TLS with RabbitMQ."),
    opt(
        "oslo_messaging_rabbit",
        "ssl_ca_file",
        Text,
        "",
        "Certificates to trust, PEM; those of the machine when not set.",
    ),
    opt("oslo_messaging_rabbit", "ssl_cert_file", Text, "", "Certificate to show to RabbitMQ, PEM."),
    opt("oslo_messaging_rabbit", "ssl_key_file", Text, "", "Its key, PEM."),
    opt(
        "oslo_messaging_rabbit",
        "heartbeat_timeout_threshold",
        ANY,
        "60",
        "Seconds without a sign of life after which RabbitMQ counts as away.",
    ),
    opt(
        "oslo_messaging_rabbit",
        "amqp_durable_queues",
        Bool,
        "false",
        "Queues and exchange outlive a restart of RabbitMQ.",
    ),
    opt("oslo_messaging_rabbit", "amqp_auto_delete", Bool, "false", "Queues and exchange go with their last user."),
    opt("oslo_messaging_rabbit", "rabbit_quorum_queue", Bool, "false", "Queues are quorum queues, and durable."),
    opt("oslo_messaging_rabbit", "rabbit_ha_queues", Bool, "false", "Queues ask to be mirrored everywhere."),
    opt("api", "port", PORT, "9511", "Port of the API."),
    opt("api", "host", Ip, "127.0.0.1", "Address of the API."),
    opt("api", "max_limit", POSITIVE, "1000", "Most items of one page of a list."),
    unset("api", "workers", POSITIVE, "Threads of the API; one for each processor when not set."),
    opt("api", "enabled_ssl", Bool, "false", "Serve TLS."),
    unset("api", "ssl_cert_file", Text, "Certificate for TLS, PEM."),
    unset("api", "ssl_key_file", Text, "Private key for TLS, PEM."),
    opt(
        "database",
        "connection",
        Text,
        "sqlite:///$state_path/magnum.sqlite",
        "Where the database is: sqlite, mysql or postgresql, as SQLAlchemy writes it.",
    )
    .or(&[("DEFAULT", "sql_connection"), ("DATABASE", "sql_connection"), ("sql", "connection")])
    .secret(),
    opt("database", "max_pool_size", NATURAL, "5", "Connections that are kept open."),
    opt("database", "max_overflow", ANY, "50", "Connections beyond max_pool_size that may be opened for a while."),
    opt("database", "pool_timeout", NATURAL, "30", "Seconds a request waits for a connection."),
    unset("keystone_authtoken", "www_authenticate_uri", Text, "Where callers without a token are sent.")
        .or(&[("keystone_authtoken", "auth_uri")]),
    unset("keystone_authtoken", "auth_url", Text, "Where tokens are checked."),
    opt(
        "keystone_authtoken",
        "auth_type",
        Text,
        "password",
        "How the service itself logs in: password or v3applicationcredential.",
    )
    .or(&[("keystone_authtoken", "auth_plugin")]),
    unset("keystone_authtoken", "auth_section", Text, "Another group that holds the log-in."),
    unset("keystone_authtoken", "username", Text, "User of the service.")
        .or(&[("keystone_authtoken", "user-name"), ("keystone_authtoken", "user_name")]),
    unset("keystone_authtoken", "user_id", Text, "Id of the user, in place of its name."),
    unset("keystone_authtoken", "password", Text, "Its password.").secret(),
    unset("keystone_authtoken", "project_name", Text, "Project of the service.")
        .or(&[("keystone_authtoken", "tenant-name"), ("keystone_authtoken", "tenant_name")]),
    unset("keystone_authtoken", "project_id", Text, "Id of the project, in place of its name.")
        .or(&[("keystone_authtoken", "tenant-id"), ("keystone_authtoken", "tenant_id")]),
    unset("keystone_authtoken", "user_domain_name", Text, "Domain of the user."),
    unset("keystone_authtoken", "user_domain_id", Text, "Id of the domain of the user."),
    unset("keystone_authtoken", "project_domain_name", Text, "Domain of the project."),
    unset("keystone_authtoken", "project_domain_id", Text, "Id of the domain of the project."),
    unset("keystone_authtoken", "default_domain_name", Text, "Domain where none else is named."),
    unset("keystone_authtoken", "default_domain_id", Text, "Id of the domain where none else is named."),
    unset("keystone_authtoken", "trust_id", Text, "Trust whose project the service acts in."),
    unset("keystone_authtoken", "domain_id", Text, "Id of the domain to act in, in place of a project."),
    unset("keystone_authtoken", "domain_name", Text, "Domain to act in, in place of a project."),
    unset("keystone_authtoken", "system_scope", Text, "all to act on the whole cloud, in place of a project."),
    unset("keystone_authtoken", "application_credential_id", Text, "Application credential of the service."),
    unset(
        "keystone_authtoken",
        "application_credential_name",
        Text,
        "Name of the application credential, in place of its id.",
    ),
    unset("keystone_authtoken", "application_credential_secret", Text, "Its secret.").secret(),
    unset("keystone_authtoken", "region_name", Text, REGION),
    opt("keystone_authtoken", "interface", Text, "internal", INTERFACE),
    unset("keystone_authtoken", "cafile", Text, "Certificates to trust, PEM."),
    opt("keystone_authtoken", "insecure", Bool, "false", "Trust any certificate."),
    opt("keystone_authtoken", "token_cache_time", ANY, "300", "Seconds a checked token is remembered; -1 for never."),
    opt("keystone_authtoken", "service_token_roles", List, "service", "Roles of which a service token needs one."),
    opt(
        "keystone_authtoken",
        "service_token_roles_required",
        Bool,
        "true",
        "Refuse service tokens without such a role.",
    ),
    opt("keystone_authtoken", "http_connect_timeout", NATURAL, "10", "Seconds to wait for Keystone."),
    unset(
        "keystone_auth",
        "auth_url",
        Text,
        "Where the service logs in for its calls to other services; keystone_authtoken's when not set.",
    ),
    opt("keystone_auth", "auth_type", Text, "password", "How it logs in: password or v3applicationcredential.")
        .or(&[("keystone_auth", "auth_plugin")]),
    unset("keystone_auth", "auth_section", Text, "Another group that holds the log-in."),
    unset("keystone_auth", "username", Text, "User of the service.")
        .or(&[("keystone_auth", "user-name"), ("keystone_auth", "user_name")]),
    unset("keystone_auth", "user_id", Text, "Id of the user, in place of its name."),
    unset("keystone_auth", "password", Text, "Its password.").secret(),
    unset("keystone_auth", "project_name", Text, "Project of the service.")
        .or(&[("keystone_auth", "tenant-name"), ("keystone_auth", "tenant_name")]),
    unset("keystone_auth", "project_id", Text, "Id of the project, in place of its name.")
        .or(&[("keystone_auth", "tenant-id"), ("keystone_auth", "tenant_id")]),
    unset("keystone_auth", "user_domain_name", Text, "Domain of the user."),
    unset("keystone_auth", "user_domain_id", Text, "Id of the domain of the user."),
    unset("keystone_auth", "project_domain_name", Text, "Domain of the project."),
    unset("keystone_auth", "project_domain_id", Text, "Id of the domain of the project."),
    unset("keystone_auth", "default_domain_name", Text, "Domain where none else is named."),
    unset("keystone_auth", "default_domain_id", Text, "Id of the domain where none else is named."),
    unset("keystone_auth", "trust_id", Text, "Trust whose project the service acts in."),
    unset("keystone_auth", "domain_id", Text, "Id of the domain to act in, in place of a project."),
    unset("keystone_auth", "domain_name", Text, "Domain to act in, in place of a project."),
    unset("keystone_auth", "system_scope", Text, "all to act on the whole cloud, in place of a project."),
    unset("keystone_auth", "application_credential_id", Text, "Application credential of the service."),
    unset(
        "keystone_auth",
        "application_credential_name",
        Text,
        "Name of the application credential, in place of its id.",
    ),
    unset("keystone_auth", "application_credential_secret", Text, "Its secret.").secret(),
    unset("keystone_auth", "region_name", Text, REGION),
    unset("keystone_auth", "interface", Text, INTERFACE),
    unset("keystone_auth", "cafile", Text, "Certificates to trust, PEM."),
    opt("keystone_auth", "insecure", Bool, "false", "Trust any certificate."),
    unset("keystone_auth", "timeout", Float(0.0), "Seconds one call may take."),
    opt(
        "oslo_policy",
        "policy_file",
        Text,
        "policy.yaml",
        "File with the operator's rules, relative to the configuration.",
    ),
    opt("oslo_policy", "policy_dirs", Multi, "policy.d", "Directories with more such files; may be repeated."),
    opt("oslo_policy", "policy_default_rule", Text, "default", "The rule in place of one that does not exist."),
    opt(
        "oslo_policy",
        "enforce_new_defaults",
        Bool,
        "true",
        "Whether the rules from before the member and reader roles are gone.",
    ),
    opt(
        "oslo_middleware",
        "enable_proxy_headers_parsing",
        Bool,
        "false",
        "Believe Forwarded and X-Forwarded-* headers.",
    ),
    opt(
        "healthcheck",
        "disable_by_file_path",
        Text,
        "/etc/magnum/healthcheck_disable",
        "While this file is there, /healthcheck says 503.",
    ),
    unset("cors", "allowed_origin", List, "Origins whose browsers may call the API."),
    opt("cors", "allow_credentials", Bool, "true", "Whether browsers may send cookies along."),
    opt("cors", "allow_methods", List, "GET,PUT,POST,DELETE,PATCH", "Methods browsers may use."),
    opt(
        "cors",
        "allow_headers",
        List,
        "X-Auth-Token,X-Identity-Status,X-Roles,X-Service-Catalog,X-User-Id,X-Tenant-Id,X-OpenStack-Request-ID,X-Server-Management-Url",
        "Headers browsers may send.",
    ),
    opt(
        "cors",
        "expose_headers",
        List,
        "X-Auth-Token,X-Subject-Token,X-Service-Token,X-OpenStack-Request-ID,X-Server-Management-Url",
        "Headers browsers may read.",
    ),
    opt("cors", "max_age", NATURAL, "3600", "Seconds browsers may remember all this."),
    opt(
        "certificates",
        "cert_manager_type",
        OneOf(&["barbican", "x509keypair", "local"]),
        "barbican",
        "Where the certificates of new clusters are kept. Where there is no Barbican, x509keypair is the database.",
    ),
    opt("certificates", "storage_path", Text, "/var/lib/magnum/certificates/", "Directory of the type local."),
    opt("x509", "rsa_key_size", Int(2048, 16384), "2048", "Bits of a generated key."),
    opt("x509", "term_of_validity", POSITIVE, "1825", "Days that certificates are good for."),
    opt("x509", "allow_ca", Bool, "false", "Whether a signing request may ask for a CA."),
    opt(
        "x509",
        "allowed_extensions",
        ListOf(EXTENSIONS),
        "keyUsage,extendedKeyUsage,subjectAltName,basicConstraints,subjectKeyIdentifier",
        "Extensions that are taken over from a signing request.",
    ),
    opt(
        "x509",
        "allowed_key_usage",
        ListOf(KEY_USAGES),
        "Digital Signature,Key Encipherment,Non Repudiation",
        "Key usages that are taken over from a signing request.",
    ),
    opt(
        "cluster_template",
        "kubernetes_allowed_network_drivers",
        List,
        "flannel,calico",
        "Network drivers that templates may name; all for any.",
    )
    .or(&[("baymodel", "kubernetes_allowed_network_drivers")]),
    opt(
        "cluster_template",
        "kubernetes_default_network_driver",
        Text,
        "flannel",
        "The network driver of templates that name none.",
    )
    .or(&[("baymodel", "kubernetes_default_network_driver")]),
    opt("cinder", "default_boot_volume_type", Text, "", "Volume type of boot volumes; the first listed when empty."),
    opt(
        "cinder",
        "default_boot_volume_size",
        NATURAL,
        "0",
        "Size of boot volumes in GiB; 0 boots from the flavor's disk.",
    ),
    opt("drivers", "verify_ca", Bool, "true", "Whether machines check the certificates of the cloud."),
    opt("drivers", "openstack_ca_file", Text, "", "Certificates of the cloud that machines shall trust, PEM."),
    opt("drivers", "disabled_drivers", List, "", "Drivers that are not offered."),
    unset("drivers", "default_driver", Text, "The driver of templates that name none."),
    opt("quotas", "max_clusters_per_project", NATURAL, "20", "Clusters of a project that has no quota of its own."),
    unset("barbican_client", "region_name", Text, REGION),
    opt("barbican_client", "endpoint_type", Text, "publicURL", INTERFACE),
    unset("barbican_client", "ca_file", Text, CA_FILE),
    opt("barbican_client", "insecure", Bool, "false", INSECURE),
    unset("cinder_client", "region_name", Text, REGION),
    opt("cinder_client", "endpoint_type", Text, "publicURL", INTERFACE),
    unset("cinder_client", "ca_file", Text, CA_FILE),
    opt("cinder_client", "insecure", Bool, "false", INSECURE),
    unset("glance_client", "region_name", Text, REGION),
    opt("glance_client", "endpoint_type", Text, "publicURL", INTERFACE),
    unset("glance_client", "ca_file", Text, CA_FILE),
    opt("glance_client", "insecure", Bool, "false", INSECURE),
    unset("magnum_client", "region_name", Text, REGION),
    opt("magnum_client", "endpoint_type", Text, "publicURL", INTERFACE),
    unset("neutron_client", "region_name", Text, REGION),
    opt("neutron_client", "endpoint_type", Text, "publicURL", INTERFACE),
    unset("neutron_client", "ca_file", Text, CA_FILE),
    opt("neutron_client", "insecure", Bool, "false", INSECURE),
    unset("nova_client", "region_name", Text, REGION),
    opt("nova_client", "endpoint_type", Text, "publicURL", INTERFACE),
    unset("nova_client", "ca_file", Text, CA_FILE),
    opt("nova_client", "insecure", Bool, "false", INSECURE),
    unset("octavia_client", "region_name", Text, REGION),
    opt("octavia_client", "endpoint_type", Text, "publicURL", INTERFACE),
    unset("octavia_client", "ca_file", Text, CA_FILE),
    opt("octavia_client", "insecure", Bool, "false", INSECURE),
    unset(
        "jeroboam",
        "encryption_key",
        Text,
        "32 random bytes, base64: they seal what the database keeps secret. `openssl rand -base64 32` makes some.",
    )
    .secret(),
    unset("jeroboam", "encryption_key_file", Text, "File that holds the encryption key."),
    opt("jeroboam", "create_timeout", POSITIVE, "60", "Minutes a creation may take where the request says nothing."),
    opt("jeroboam", "update_timeout", POSITIVE, "60", "Minutes a resize, an upgrade or another change may take."),
    opt(
        "jeroboam",
        "delete_timeout",
        POSITIVE,
        "60",
        "Minutes a deletion may take before it is called failed; it goes on all the same.",
    ),
    opt("jeroboam", "workers", Int(1, 1024), "16", "Clusters one process works on at a time."),
    opt(
        "jeroboam",
        "lease_seconds",
        Int(3, 3600),
        "10",
        "Seconds after which another process takes over the clusters of one that was killed.",
    ),
    opt(
        "jeroboam",
        "credential_roles",
        List,
        "member,load-balancer_member",
        "Roles of the application credential of a cluster, as far as the caller has them; all of the caller's when empty.",
    ),
    opt("jeroboam", "max_microversion", Text, "1.14", "The newest API version that is offered."),
    opt(
        "jeroboam",
        "version_service",
        OneOf(&["container-infrastructure-management", "container-infra"]),
        "container-infrastructure-management",
        "What version headers of answers call the service; before 22.0 Magnum said container-infra.",
    ),
    unset("jeroboam", "path_prefix", Text, "Path that the API is mounted on, such as /container-infra."),
    opt("jeroboam", "max_body_size", Int(1024, i64::MAX), "1048576", "Largest request body in bytes."),
    opt("jeroboam", "request_timeout", POSITIVE, "60", "Seconds a request may take."),
    opt("jeroboam", "call_timeout", POSITIVE, "30", "Seconds one call to another OpenStack service may take."),
    opt(
        "jeroboam",
        "shutdown_timeout",
        NATURAL,
        "10",
        "Seconds running work gets to finish when the service is told to stop.",
    ),
    unset(
        "jeroboam",
        "metrics_listen",
        Text,
        "Address and port of the metrics, or none; 127.0.0.1:9512 when not set, as far as that is free.",
    ),
    opt(
        "jeroboam",
        "max_connections",
        Int(1, 1_000_000),
        "900",
        "Connections to the API at a time; the process needs a descriptor for each, see ulimit -n.",
    ),
    opt("jeroboam", "body_timeout", POSITIVE, "30", "Seconds a client may take to send a body."),
    unset(
        "jeroboam_management",
        "kubeconfig",
        Text,
        "Kubeconfig of the management cluster; the account of the pod when not set.",
    )
    .or(&[("capi_helm", "kubeconfig_file")]),
    unset("jeroboam_management", "context", Text, "Context of that kubeconfig; its current one when not set."),
    opt(
        "jeroboam_management",
        "request_timeout",
        POSITIVE,
        "30",
        "Seconds one call to the management cluster may take.",
    ),
    unset(
        "jeroboam_topology",
        "cluster_class",
        Text,
        "namespace/name of the ClusterClass to use; our own for OpenStack when not set.",
    ),
    opt(
        "jeroboam_topology",
        "namespace_prefix",
        Text,
        "magnum",
        "Clusters live in the namespace <prefix>-<project id>.",
    ),
];

/// All declared options, in the order of the sample.
#[must_use]
pub const fn options() -> &'static [Opt] {
    OPTIONS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::gone::{REMOVED, UNUSED};
    use super::*;

    #[test]
    fn no_option_is_declared_twice_and_every_default_is_of_its_kind() {
        let mut seen = BTreeSet::new();
        for opt in options() {
            assert!(seen.insert((opt.group, opt.name)), "[{}] {} twice", opt.group, opt.name);
            assert!(opt.default.is_none_or(|value| opt.kind.accepts(value)), "[{}] {}", opt.group, opt.name);
            let elsewhere = [REMOVED, UNUSED].into_iter().flatten();
            let clash =
                elsewhere.filter(|gone| !gone.name.is_empty()).find(|g| g.group == opt.group && g.name == opt.name);
            assert!(clash.is_none(), "[{}] {} is declared and gone", opt.group, opt.name);
        }
    }
}
