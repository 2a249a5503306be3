//! Starts a sandbox, writes the kubeconfig of its management cluster, and says where everything is until Ctrl-C.
//!
//! `cargo run -p jeroboam-sandbox --example sandbox -- [directory] [speed]`

use std::path::PathBuf;

use jeroboam_sandbox::{Sandbox, SandboxConfig};
use secrecy::ExposeSecret;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "what it prints is all an example has to say")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().map_or_else(|| std::env::temp_dir().join("jeroboam-sandbox"), PathBuf::from);
    let speed = arguments.next().map_or(Ok(10.0), |text| text.parse())?;
    let sandbox = Sandbox::start(SandboxConfig { dir: Some(dir.clone()), speed, ..SandboxConfig::default() }).await?;
    let kubeconfig = dir.join("kubeconfig");
    std::fs::write(&kubeconfig, sandbox.kubeconfig.expose_secret())?;
    println!("management cluster: {}", sandbox.kubernetes_url);
    println!("identity service: {}", sandbox.identity_url);
    println!("export KUBECONFIG={}", kubeconfig.display());
    tokio::signal::ctrl_c().await?;
    sandbox.stop().await;
    Ok(())
}
