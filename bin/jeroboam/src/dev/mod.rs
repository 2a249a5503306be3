//! `jeroboam dev` and `jeroboam sandbox`: the pretend cloud, with and without the service in the same process.

mod files;
mod templates;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jeroboam_cli::args::ConfigArgs;
use jeroboam_cli::{DevArgs, SandboxArgs, ServerArgs};
use jeroboam_openstack::clouds::{self, Lookup};
use jeroboam_sandbox::{Sandbox, SandboxConfig};
use jeroboam_telemetry::Shutdown;
use tracing::info;

use crate::serve::{self, Role};
use crate::settings;

/// The pretend cloud alone, until told to stop.
pub(crate) async fn sandbox(args: &SandboxArgs, shutdown: &Shutdown) -> Result<()> {
    std::fs::create_dir_all(&args.dir).with_context(|| format!("make the folder {}", args.dir.display()))?;
    let config = SandboxConfig {
        dir: Some(args.dir.join("sandbox")),
        listen: args.listen,
        identity_port: args.identity_port,
        kube_port: args.kube_port,
        seed: args.seed,
        speed: args.speed,
        container_infra_url: api_url(args.api_port),
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::start(config).await.context("start the pretend cloud")?;
    files::write(&args.dir, &files::Cloud::of(&sandbox), args.api_port)?;
    info!("the pretend cloud is up, its files are in {}", args.dir.display());
    shutdown.begun().await;
    sandbox.stop().await;
    Ok(())
}

/// The service and what it needs, until told to stop.
pub(crate) async fn dev(args: &DevArgs, shutdown: &Shutdown) -> Result<()> {
    let env = settings::environment();
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => data_dir(&env)?,
    };
    if args.fresh {
        forget(&dir)?;
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("make the folder {}", dir.display()))?;
    let port = if args.port == 0 { free_port()? } else { args.port };

    // A real management cluster still lives in the pretended cloud unless a real one is named too.
    let pretend = if args.cloud.is_some() && args.kubeconfig.is_some() {
        None
    } else {
        let config = SandboxConfig {
            dir: Some(dir.join("sandbox")),
            listen: args.listen,
            seed: args.seed,
            speed: args.speed,
            container_infra_url: api_url(port),
            ..SandboxConfig::default()
        };
        Some(Sandbox::start(config).await.context("start the pretend cloud")?)
    };
    let mut cloud = match &args.cloud {
        Some(name) => real_cloud(&env, name)?,
        None => files::Cloud::of(pretend.as_ref().context("the pretend cloud is running")?),
    };
    if let Some(sandbox) = &pretend {
        cloud.kubeconfig_text = Some(sandbox.kubeconfig.clone());
    }
    if let Some(path) = &args.kubeconfig {
        cloud.kubeconfig_path = Some(std::path::absolute(path).context("find the kubeconfig")?);
    }
    let written = files::write(&dir, &cloud, port)?;

    let mut files = vec![written.config];
    files.extend(args.config_files.iter().cloned());
    let serve_args = ServerArgs { config: ConfigArgs::only(files), upgrade_database: true, ..ServerArgs::default() };
    let config = settings::load(&serve_args.config)?;
    let clouds_file = args.clouds_file.clone();
    let greeting = async {
        templates::seed(port, &cloud, shutdown).await?;
        let shown = match &clouds_file {
            // Whoever waits for this file finds a service that is ready.
            Some(file) => files::copy_atomically(&written.clouds, file)?,
            None => written.clouds.clone(),
        };
        greet(&shown, &cloud, port);
        Ok::<(), anyhow::Error>(())
    };
    let (served, greeted) = tokio::join!(serve::run(Role::All, &serve_args, &config, shutdown), async {
        let greeted = greeting.await;
        if greeted.is_err() {
            shutdown.begin();
        }
        greeted
    });
    if let Some(sandbox) = pretend {
        sandbox.stop().await;
    }
    served?;
    if shutdown.token().is_cancelled() { greeted.or(Ok(())) } else { greeted }
}

/// Where the service answers.
fn api_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/v1")
}

/// `$XDG_DATA_HOME/jeroboam/dev`.
fn data_dir(env: &BTreeMap<String, String>) -> Result<PathBuf> {
    let named = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = named("XDG_DATA_HOME").or_else(|| named("HOME").map(|home| home.join(".local/share")));
    Ok(base.context("neither XDG_DATA_HOME nor HOME is set; use --data-dir")?.join("jeroboam/dev"))
}

/// Removes what earlier runs made, and only that.
fn forget(dir: &Path) -> Result<()> {
    let sandbox = dir.join("sandbox");
    if sandbox.exists() {
        std::fs::remove_dir_all(&sandbox).with_context(|| format!("remove {}", sandbox.display()))?;
    }
    for name in ["magnum.sqlite", "magnum.sqlite-wal", "magnum.sqlite-shm", "magnum.sqlite.key"] {
        let file = dir.join(name);
        if file.exists() {
            std::fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))?;
        }
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}

/// The service logs in as the person whose cloud this is.
fn real_cloud(env: &BTreeMap<String, String>, name: &str) -> Result<files::Cloud> {
    let directory = std::env::current_dir().ok();
    let lookup = Lookup { cloud: Some(name.to_owned()), ..Lookup::new(env.clone(), directory) };
    let cloud = clouds::resolve(&lookup).with_context(|| format!("find the cloud {name} in clouds.yaml"))?;
    match files::Cloud::real(&cloud) {
        Some(cloud) => Ok(cloud),
        None => bail!(
            "the cloud {name} has neither a password nor an application credential by id, and the service needs to log in again"
        ),
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command says to the person who started it")]
fn greet(clouds: &Path, cloud: &files::Cloud, port: u16) {
    println!("The service answers at {}", api_url(port));
    if cloud.pretend {
        println!("\nUse it with the openstack client or with ours:\n");
        println!("  export OS_CLIENT_CONFIG_FILE={}", clouds.display());
        println!("  export OS_CLOUD=jeroboam-dev");
        println!("  openstack coe cluster template list");
        println!("  jeroboam cluster create demo --template {} --node-count 2 --wait\n", templates::OLDER);
    }
    println!("Ctrl-C stops it; what it knows is kept.");
}
