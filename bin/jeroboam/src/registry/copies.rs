//! `jeroboam registry sync`, `export` and `import`: images between registries, and through files.

use std::sync::Arc;

use anyhow::{Context, Result};
use jeroboam_cli::args::{ExportArgs, ImportArgs, RegistryCopyCommand, RemoteArgs, SyncArgs};
use jeroboam_model::SystemClock;
use jeroboam_oci::RepositoryName;
use jeroboam_registry::bundle::{Bundle, Export, ImageName, Import};
use jeroboam_registry::client::{ClientError, Credentials, Password, Remote, RemoteSettings};
use jeroboam_registry::sync::{Policy, Step, Sync};

use super::{node, print, say};

/// Carries out a subcommand. `false`: some of it could not be done.
pub(super) async fn run(command: RegistryCopyCommand) -> Result<bool> {
    match command {
        RegistryCopyCommand::Sync(args) => sync(args).await,
        RegistryCopyCommand::Export(args) => export(args).await.map(|()| true),
        RegistryCopyCommand::Import(args) => import(args).await.map(|()| true),
        RegistryCopyCommand::Node(command) => node::run(command).map(|()| true),
    }
}

/// A registry that is meant by its address.
fn remote(
    url: &str,
    user: Option<String>,
    password_file: Option<std::path::PathBuf>,
    ca_cert: Option<std::path::PathBuf>,
    rate: Option<u64>,
) -> Result<Arc<Remote>> {
    let text = if url.contains("://") { url.to_owned() } else { format!("https://{url}") };
    let url = text
        .parse()
        .with_context(|| format!("{text:?} is no address of a registry, such as https://registry.example.org"))?;
    let credentials =
        user.zip(password_file).map(|(user_name, file)| Credentials { user_name, password: Password::File(file) });
    let settings = RemoteSettings { credentials, ca_cert, rate, ..RemoteSettings::new(url) };
    Ok(Arc::new(Remote::new(settings, Arc::new(SystemClock))?))
}

fn of_args(args: RemoteArgs) -> Result<Arc<Remote>> {
    remote(&args.registry, args.user, args.password_file, args.ca_cert, None)
}

fn name(text: Option<&str>) -> Result<Option<RepositoryName>> {
    text.map(|text| text.parse().with_context(|| format!("{text:?} is no name of a repository"))).transpose()
}

async fn sync(args: SyncArgs) -> Result<bool> {
    let from = remote(&args.from, args.from_user, args.from_password_file, args.ca_cert.clone(), None)?;
    let to = remote(&args.to, args.to_user, args.to_password_file, args.ca_cert, args.rate)?;
    let policy = Policy {
        repositories: args.repositories,
        tags: args.tags,
        not_tags: args.not_tags,
        strip: name(args.strip.as_deref())?,
        prefix: name(args.prefix.as_deref())?,
        without_referrers: args.without_referrers,
        delete: args.delete,
    };
    let progress = |number: usize, total: usize, step: &Step| {
        let what = if step.digest.is_some() { "copying" } else { "removing" };
        say(&format!("[{number}/{total}] {what} {}:{}", step.to, step.tag));
    };
    let sync = Sync { from: &from, to: &to, policy: &policy, progress: &progress };
    if args.dry_run {
        let plan = sync.plan().await?;
        print(&plan.steps.iter().map(line).collect::<String>())?;
        say_unread(&plan.unread);
        let (steps, same) = (tags(plan.steps.len()), tags(plan.same));
        say(&format!("{steps} would be copied or removed, {same} the same already"));
        return Ok(plan.unread.is_empty());
    }
    let synced = sync.run().await?;
    print(&synced.done.iter().map(line).collect::<String>())?;
    say_unread(&synced.unread);
    for (step, error) in &synced.failed {
        say(&format!("error: {}:{}: {}", step.to, step.tag, error.chain()));
    }
    say(&format!(
        "{} copied or removed, {} the same already, {} failed; {} in {} sent",
        tags(synced.done.len()),
        tags(synced.same),
        tags(synced.failed.len()),
        bytes(synced.tally.bytes()),
        plural(synced.tally.blobs(), "blob", "blobs"),
    ));
    Ok(synced.failed.is_empty() && synced.unread.is_empty())
}

fn say_unread(unread: &[(RepositoryName, ClientError)]) {
    for (repository, error) in unread {
        say(&format!("error: {repository}: {}; nothing of it was copied or removed", error.chain()));
    }
}

fn line(step: &Step) -> String {
    let digest = step.digest.as_ref().map_or_else(|| "removed".to_owned(), ToString::to_string);
    format!("{}:{} {digest}\n", step.to, step.tag)
}

async fn export(args: ExportArgs) -> Result<()> {
    let from = of_args(args.remote)?;
    let images: Vec<ImageName> = args.images.iter().map(|text| text.parse()).collect::<std::result::Result<_, _>>()?;
    let mut since = Vec::new();
    for path in &args.since {
        since.push(Bundle::open(path).await?);
    }
    let progress = |number: usize, total: usize, size: u64| say(&format!("[{number}/{total}] packing {}", bytes(size)));
    let export = Export {
        from: &from,
        images: &images,
        to: args.output,
        referrers: !args.without_referrers,
        since: &since,
        split: args.split,
        progress: &progress,
    };
    let done = if args.dry_run { export.plan().await? } else { export.run().await? };
    print(&done.images.iter().map(|(image, digest)| format!("{image} {digest}\n")).collect::<String>())?;
    let verb = if args.dry_run { "would be packed" } else { "packed" };
    let manifests = plural(done.manifests as u64, "manifest", "manifests");
    let blobs = plural(done.blobs as u64, "blob", "blobs");
    say(&format!("{manifests} and {blobs} {verb}, {}; {} in earlier bundles", bytes(done.bytes), done.left_out));
    for file in &done.files {
        say(&format!("wrote {}", file.display()));
    }
    Ok(())
}

async fn import(args: ImportArgs) -> Result<()> {
    let to = of_args(args.remote)?;
    say(&format!("checking {}", args.file.display()));
    let from = Bundle::open(&args.file).await?;
    let (repository, prefix) = (name(args.repository.as_deref())?, name(args.prefix.as_deref())?);
    let progress =
        |number: usize, total: usize, size: u64| say(&format!("[{number}/{total}] unpacking {}", bytes(size)));
    let import =
        Import { from: &from, to: &to, repository: repository.as_ref(), prefix: prefix.as_ref(), progress: &progress };
    let done = if args.dry_run { import.plan().await? } else { import.run().await? };
    print(&done.images.iter().map(|(image, digest)| format!("{image} {digest}\n")).collect::<String>())?;
    let manifests = plural(done.manifests as u64, "manifest", "manifests");
    let blobs = plural(done.blobs as u64, "blob", "blobs");
    say(&match args.dry_run {
        true => format!("all is as its digests say: {manifests} and {blobs}, {}", bytes(done.bytes)),
        false => format!("{manifests} and {blobs} sent, {}", bytes(done.bytes)),
    });
    Ok(())
}

fn tags(count: usize) -> String {
    plural(count as u64, "tag", "tags")
}

fn plural(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}
