//! What is typed to carry images: between registries, through files, and onto the nodes of a cluster.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `jeroboam registry sync`, `export`, `import` and `node`.
#[derive(Debug, Subcommand)]
pub enum RegistryCopyCommand {
    /// Copy repositories from one registry to another, and of each only what is not there yet
    #[command(after_help = "\
Images come with all that they name and with what is about them: signatures, bills of materials. A tag is moved when its image is whole; what
fails does not stop the rest, and is tried again by the next run. The exit code is 1 when anything failed.

Examples:
  jeroboam registry sync --from https://old.example.org --to http://localhost:5000 --repository 'team/**'
  jeroboam registry sync --from https://docker.io --to http://localhost:5000 --repository library/alpine --tag '3.*' --prefix hub
  jeroboam registry sync --from http://localhost:5000 --to https://south.example.org --to-user ci --to-password-file password \\
    --repository team/app --dry-run")]
    Sync(SyncArgs),
    /// Pack images into a file, for a place that no network reaches
    #[command(after_help = "\
The file is an OCI image layout in a tar archive, or in a folder where the name ends with a slash; skopeo, oras and containerd read it, too. The
same images make the same bytes. The sums beside it are for sha256sum --check.

Examples:
  jeroboam registry export --ref team/app:v1 --ref team/tool:v2 -o bundle.tar
  jeroboam registry export --ref team/app:v2 --since bundle.tar -o next.tar     only what bundle.tar does not have
  jeroboam registry export --ref team/app:v1 --split 4GiB -o bundle.tar         bundle.tar.000, bundle.tar.001, …")]
    Export(ExportArgs),
    /// Unpack images that were packed by export, by docker save, or by anything that writes OCI image layouts
    #[command(after_help = "\
Everything is checked before anything is sent, and no tag is moved before all images are whole.

Examples:
  jeroboam registry import bundle.tar
  jeroboam registry import bundle.tar --dry-run                     check it, and say what is in it
  jeroboam registry import saved.tar --prefix from-outside          after docker save -o saved.tar app:v1")]
    Import(ImportArgs),
    /// Print what the nodes of a cluster need to have a registry at localhost:5000
    #[command(subcommand)]
    Node(NodeCommand),
}

/// Which registry, and who we are there.
#[derive(Clone, Debug, Args)]
pub struct RemoteArgs {
    /// The registry
    #[arg(long, value_name = "URL", default_value = "http://localhost:5000")]
    pub registry: String,
    /// Who we are there
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// A file with the password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// The only authorities to believe, in PEM
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
}

/// `jeroboam registry sync`
#[derive(Clone, Debug, Args)]
pub struct SyncArgs {
    /// The registry that has the images
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// Who we are there
    #[arg(long, value_name = "NAME", requires = "from_password_file")]
    pub from_user: Option<String>,
    /// A file with the password for it
    #[arg(long, value_name = "FILE", requires = "from_user")]
    pub from_password_file: Option<PathBuf>,
    /// The registry that is to have them
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Who we are there
    #[arg(long, value_name = "NAME", requires = "to_password_file")]
    pub to_user: Option<String>,
    /// A file with the password for it
    #[arg(long, value_name = "FILE", requires = "to_user")]
    pub to_password_file: Option<PathBuf>,
    /// The only authorities to believe, in PEM, for both
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// A repository; * stands for anything in one part of a name, ** for any parts; may be repeated
    #[arg(long = "repository", value_name = "PATTERN", required = true)]
    pub repositories: Vec<String>,
    /// Only these tags; * stands for anything; may be repeated
    #[arg(long = "tag", value_name = "PATTERN")]
    pub tags: Vec<String>,
    /// Not these tags; may be repeated
    #[arg(long = "not-tag", value_name = "PATTERN")]
    pub not_tags: Vec<String>,
    /// Take this away from the beginning of the names
    #[arg(long, value_name = "NAME")]
    pub strip: Option<String>,
    /// Put this before the names
    #[arg(long, value_name = "NAME")]
    pub prefix: Option<String>,
    /// Leave behind what is about the images
    #[arg(long)]
    pub without_referrers: bool,
    /// Remove tags that the source has no more
    #[arg(long)]
    pub delete: bool,
    /// Most bytes a second, such as 10MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub rate: Option<u64>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `jeroboam registry export`
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Where the images are.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// An image, such as team/app:v1 or team/app@sha256:…; may be repeated
    #[arg(long = "ref", value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
    /// The file; a folder where it ends with a slash
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Leave out what this earlier bundle has; may be repeated
    #[arg(long, value_name = "FILE")]
    pub since: Vec<PathBuf>,
    /// In pieces of at most this size, such as 4GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub split: Option<u64>,
    /// Leave out what is about the images
    #[arg(long)]
    pub without_referrers: bool,
    /// Say what would be packed, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `jeroboam registry import`
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// Who is to have the images.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// The file or folder; one in pieces is named without their numbers
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The repository, where the file does not say it or another one is wanted
    #[arg(long, value_name = "NAME")]
    pub repository: Option<String>,
    /// Put this before the names of the repositories
    #[arg(long, value_name = "NAME")]
    pub prefix: Option<String>,
    /// Check everything and say what is in it, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `jeroboam registry node …`
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Print a DaemonSet and what it needs, for kubectl apply
    #[command(after_help = "\
The registry is in the network of each node and listens on its loopback: containerd reaches it at localhost:5000; pods with a network of their
own and other machines do not. The secret is in the text that is printed: do not keep it where others read it.

Example:
  jeroboam registry node manifest --image registry.example.org/jeroboam:1 --auth-url https://keystone.example.org/v3 \\
    --region RegionOne --application-credential-id 5d3f… --secret-file secret --mirror docker.io | kubectl apply -f -")]
    Manifest(Box<NodeManifestArgs>),
    /// Print or write what containerd reads to pull from the node's registry first
    #[command(after_help = "\
containerd looks into the folder that its setting config_path names.

Examples:
  jeroboam registry node hosts --mirror docker.io
  jeroboam registry node hosts --mirror docker.io --mirror ghcr.io --to /etc/containerd/certs.d")]
    Hosts(NodeHostsArgs),
    /// Print a unit for systemd, for machines without Kubernetes
    #[command(after_help = "\
Example:
  jeroboam registry node unit --config /etc/jeroboam/registry.yml > /etc/systemd/system/jeroboam-registry.service")]
    Unit(NodeUnitArgs),
}

/// `jeroboam registry node manifest`
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("identity").required(true).args(["application_credential_id", "user"]))]
pub struct NodeManifestArgs {
    /// The image of this program
    #[arg(long, value_name = "IMAGE")]
    pub image: String,
    /// Where in Kubernetes
    #[arg(long, value_name = "NAME", default_value = "kube-system")]
    pub namespace: String,
    /// The port on the loopback of each node
    #[arg(long, value_name = "PORT", default_value_t = 5000)]
    pub port: u16,
    /// Keystone, with /v3
    #[arg(long, value_name = "URL")]
    pub auth_url: String,
    /// The region of the store
    #[arg(long, value_name = "NAME")]
    pub region: String,
    /// The container in Swift
    #[arg(long, value_name = "NAME", default_value = "docker_registry")]
    pub container: String,
    /// Authorities to believe, in PEM, where the machine's are not enough
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Who the registry is: an application credential
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "trust_id", "project"])]
    pub application_credential_id: Option<String>,
    /// Who the registry is: a user, with a trust or a project
    #[arg(long, value_name = "NAME", requires = "secret_file")]
    pub user: Option<String>,
    /// The user's domain: its id with a trust, its name without
    #[arg(long, value_name = "DOMAIN", default_value = "Default")]
    pub domain: String,
    /// The trust
    #[arg(long, value_name = "ID", requires = "user", conflicts_with = "project")]
    pub trust_id: Option<String>,
    /// The project
    #[arg(long, value_name = "NAME", requires = "user")]
    pub project: Option<String>,
    /// The project's domain
    #[arg(long, value_name = "NAME", default_value = "Default")]
    pub project_domain: String,
    /// A file with the password or the secret
    #[arg(long, value_name = "FILE", required = true)]
    pub secret_file: PathBuf,
    /// Most bytes of the cache on each node
    #[arg(long, value_name = "SIZE", default_value = "20GiB")]
    pub cache_size: String,
    /// Take no pushes
    #[arg(long)]
    pub no_push: bool,
    /// A registry that the node's registry is a cache of, as images name it; may be repeated
    #[arg(long = "mirror", value_name = "HOST")]
    pub mirrors: Vec<String>,
}

/// `jeroboam registry node hosts`
#[derive(Clone, Debug, Args)]
pub struct NodeHostsArgs {
    /// The port of the node's registry
    #[arg(long, value_name = "PORT", default_value_t = 5000)]
    pub port: u16,
    /// A registry that it is a cache of, as images name it; may be repeated
    #[arg(long = "mirror", value_name = "HOST")]
    pub mirrors: Vec<String>,
    /// Write the files below this folder in place of printing them
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
    /// Say which files would change, and write none
    #[arg(long, requires = "to")]
    pub dry_run: bool,
}

/// `jeroboam registry node unit`
#[derive(Clone, Debug, Args)]
pub struct NodeUnitArgs {
    /// Where this program is
    #[arg(long, value_name = "FILE", default_value = "/usr/bin/jeroboam")]
    pub program: String,
    /// The configuration, which only root has to read
    #[arg(long, value_name = "FILE", default_value = "/etc/jeroboam/registry.yml")]
    pub config: String,
}

/// A number of bytes such as `5242880` or `64MiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "a size is a number, and perhaps KiB, MiB, GiB or TiB behind it".to_owned())?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        other => return Err(format!("{other:?} is no unit: write KiB, MiB, GiB or TiB")),
    };
    number
        .checked_mul(1 << shift)
        .filter(|size| *size > 0)
        .ok_or_else(|| "a size is more than nothing, and less than everything".to_owned())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_numbers_with_units() {
        for (text, bytes) in [("5242880", 5_242_880), ("4GiB", 4 << 30), ("10 MiB", 10 << 20), ("1k", 1024)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "x", "1.5GiB", "10MB", "99999999999999TiB", "-1"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
