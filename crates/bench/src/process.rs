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

/// Memory of a process, and of those that it started, in MiB.
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

    /// CPU time that it and the processes it started have used so far, in all their threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.family().into_iter().map(cpu_of).sum()
    }

    /// Memory that it and the processes it started use now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let mut all = Memory { pss: 0.0, rss: 0.0 };
        for pid in self.family() {
            let one = memory_of(pid)?;
            all.pss += one.pss;
            all.rss += one.rss;
        }
        Ok(all)
    }

    /// The most memory that it alone has used since `forget_peak`, all pages in full, in MiB.
    pub(crate) fn peak(&self) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("read its memory")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("read its memory")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().context("read its memory")?;
        Ok(kib / 1024.0)
    }

    /// Lets the kernel count the most memory from now on; where it does not, the peak is that of its whole life.
    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").ok();
    }

    /// Its id, then those of the processes that it started, and that they started.
    pub(crate) fn family(&self) -> Vec<u32> {
        let mut all = vec![self.child.id()];
        let mut place = 0;
        while let Some(pid) = all.get(place) {
            let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
            let children: String = children.collect();
            all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            place += 1;
        }
        all
    }

    /// Waits until it does nothing for half a second: what it does at its start is over then.
    pub(crate) async fn settle(&self) -> Result<()> {
        let began = Instant::now();
        let mut before = self.cpu()?;
        while began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = self.cpu()?;
            if now.saturating_sub(before) <= Duration::from_millis(10) {
                return Ok(());
            }
            before = now;
        }
        bail!("waited {} s for a quiet moment: {}", PATIENCE.as_secs(), self.last_words());
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
        // It goes first, and so starts none of the others anew.
        if matches!(self.child.try_wait(), Ok(None)) {
            for pid in self.family() {
                if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                    kill_process(pid, Signal::KILL).ok();
                }
            }
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn cpu_of(pid: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read its CPU time")?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok()).context("its CPU time");
    let ticks = ticks(11)? + ticks(12)?;
    Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
}

fn memory_of(pid: u32) -> Result<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("read its memory")?;
    let mib = |name: &str| -> Result<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).context("read its memory")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().context("read its memory")?;
        Ok(kib / 1024.0)
    };
    Ok(Memory { pss: mib("Pss:")?, rss: mib("Rss:")? })
}
