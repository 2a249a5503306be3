//! `jeroboam registry node …`: what the nodes of a cluster need for a registry of their own.

use std::path::Path;

use anyhow::{Context, Result};
use jeroboam_cli::args::{NodeCommand, NodeHostsArgs, NodeManifestArgs};
use jeroboam_registry::node::{self, Credentials, NodeSettings};
use secrecy::SecretString;

use super::{print, say};

pub(super) fn run(command: NodeCommand) -> Result<()> {
    match command {
        NodeCommand::Manifest(args) => print(&node::yaml(&settings(*args)?)),
        NodeCommand::Hosts(args) => hosts(&args),
        NodeCommand::Unit(args) => print(&node::unit(&args.program, &args.config)),
    }
}

fn settings(args: NodeManifestArgs) -> Result<NodeSettings> {
    let secret = SecretString::from(read(&args.secret_file)?.trim_end().to_owned());
    let credentials = match (args.application_credential_id, args.user, args.trust_id, args.project) {
        (Some(id), ..) => Credentials::Application { id, secret },
        (None, Some(user_name), Some(trust_id), _) => {
            Credentials::Trust { trust_id, user_name, domain_id: args.domain, password: secret }
        }
        (None, Some(user_name), None, Some(project)) => Credentials::Password {
            user_name,
            domain: args.domain,
            project,
            project_domain: args.project_domain,
            password: secret,
        },
        _ => anyhow::bail!("a user needs a project or a trust: --project or --trust-id"),
    };
    Ok(NodeSettings {
        namespace: args.namespace,
        image: args.image,
        port: args.port,
        auth_url: args.auth_url,
        region: args.region,
        container: args.container,
        ca_cert: args.ca_cert.as_deref().map(read).transpose()?,
        credentials,
        cache_size: args.cache_size,
        push: !args.no_push,
        mirrors: args.mirrors,
    })
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn hosts(args: &NodeHostsArgs) -> Result<()> {
    let files = node::hosts(args.port, &args.mirrors);
    let Some(folder) = &args.to else {
        let texts = files.iter().map(|file| format!("# {}/hosts.toml\n{}\n", file.host, file.text));
        return print(&texts.collect::<String>());
    };
    for file in files {
        let path = folder.join(&file.host).join("hosts.toml");
        if std::fs::read_to_string(&path).is_ok_and(|text| text == file.text) {
            continue;
        }
        if args.dry_run {
            say(&format!("would write {}", path.display()));
            continue;
        }
        let parent = folder.join(&file.host);
        std::fs::create_dir_all(&parent).with_context(|| format!("make {}", parent.display()))?;
        // containerd may read it at any moment.
        let temporary = parent.join(".hosts.toml.new");
        std::fs::write(&temporary, &file.text).with_context(|| format!("write {}", temporary.display()))?;
        std::fs::rename(&temporary, &path).with_context(|| format!("write {}", path.display()))?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}
