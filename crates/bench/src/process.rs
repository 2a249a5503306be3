//! Processes that are measured: started, looked at through `/proc`, ended by their id.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

/// How long a process may take to come up or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with its owner.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// Memory of a process in MiB.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Memory {
    /// Its share of all pages that it uses.
    pub(crate) pss: f64,
    /// All pages that it uses, shared ones in full.
    pub(crate) rss: f64,
}

impl Process {
    /// Starts a program; what it says goes to `<dir>/<name>.log`.
    pub(crate) fn start(program: &Path, args: &[&str], dir: &Path, name: &str) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let output = std::fs::File::options().create(true).append(true).open(&log).context("open a log")?;
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("open a log")?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Self { child, log })
    }

    /// Waits until `ready` says so, asking every `step`.
    pub(crate) async fn until<F, Fut>(&mut self, what: &str, step: Duration, mut ready: F) -> Result<()>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = bool>,
    {
        let began = Instant::now();
        while !ready().await {
            if self.child.try_wait().context("look after a process")?.is_some() {
                bail!("waited for {what}, but the process ended: {}", self.last_words());
            }
            if began.elapsed() > PATIENCE {
                bail!("waited {} s for {what}: {}", PATIENCE.as_secs(), self.last_words());
            }
            tokio::time::sleep(step).await;
        }
        Ok(())
    }

    /// CPU time that it has used so far, in all its threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).context("read its CPU time")?;
        // The name, in parentheses, may hold anything.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks =
            |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok()).context("its CPU time");
        let ticks = ticks(11)? + ticks(12)?;
        Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
    }

    /// Memory that it uses now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = std::fs::read_to_string(path).context("read its memory")?;
        let mib = |name: &str| -> Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).context("read its memory")?;
            let kib: f64 = line.trim().trim_end_matches(" kB").parse().context("read its memory")?;
            Ok(kib / 1024.0)
        };
        Ok(Memory { pss: mib("Pss:")?, rss: mib("Rss:")? })
    }

    /// Asks it to end, and makes it when it does not.
    pub(crate) async fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok()) {
            let began = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// The end of its log.
    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let from = text.lines().count().saturating_sub(10);
        text.lines().skip(from).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
