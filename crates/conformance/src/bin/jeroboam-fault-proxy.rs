//! `jeroboam-fault-proxy`: stands between a registry and what it keeps its objects in, counts requests and fails some of them.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use jeroboam_conformance::proxy::{Plan, Proxy};

/// Counts the requests of a registry to its store, and fails some of them. `GET /_proxy` says how many there were, `PUT /_proxy`
/// takes another plan.
#[derive(Debug, Parser)]
#[command(name = "jeroboam-fault-proxy")]
struct Args {
    /// Where it listens
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where it sends requests to
    #[arg(long, value_name = "ADDRESS")]
    to: SocketAddr,
    /// What fails, as JSON
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let plan = match &args.plan {
        Some(path) => {
            let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
            serde_json::from_slice(&text).context("read the plan")?
        }
        None => Plan::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        let proxy = Proxy::bind(args.listen, args.to, plan).await.context("listen")?;
        proxy.serve().await.context("serve")
    })
}
