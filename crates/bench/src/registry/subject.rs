//! A registry that is measured: its configuration, its process.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Backend;
use crate::process::Process;
use crate::start;

/// A registry that is measured.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    /// What stands between the program and its configuration.
    pub(super) words: Vec<&'static str>,
    pub(super) address: SocketAddr,
    pub(super) folder: PathBuf,
    /// Where Swift's accounts are asked.
    pub(super) swift: Option<String>,
    /// More of its configuration, below `jeroboam:`.
    pub(super) extra: String,
}

/// One that runs.
pub(super) struct Running {
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    /// From the start of the process to the first 200.
    pub(super) start: Duration,
    backend: Backend,
    /// What its store is called, and where it is on this disk.
    store: String,
    folder: PathBuf,
}

impl Subject {
    /// Starts it on a store that nobody used before.
    pub(super) async fn start(&self, backend: Backend, store: &str) -> Result<Running> {
        let label: String = self.name.chars().filter(char::is_ascii_alphanumeric).collect();
        self.serve(backend, format!("{label}-{store}")).await
    }

    async fn serve(&self, backend: Backend, store: String) -> Result<Running> {
        let folder = self.folder.join(&store);
        if self.name == "NORA" {
            std::fs::create_dir_all(&folder).context("make a store")?;
        }
        let config = self.folder.join(format!("{store}.yml"));
        std::fs::write(&config, self.config(backend, &store, &folder)?).context("write a configuration")?;
        let arguments = self.arguments(&config, &folder);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let began = Instant::now();
        let mut process = Process::start(Path::new("env"), &arguments, &self.folder, &store)?;
        let address = self.address;
        process.until("an answer", Duration::from_millis(1), || start::answers(address, "/v2/")).await?;
        let start = began.elapsed();
        Ok(Running { process, address, start, backend, store, folder })
    }

    /// Ends it and starts it anew on the same store: all that it kept in memory is gone.
    pub(super) async fn anew(&self, running: Running) -> Result<Running> {
        running.process.stop().await;
        self.serve(running.backend, running.store).await
    }

    /// For `env`, which becomes the program: no collector of traces is asked for, and no certificates but the system's.
    fn arguments(&self, config: &Path, folder: &Path) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["-u", "AWS_CA_BUNDLE", "OTEL_TRACES_EXPORTER=none"].map(str::to_owned).to_vec();
        if self.name == "NORA" {
            arguments.push("NORA_HOST=127.0.0.1".to_owned());
            arguments.push(format!("NORA_PORT={}", self.address.port()));
            arguments.push(format!("NORA_STORAGE_PATH={}", folder.display()));
            // Everybody is measured without limits.
            arguments.push("NORA_RATE_LIMIT_ENABLED=false".to_owned());
        }
        arguments.push(self.program.display().to_string());
        arguments.extend(self.words.iter().map(|&word| word.to_owned()));
        if self.name != "NORA" {
            arguments.push(config.display().to_string());
        }
        arguments
    }

    /// The same words for all of them: what distribution calls things. Nobody writes down every request.
    fn config(&self, backend: Backend, store: &str, folder: &Path) -> Result<String> {
        let storage = match backend {
            Backend::Directory => format!("filesystem: {{rootdirectory: \"{}\"}}", folder.display()),
            Backend::Swift => {
                let url = self.swift.as_deref().context("--swift is missing")?;
                format!(
                    "swift: {{authurl: \"{url}\", username: \"test:tester\", password: testing, container: {store}}}"
                )
            }
        };
        let mut text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nhttp: {{addr: \"{}\", secret: bench}}\n\
             storage:\n  {storage}\n  delete: {{enabled: true}}\n  cache: {{blobdescriptor: inmemory}}\n  \
             redirect: {{disable: true}}\n",
            self.address
        );
        if !self.extra.is_empty() {
            let _ = writeln!(text, "jeroboam: {}", self.extra);
        }
        Ok(text)
    }
}

impl Running {
    /// Ends it, and forgets what it kept on this disk.
    pub(super) async fn stop(self) {
        self.process.stop().await;
        if self.backend == Backend::Directory {
            std::fs::remove_dir_all(self.folder).ok();
        }
    }
}
