//! A RabbitMQ of one test alone, on ports below those that the kernel hands out. It is gone with this value, or with the process.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use jeroboam_notify::{BrokerConfig, Driver, NotifyConfig, QueueKind};
use tempfile::TempDir;

/// Debian's wrapper would become another user.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const SOON: Duration = Duration::from_secs(60);

pub(crate) struct Rabbit {
    dir: TempDir,
    port: u16,
    keeper: Option<Child>,
}

impl Rabbit {
    pub(crate) fn start() -> Self {
        assert!(Path::new(SERVER).exists(), "{SERVER} is missing: tools/setup.sh engines");
        let dir = TempDir::with_prefix("jeroboam-").expect("a temporary directory");
        fs::write(dir.path().join("plugins"), "[].").expect("a file");
        fs::write(dir.path().join("rabbitmq.conf"), "loopback_users.guest = true\n").expect("a file");
        let mut rabbit = Self { dir, port: three_ports(), keeper: None };
        rabbit.raise();
        rabbit
    }

    /// Starts the server on the data that there are, and waits until it answers.
    pub(crate) fn raise(&mut self) {
        // The shell waits on a pipe that only this process holds, and then ends what it started.
        let script = format!("{SERVER} & read -r _; kill -9 $(cat pid); epmd -port $ERL_EPMD_PORT -kill; wait");
        let file = |name: &str| self.dir.path().join(name);
        let keeper = Command::new("sh")
            .args(["-c", &script])
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env("RABBITMQ_NODENAME", format!("t{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", (self.port + 1).to_string())
            .env("ERL_EPMD_PORT", (self.port + 2).to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", file("mnesia"))
            .env("RABBITMQ_LOG_BASE", file("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", file("conf"))
            .env("RABBITMQ_CONF_ENV_FILE", file("none"))
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq"))
            .env("RABBITMQ_PID_FILE", file("pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none")
            .stdin(Stdio::piped())
            .stdout(fs::File::create(file("out")).expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        self.keeper = Some(keeper);
        self.wait_for("completed with", || {
            fs::read_to_string(file("out")).unwrap_or_default().contains("completed with")
        });
    }

    fn wait_for(&self, what: &str, done: impl Fn() -> bool) {
        let end = Instant::now() + SOON;
        while !done() {
            let said = || fs::read_to_string(self.dir.path().join("out")).unwrap_or_default();
            assert!(Instant::now() < end, "RabbitMQ: {what}: {}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, name: &str) {
        let pid = fs::read_to_string(self.dir.path().join("pid")).expect("the server's pid");
        let sent = Command::new("kill").args([name, pid.trim()]).status().expect("kill");
        assert!(sent.success(), "kill {name} {pid}");
    }

    /// Stops it where it stands: connections stay open and nothing is said on them.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().expect("the shell ends");
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("rabbit://guest:guest@127.0.0.1:{}/", self.port)
    }

    pub(crate) fn config(&self) -> NotifyConfig {
        NotifyConfig {
            drivers: vec![Driver::MessagingV2],
            publisher: "container-infra.node-1".to_owned(),
            topics: vec!["notifications".to_owned()],
            retries: None,
            queue: 100,
            broker: Some(BrokerConfig {
                url: self.url().parse().expect("an address"),
                exchange: "magnum".to_owned(),
                durable: true,
                auto_delete: false,
                queues: QueueKind::Classic,
                heartbeat: 60,
                tls: None,
                patience: Duration::from_millis(500),
            }),
        }
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first of three ports in a row that nobody has.
fn three_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + u16::try_from(std::process::id() % 3_000).expect("small") * 3;
    loop {
        let port = start + NEXT.fetch_add(3, Ordering::Relaxed);
        assert!(port < 32_000, "no three ports are free");
        if (port..port + 3).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
}
