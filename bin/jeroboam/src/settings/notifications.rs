//! How others are told of clusters: oslo.messaging's options.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jeroboam_notify::{BrokerConfig, Driver, NotifyConfig, QueueKind, TlsConfig, TransportUrl};
use jeroboam_oslo::Config;
use secrecy::ExposeSecret;

const GROUP: &str = "oslo_messaging_notifications";
const RABBIT: &str = "oslo_messaging_rabbit";
/// Messages that may wait for RabbitMQ: some megabytes.
const QUEUE: usize = 1000;
/// A broker that gives no sign of life at all is as good as none. Nothing waits for it but its own task.
const PATIENCE: Duration = Duration::from_secs(10);
const HEARTBEAT: u16 = 60;

/// What the operator set.
pub(super) fn read(config: &Config) -> Result<NotifyConfig> {
    let drivers = config.list(GROUP, "driver");
    let drivers = drivers.iter().map(|name| name.parse::<Driver>().map_err(anyhow::Error::msg));
    let drivers = drivers.collect::<Result<Vec<_>>>().with_context(|| format!("[{GROUP}] driver"))?;
    let sends = drivers.iter().any(|driver| matches!(driver, Driver::Messaging | Driver::MessagingV2));
    Ok(NotifyConfig {
        drivers,
        // Magnum: common/rpc.py.
        publisher: format!("container-infra.{}", super::hostname(config)),
        topics: config.list(GROUP, "topics"),
        retries: config.int(GROUP, "retry").and_then(|times| u32::try_from(times).ok()),
        queue: QUEUE,
        broker: if sends { Some(broker(config)?) } else { None },
    })
}

/// Magnum: common/rpc.py gives notifications to the bus of `[DEFAULT]` whatever this group says; operators who say more mean it.
fn broker(config: &Config) -> Result<BrokerConfig> {
    let own = config.secret(GROUP, "transport_url").filter(|url| !url.expose_secret().is_empty());
    let group = if own.is_some() { GROUP } else { "DEFAULT" };
    let url =
        own.or_else(|| config.secret("DEFAULT", "transport_url")).context("[DEFAULT] transport_url is not set")?;
    let url: TransportUrl = url.expose_secret().parse().with_context(|| format!("[{group}]"))?;
    let file = |name: &str| {
        let path = url.option(name).map(str::to_owned).or_else(|| config.string(RABBIT, name));
        path.filter(|path| !path.is_empty()).map(PathBuf::from)
    };
    let flag = |name: &str| match url.option(name) {
        Some(word) => matches!(word.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"),
        None => config.bool(RABBIT, name).unwrap_or(false),
    };
    let (quorum, mirrored) = (flag("rabbit_quorum_queue"), flag("rabbit_ha_queues"));
    ensure!(!(quorum && mirrored), "[{RABBIT}] rabbit_quorum_queue and rabbit_ha_queues exclude each other");
    let queues = match (quorum, mirrored) {
        (true, _) => QueueKind::Quorum,
        (_, true) => QueueKind::Mirrored,
        _ => QueueKind::Classic,
    };
    let heartbeat = config.int(RABBIT, "heartbeat_timeout_threshold").and_then(|value| u16::try_from(value).ok());
    let tls = flag("ssl")
        .then(|| TlsConfig { ca_file: file("ssl_ca_file"), identity: file("ssl_cert_file").zip(file("ssl_key_file")) });
    Ok(BrokerConfig {
        exchange: config.string("DEFAULT", "control_exchange").unwrap_or_else(|| "magnum".to_owned()),
        durable: flag("amqp_durable_queues"),
        auto_delete: flag("amqp_auto_delete"),
        queues,
        heartbeat: heartbeat.filter(|seconds| *seconds > 0).unwrap_or(HEARTBEAT),
        tls,
        patience: PATIENCE,
        url,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn found(text: &str) -> Result<NotifyConfig> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("magnum.conf");
        std::fs::write(&file, text)?;
        read(&Config::load(&[file], &BTreeMap::new())?)
    }

    #[test]
    fn nobody_is_told_unless_somebody_wants_it() {
        let plain = found("[DEFAULT]\nhost = node-1\ntransport_url = rabbit://m:s@bus/\n").expect("settings");
        assert!(plain.drivers.is_empty() && plain.broker.is_none());
        assert_eq!(
            (plain.publisher.as_str(), plain.topics),
            ("container-infra.node-1", vec!["notifications".to_owned()])
        );
        let log = found("[oslo_messaging_notifications]\ndriver = log\n").expect("settings");
        assert!(log.drivers == [Driver::Log] && log.broker.is_none());
    }

    #[test]
    fn the_bus_is_as_it_is_set_up() {
        let config = found(
            "[DEFAULT]\ntransport_url = rabbit://m:s@bus/\n[oslo_messaging_notifications]\ndriver = messagingv2\ndriver = log\n\
             topics = notifications, audit\nretry = 3\n[oslo_messaging_rabbit]\nrabbit_quorum_queue = true\nssl = true\n\
             ssl_ca_file = /ca.pem\nheartbeat_timeout_threshold = 0\n",
        )
        .expect("settings");
        assert_eq!(config.drivers, [Driver::MessagingV2, Driver::Log]);
        assert_eq!((config.topics.len(), config.retries), (2, Some(3)));
        let broker = config.broker.expect("a broker");
        assert_eq!((broker.exchange.as_str(), broker.queues, broker.heartbeat), ("magnum", QueueKind::Quorum, 60));
        assert_eq!(broker.tls.and_then(|tls| tls.ca_file), Some(PathBuf::from("/ca.pem")));
    }

    #[test]
    fn what_can_not_be_is_refused_without_its_password() {
        for text in [
            "[oslo_messaging_notifications]\ndriver = pigeon\n",
            "[DEFAULT]\ntransport_url = kafka://m:hunter2@bus\n[oslo_messaging_notifications]\ndriver = messagingv2\n",
            "[oslo_messaging_notifications]\ndriver = messagingv2\ntransport_url = rabbit://m:hunter2@bus:x/\n",
            "[oslo_messaging_notifications]\ndriver = messaging\n[oslo_messaging_rabbit]\nrabbit_quorum_queue = 1\nrabbit_ha_queues = 1\n",
        ] {
            let error = format!("{:#}", found(text).expect_err(text));
            assert!(error.starts_with('[') && !error.contains("hunter2"), "{error}");
        }
    }
}
