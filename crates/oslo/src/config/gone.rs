//! Options that are known and not read: Magnum's former ones, and those for which there is no use here.

/// An option that some Magnum had and that does nothing any more. An empty name means the whole group.
pub(super) struct Gone {
    pub(super) group: &'static str,
    pub(super) name: &'static str,
    pub(super) why: &'static str,
}

const fn gone(group: &'static str, name: &'static str, why: &'static str) -> Gone {
    Gone { group, name, why }
}

const NO_TRUSTS: &str = "clusters use application credentials in place of trusts; the option can go";
const NO_HEAT: &str = "nothing new is made with Heat; the option can go";
const TRANSPORT_URL: &str = "say transport_url in [DEFAULT]";
const SESSION_CERT: &str = "client certificates are not used towards other services; the option can go";

/// What Magnum itself removed.
pub(super) const REMOVED: &[Gone] = &[
    gone("trust", "", NO_TRUSTS),
    gone("cluster_heat", "", NO_HEAT),
    gone("heat_client", "", NO_HEAT),
    gone("bay", "", "the group is called cluster"),
    gone("baymodel", "", "the group is called cluster_template"),
    gone("bay_heat", "", NO_HEAT),
    gone("nova_client", "api_version", "the version is found in the catalogue"),
    gone("glance_client", "api_version", "the version is found in the catalogue"),
    gone("cinder_client", "api_version", "the version is found in the catalogue"),
    gone("glance_client", "cert_file", SESSION_CERT),
    gone("glance_client", "key_file", SESSION_CERT),
    gone("neutron_client", "cert_file", SESSION_CERT),
    gone("neutron_client", "key_file", SESSION_CERT),
    gone("nova_client", "cert_file", SESSION_CERT),
    gone("nova_client", "key_file", SESSION_CERT),
    gone("DEFAULT", "verbose", "say debug = true"),
    gone("DEFAULT", "rpc_backend", NO_BUS),
    gone("oslo_messaging_rabbit", "rabbit_host", TRANSPORT_URL),
    gone("oslo_messaging_rabbit", "rabbit_hosts", TRANSPORT_URL),
    gone("oslo_messaging_rabbit", "rabbit_port", TRANSPORT_URL),
    gone("oslo_messaging_rabbit", "rabbit_userid", TRANSPORT_URL),
    gone("oslo_messaging_rabbit", "rabbit_password", TRANSPORT_URL),
    gone("oslo_messaging_rabbit", "rabbit_virtual_host", TRANSPORT_URL),
    gone("oslo_messaging_rabbit", "rabbit_use_ssl", "it is now ssl"),
    gone("oslo_messaging_rabbit", "kombu_ssl_ca_certs", "it is now ssl_ca_file"),
    gone("oslo_messaging_rabbit", "kombu_ssl_certfile", "it is now ssl_cert_file"),
    gone("oslo_messaging_rabbit", "kombu_ssl_keyfile", "it is now ssl_key_file"),
    gone("oslo_messaging_rabbit", "kombu_ssl_version", "it is now ssl_version"),
    gone("oslo_messaging_rabbit", "heartbeat_in_pthread", "there are no threads of Python; the option can go"),
    gone(
        "oslo_messaging_rabbit",
        "rabbit_max_retries",
        "oslo.messaging has done without it for long; the option can go",
    ),
    gone("oslo_messaging_rabbit", "fake_rabbit", "oslo.messaging has done without it for long; the option can go"),
    gone("DEFAULT", "notification_driver", "it is now driver in [oslo_messaging_notifications]"),
    gone("DEFAULT", "notification_topics", "it is now topics in [oslo_messaging_notifications]"),
    gone("DEFAULT", "auth_strategy", "Keystone alone says who calls; the option can go"),
    gone("DEFAULT", "use_syslog_rfc_format", "oslo.log has done without it for long; the option can go"),
    gone("DEFAULT", "log_format", "oslo.log has done without it for long; the option can go"),
    gone("keystone_authtoken", "auth_host", "say auth_url"),
    gone("keystone_authtoken", "auth_port", "say auth_url"),
    gone("keystone_authtoken", "auth_protocol", "say auth_url"),
    gone("keystone_authtoken", "identity_uri", "say auth_url"),
    gone("keystone_authtoken", "admin_user", "it is now username"),
    gone("keystone_authtoken", "admin_password", "it is now password"),
    gone("keystone_authtoken", "admin_tenant_name", "it is now project_name"),
    gone("keystone_authtoken", "admin_token", "keystonemiddleware has done without it for long; the option can go"),
    gone("keystone_authtoken", "signing_dir", "keystonemiddleware has done without it for long; the option can go"),
    gone(
        "keystone_authtoken",
        "revocation_cache_time",
        "keystonemiddleware has done without it for long; the option can go",
    ),
    gone(
        "keystone_authtoken",
        "check_revocations_for_cached",
        "keystonemiddleware has done without it for long; the option can go",
    ),
    gone("keystone_authtoken", "hash_algorithms", "keystonemiddleware has done without it for long; the option can go"),
    gone("database", "idle_timeout", "connections are looked after by the service itself; the option can go"),
    gone("oslo_policy", "enforce_scope", "oslo.policy has done without it since 6.0; the option can go"),
];

const NO_BUS: &str = "there is no message bus but for notifications; the option has no effect here";

/// What Magnum reads and we do not need: no reason to take it out, Magnum may come back.
pub(super) const UNUSED: &[Gone] = &[
    gone("oslo_messaging_rabbit", "", "only notifications use the message bus; the option has no effect here"),
    gone("oslo_messaging_amqp", "", NO_BUS),
    gone("oslo_messaging_kafka", "", NO_BUS),
    gone("oslo_concurrency", "", "locks are rows of the database; the option has no effect here"),
    gone("oslo_reports", "", "there are no reports on signals; the option has no effect here"),
    gone("profiler", "", "there is no osprofiler; the option has no effect here"),
    gone("profiler_jaeger", "", "there is no osprofiler; the option has no effect here"),
    gone("profiler_otlp", "", "there is no osprofiler; the option has no effect here"),
    gone("ssl", "", NO_BUS),
    gone("oslo_messaging_metrics", "", NO_BUS),
    gone("oslo_messaging_tracing", "", NO_BUS),
    gone("oslo_middleware_tracing", "", "there is no tracing; the option has no effect here"),
    gone("oslo_versionedobjects", "", "objects do not travel between processes; the option has no effect here"),
    gone("audit", "", "there is no audit middleware; the option has no effect here"),
    gone("cache", "", CACHE),
    gone("docker", "", "there is no swarm driver any more; the option has no effect here"),
    gone("DEFAULT", "max_manifest_size", "manifests are not uploaded any more; the option has no effect here"),
    gone("DEFAULT", "password_symbols", "passwords are not generated any more; the option has no effect here"),
    gone("DEFAULT", "api_paste_config", "the order of the middleware is fixed; the option has no effect here"),
    gone("DEFAULT", "backdoor_socket", "there is no back door; the option has no effect here"),
    gone("DEFAULT", "client_socket_timeout", WSGI),
    gone("DEFAULT", "max_header_line", WSGI),
    gone("DEFAULT", "tcp_keepidle", WSGI),
    gone("DEFAULT", "wsgi_default_pool_size", WSGI),
    gone("DEFAULT", "wsgi_keep_alive", WSGI),
    gone("DEFAULT", "wsgi_log_format", WSGI),
    gone("DEFAULT", "wsgi_server_debug", WSGI),
    gone(
        "DEFAULT",
        "config_source",
        "configuration is read from files and the environment; the option has no effect here",
    ),
    gone("DEFAULT", "graceful_shutdown_timeout", "say shutdown_timeout in [jeroboam]; the option has no effect here"),
    gone("DEFAULT", "run_external_periodic_tasks", "nothing runs by a timer alone; the option has no effect here"),
    gone(
        "DEFAULT",
        "periodic_enable",
        "status and health are watched, and that never stops; the option has no effect here",
    ),
    gone("DEFAULT", "periodic_interval_max", "status and health are watched; the option has no effect here"),
    gone("kubernetes", "health_polling_interval", "health is watched; the option has no effect here"),
    gone(
        "cluster",
        "nodes_affinity_policy",
        "where machines run is up to the cluster class; the option has no effect here",
    ),
    gone(
        "cluster",
        "pre_delete_lb_timeout",
        "a deletion waits for load balancers as long as delete_timeout in [jeroboam] lets it; the option has no effect here",
    ),
    gone("cinder", "default_docker_volume_type", "only Heat clusters had such volumes; the option has no effect here"),
    gone("cinder", "default_etcd_volume_type", "only Heat clusters had such volumes; the option has no effect here"),
    gone("drivers", "enabled_beta_drivers", "no driver is unfinished; the option has no effect here"),
    gone(
        "keystone_authtoken",
        "http_request_max_retries",
        "a check is tried again as long as its time allows; the option has no effect here",
    ),
    gone(
        "keystone_authtoken",
        "delay_auth_decision",
        "every route but the version lists needs a token; the option has no effect here",
    ),
    gone("database", "connection_recycle_time", POOL),
    gone("DEFAULT", "fatal_deprecations", LOGGING),
    gone("DEFAULT", "instance_format", LOGGING),
    gone("DEFAULT", "instance_uuid_format", LOGGING),
    gone("DEFAULT", "log_color", LOGGING),
    gone("DEFAULT", "log_options", LOGGING),
    gone("DEFAULT", "log_rotate_interval", LOGGING),
    gone("DEFAULT", "log_rotate_interval_type", LOGGING),
    gone("DEFAULT", "rate_limit_burst", LOGGING),
    gone("DEFAULT", "rate_limit_except_level", LOGGING),
    gone("DEFAULT", "rate_limit_interval", LOGGING),
    gone("conductor", "", "there is no conductor; say workers in [jeroboam]"),
    gone("docker_registry", "", "the registry reads its own file; the option has no effect here"),
    gone("capi_helm", "", "read by the helm driver alone; the option has no effect here"),
    gone("capi_helm_cluster_labels", "", "read by the helm driver alone; the option has no effect here"),
    gone("oslo_limit", "", "quotas are the service's own; the option has no effect here"),
    gone("DEFAULT", "rpc_response_timeout", NO_BUS),
    gone("DEFAULT", "rpc_ping_enabled", NO_BUS),
    gone("DEFAULT", "executor_thread_pool_size", NO_BUS),
    gone("DEFAULT", "pybasedir", "there is no Python package; the option has no effect here"),
    gone("DEFAULT", "bindir", "there is one program; the option has no effect here"),
    gone("DEFAULT", "tempdir", "nothing is put into temporary files; the option has no effect here"),
    gone("DEFAULT", "rootwrap_config", "nothing is run as root; the option has no effect here"),
    gone("DEFAULT", "log_config_append", LOGGING),
    gone("DEFAULT", "log_date_format", LOGGING),
    gone("DEFAULT", "use_syslog", LOGGING),
    gone("DEFAULT", "use_journal", LOGGING),
    gone("DEFAULT", "use_eventlog", LOGGING),
    gone("DEFAULT", "syslog_log_facility", LOGGING),
    gone("DEFAULT", "watch_log_file", LOGGING),
    gone("DEFAULT", "log_rotation_type", LOGGING),
    gone("DEFAULT", "max_logfile_count", LOGGING),
    gone("DEFAULT", "max_logfile_size_mb", LOGGING),
    gone("DEFAULT", "publish_errors", LOGGING),
    gone("DEFAULT", "logging_context_format_string", LOGGING),
    gone("DEFAULT", "logging_default_format_string", LOGGING),
    gone("DEFAULT", "logging_user_identity_format", LOGGING),
    gone("DEFAULT", "logging_exception_prefix", LOGGING),
    gone("DEFAULT", "logging_debug_format_suffix", LOGGING),
    gone("DEFAULT", "backdoor_port", "there is no back door; the option has no effect here"),
    gone("api", "api_paste_config", "the order of the middleware is fixed; the option has no effect here"),
    gone("cluster", "temp_cache_dir", "certificates are not put into files; the option has no effect here"),
    gone(
        "cluster",
        "etcd_discovery_service_endpoint_format",
        "only Heat clusters need discovery; the option has no effect here",
    ),
    gone("kubernetes", "keystone_auth_default_policy", "only Heat clusters read it; the option has no effect here"),
    gone("kubernetes", "post_install_manifest_url", "only Heat clusters read it; the option has no effect here"),
    gone(
        "octavia_client",
        "cert_file",
        "client certificates are not used towards Octavia; the option has no effect here",
    ),
    gone(
        "octavia_client",
        "key_file",
        "client certificates are not used towards Octavia; the option has no effect here",
    ),
    gone("healthcheck", "", "/healthcheck looks at disable_by_file_path alone; the option has no effect here"),
    gone("keystone_authtoken", "memcached_servers", CACHE),
    gone("keystone_authtoken", "memcache_use_advanced_pool", CACHE),
    gone("keystone_authtoken", "memcache_security_strategy", CACHE),
    gone("keystone_authtoken", "memcache_secret_key", CACHE),
    gone("keystone_authtoken", "memcache_password", CACHE),
    gone("keystone_authtoken", "memcache_pool_conn_get_timeout", CACHE),
    gone("keystone_authtoken", "memcache_pool_dead_retry", CACHE),
    gone("keystone_authtoken", "memcache_pool_maxsize", CACHE),
    gone("keystone_authtoken", "memcache_pool_socket_timeout", CACHE),
    gone("keystone_authtoken", "memcache_pool_unused_timeout", CACHE),
    gone("keystone_authtoken", "memcache_sasl_enabled", CACHE),
    gone("keystone_authtoken", "memcache_tls_allowed_ciphers", CACHE),
    gone("keystone_authtoken", "memcache_tls_cafile", CACHE),
    gone("keystone_authtoken", "memcache_tls_certfile", CACHE),
    gone("keystone_authtoken", "memcache_tls_enabled", CACHE),
    gone("keystone_authtoken", "memcache_tls_keyfile", CACHE),
    gone("keystone_authtoken", "memcache_username", CACHE),
    gone(
        "keystone_authtoken",
        "enforce_token_bind",
        "tokens are not bound to anything any more; the option has no effect here",
    ),
    gone(
        "keystone_authtoken",
        "include_service_catalog",
        "the catalogue is asked for where it is needed; the option has no effect here",
    ),
    gone("keystone_authtoken", "tls_ciphers", TLS),
    gone("keystone_authtoken", "tls_min_version", TLS),
    gone("keystone_auth", "tls_ciphers", TLS),
    gone("keystone_auth", "tls_min_version", TLS),
    gone("keystone_authtoken", "cache", CACHE),
    gone("keystone_authtoken", "auth_version", "only version 3 is spoken; the option has no effect here"),
    gone(
        "keystone_authtoken",
        "service_type",
        "access rules of application credentials always count; the option has no effect here",
    ),
    gone(
        "keystone_authtoken",
        "certfile",
        "client certificates are not used towards Keystone; the option has no effect here",
    ),
    gone(
        "keystone_authtoken",
        "keyfile",
        "client certificates are not used towards Keystone; the option has no effect here",
    ),
    gone("keystone_authtoken", "split_loggers", LOGGING),
    gone("keystone_authtoken", "collect_timing", LOGGING),
    gone("keystone_authtoken", "timeout", "say http_connect_timeout"),
    gone(
        "keystone_auth",
        "certfile",
        "client certificates are not used towards Keystone; the option has no effect here",
    ),
    gone(
        "keystone_auth",
        "keyfile",
        "client certificates are not used towards Keystone; the option has no effect here",
    ),
    gone("keystone_auth", "split_loggers", LOGGING),
    gone("keystone_auth", "collect_timing", LOGGING),
    gone("database", "asyncio_connection", POOL),
    gone("database", "asyncio_slave_connection", POOL),
    gone("database", "max_retries", POOL),
    gone("database", "retry_interval", POOL),
    gone("database", "min_pool_size", POOL),
    gone("database", "mysql_engine", POOL),
    gone("database", "mysql_sql_mode", POOL),
    gone("database", "mysql_wsrep_sync_wait", POOL),
    gone("database", "mysql_enable_ndb", POOL),
    gone("database", "connection_debug", POOL),
    gone("database", "connection_trace", POOL),
    gone("database", "connection_parameters", POOL),
    gone("database", "slave_connection", POOL),
    gone("database", "sqlite_synchronous", POOL),
    gone("database", "synchronous_reader", POOL),
    gone("database", "backend", POOL),
    gone("database", "use_db_reconnect", POOL),
    gone("database", "db_retry_interval", POOL),
    gone("database", "db_inc_retry_interval", POOL),
    gone("database", "db_max_retry_interval", POOL),
    gone("database", "db_max_retries", POOL),
    gone("database", "use_tpool", POOL),
    gone("oslo_policy", "remote_content_type", REMOTE),
    gone("oslo_policy", "remote_ssl_verify_server_crt", REMOTE),
    gone("oslo_policy", "remote_ssl_ca_crt_file", REMOTE),
    gone("oslo_policy", "remote_ssl_client_crt_file", REMOTE),
    gone("oslo_policy", "remote_ssl_client_key_file", REMOTE),
    gone("oslo_policy", "remote_timeout", REMOTE),
    gone("oslo_middleware", "max_request_body_size", "say max_body_size in [jeroboam]"),
    gone("oslo_middleware", "secure_proxy_ssl_header", "X-Forwarded-Proto is read; the option has no effect here"),
    gone(
        "oslo_middleware",
        "http_basic_auth_user_file",
        "there is no basic authentication; the option has no effect here",
    ),
];

const LOGGING: &str =
    "the log goes to standard error or log_file, in oslo's line format or as JSON; the option has no effect here";
const CACHE: &str = "checked tokens are remembered inside the process; the option has no effect here";
const POOL: &str = "connections are looked after by the service itself; the option has no effect here";
const WSGI: &str =
    "Magnum has no use for it either: it is for a server that nobody starts; the option has no effect here";
const TLS: &str = "TLS 1.2 and 1.3 with sound ciphers are always what is offered; the option has no effect here";
const REMOTE: &str = "rules cannot ask a server; the option has no effect here";

/// The entry for this option in one of the two lists, one of its own before that of its group.
pub(super) fn find(list: &'static [Gone], group: &str, name: &str) -> Option<&'static Gone> {
    let named = |wanted: &str| list.iter().find(|gone| gone.group == group && gone.name == wanted);
    named(name).or_else(|| named(""))
}

#[cfg(test)]
mod tests {
    use super::super::{known, options};
    use super::*;

    #[test]
    fn every_option_of_magnum_is_read_or_has_a_reason_why_not() {
        for option in known::known() {
            let read = options().iter().any(|opt| opt.group == option.group && opt.name == option.name);
            assert!(read || find(UNUSED, option.group, option.name).is_some(), "[{}] {}", option.group, option.name);
            assert!(
                read || find(REMOVED, option.group, option.name).is_none_or(|gone| gone.name.is_empty()),
                "[{}] {} is in Magnum",
                option.group,
                option.name
            );
        }
    }
}
