//! What tenants type.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::common::{CloudArgs, ConfirmArgs, ListArgs, OutputArgs, Pair, WaitArgs, duration};

/// What tenants do. Every command talks to the API of the cloud that OS_CLOUD names.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Make, change and delete clusters
    Cluster {
        /// Which cloud.
        #[command(flatten)]
        cloud: CloudArgs,
        /// What to do.
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// Look after what clusters are made from
    Template {
        /// Which cloud.
        #[command(flatten)]
        cloud: CloudArgs,
        /// What to do.
        #[command(subcommand)]
        command: TemplateCommand,
    },
    /// Look after groups of worker nodes with a size and a flavor of their own
    Nodegroup {
        /// Which cloud.
        #[command(flatten)]
        cloud: CloudArgs,
        /// What to do.
        #[command(subcommand)]
        command: NodegroupCommand,
    },
    /// Write a kubeconfig for a cluster
    #[command(after_help = "\
The private key is made here and stays here; the service signs its certificate.

Examples:
  jeroboam kubeconfig kube --output ~/.kube/kube.conf
  kubectl --kubeconfig <(jeroboam kubeconfig kube) get pods -A")]
    Kubeconfig(KubeconfigArgs),
    /// Look at the processes of the service (administrators)
    Service {
        /// Which cloud.
        #[command(flatten)]
        cloud: CloudArgs,
        /// What to do.
        #[command(subcommand)]
        command: ServiceCommand,
    },
}

/// `jeroboam cluster …`
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// List the clusters of the project
    #[command(after_help = "\
Examples:
  jeroboam cluster list
  jeroboam cluster list -f value -c uuid -c status --sort name")]
    List(ListArgs),
    /// Show one cluster
    #[command(after_help = "Example:\n  jeroboam cluster show kube -f json")]
    Show {
        /// Name or id
        cluster: String,
        /// How output looks.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make a cluster
    #[command(after_help = "\
Examples:
  jeroboam cluster create kube --template k8s-v1.33 --keypair mine
  jeroboam cluster create big --template k8s-v1.33 --master-count 3 --node-count 10 --wait
  jeroboam cluster create lab --template k8s-v1.33 --merge-labels -l auto_healing_enabled=true")]
    Create(Box<ClusterCreateArgs>),
    /// Change the number of default workers with a JSON Patch, as older clients do
    #[command(after_help = "Example:\n  jeroboam cluster update kube --node-count 3 --wait")]
    Update(ClusterUpdateArgs),
    /// Change the number of nodes of a group
    #[command(after_help = "\
Examples:
  jeroboam cluster resize kube 5 --wait
  jeroboam cluster resize kube 2 --remove 4d5e6f70-1111-2222-3333-444455556666
  jeroboam cluster resize kube 4 --nodegroup gpu")]
    Resize(ClusterResizeArgs),
    /// Bring a cluster to another template, usually one with the next Kubernetes version
    #[command(after_help = "Example:\n  jeroboam cluster upgrade kube k8s-v1.34 --wait")]
    Upgrade(ClusterUpgradeArgs),
    /// Delete clusters and everything that was made for them
    #[command(after_help = "\
Without a terminal, --yes is needed.

Examples:
  jeroboam cluster delete kube
  jeroboam cluster delete lab1 lab2 lab3 --yes --wait
  jeroboam cluster delete kube --dry-run")]
    Delete(ClusterDeleteArgs),
    /// List the Kubernetes nodes of a cluster, asked of its own API
    #[command(after_help = "Example:\n  jeroboam cluster nodes kube")]
    Nodes {
        /// Name or id
        cluster: String,
        /// How output looks.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Follow a cluster until its operation ends
    #[command(after_help = "Example:\n  jeroboam cluster wait kube --timeout 20m")]
    Wait {
        /// Name or id
        cluster: String,
        /// Give up waiting after this time, such as 90s, 20m or 2h; the operation goes on
        #[arg(long, value_name = "TIME", default_value = "60m", value_parser = duration)]
        timeout: Duration,
    },
}

/// `jeroboam cluster create`
#[derive(Debug, Args)]
pub struct ClusterCreateArgs {
    /// Name; letters, digits, `_`, `.` and `-`, a letter first [default: one is made up]
    pub name: Option<String>,
    /// Cluster template, name or id
    #[arg(short, long)]
    pub template: String,
    /// Worker nodes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub node_count: u32,
    /// Control plane nodes, an odd number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub master_count: u32,
    /// Key pair for logging in to the machines [default: the template's]
    #[arg(long, value_name = "NAME")]
    pub keypair: Option<String>,
    /// Flavor of the workers [default: the template's]
    #[arg(long, value_name = "NAME")]
    pub flavor: Option<String>,
    /// Flavor of the control plane [default: the template's]
    #[arg(long, value_name = "NAME")]
    pub master_flavor: Option<String>,
    /// Network that is there already [default: the template's]
    #[arg(long, value_name = "NAME")]
    pub fixed_network: Option<String>,
    /// Subnet that is there already [default: the template's]
    #[arg(long, value_name = "NAME")]
    pub fixed_subnet: Option<String>,
    /// Size of the container volume in GiB [default: the template's]
    #[arg(long, value_name = "GIB")]
    pub docker_volume_size: Option<u32>,
    /// Minutes after which the creation is called failed
    #[arg(long, value_name = "MINUTES")]
    pub create_timeout: Option<u32>,
    /// Label name=value in place of the template's; may be repeated
    #[arg(short, long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<Pair>,
    /// Keep the template's labels beside those given here
    #[arg(long)]
    pub merge_labels: bool,
    /// Give the API a floating IP [default: the template's choice]
    #[arg(long, overrides_with = "no_floating_ip")]
    pub floating_ip: bool,
    /// Give the API no floating IP
    #[arg(long)]
    pub no_floating_ip: bool,
    /// Put a load balancer before the API [default: the template's choice]
    #[arg(long, overrides_with = "no_master_lb")]
    pub master_lb: bool,
    /// Put no load balancer before the API
    #[arg(long)]
    pub no_master_lb: bool,
    /// Waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// How output looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `jeroboam cluster update`
#[derive(Debug, Args)]
pub struct ClusterUpdateArgs {
    /// Name or id
    pub cluster: String,
    /// Worker nodes of the default group
    #[arg(long, value_name = "N")]
    pub node_count: u32,
    /// Waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// How output looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `jeroboam cluster resize`
#[derive(Debug, Args)]
pub struct ClusterResizeArgs {
    /// Name or id
    pub cluster: String,
    /// Nodes that the group shall have
    pub node_count: u32,
    /// The group [default: the workers that came with the cluster]
    #[arg(long, value_name = "NAME")]
    pub nodegroup: Option<String>,
    /// Take this node away first: id of its server, or name of the node; may be repeated
    #[arg(long = "remove", value_name = "NODE")]
    pub nodes_to_remove: Vec<String>,
    /// Waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// How output looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `jeroboam cluster upgrade`
#[derive(Debug, Args)]
pub struct ClusterUpgradeArgs {
    /// Name or id
    pub cluster: String,
    /// The new template, name or id
    pub template: String,
    /// Upgrade this group alone
    #[arg(long, value_name = "NAME")]
    pub nodegroup: Option<String>,
    /// Machines that may be replaced at a time
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub max_batch_size: u32,
    /// Waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// How output looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `jeroboam cluster delete`
#[derive(Debug, Args)]
pub struct ClusterDeleteArgs {
    /// Names or ids
    #[arg(required = true, value_name = "CLUSTER")]
    pub clusters: Vec<String>,
    /// Asking.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// Waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `jeroboam template …`
#[derive(Debug, Subcommand)]
pub enum TemplateCommand {
    /// List the templates that the project may use
    #[command(after_help = "Example:\n  jeroboam template list")]
    List(ListArgs),
    /// Show one template
    #[command(after_help = "Example:\n  jeroboam template show k8s-v1.33 -f yaml")]
    Show {
        /// Name or id
        template: String,
        /// How output looks.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make a template
    #[command(after_help = "\
Example:
  jeroboam template create k8s-v1.33 --image ubuntu-2204-kube-v1.33.4 --external-network public \\
    --flavor m1.medium --master-flavor m1.medium --label kube_tag=v1.33.4 --master-lb")]
    Create(Box<TemplateCreateArgs>),
    /// Change a template; one that clusters use can hardly be changed
    #[command(after_help = "\
Examples:
  jeroboam template update k8s-v1.33 --set flavor_id=m1.large --set labels/kube_tag=v1.33.5
  jeroboam template update k8s-v1.33 --unset keypair_id")]
    Update(TemplateUpdateArgs),
    /// Delete templates that no cluster uses
    #[command(after_help = "Example:\n  jeroboam template delete k8s-v1.32 --yes")]
    Delete {
        /// Names or ids
        #[arg(required = true, value_name = "TEMPLATE")]
        templates: Vec<String>,
        /// Asking.
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
}

/// `jeroboam template create`
#[derive(Debug, Args)]
pub struct TemplateCreateArgs {
    /// Name [default: one is made up]
    pub name: Option<String>,
    /// Image of the machines, with the property os_distro
    #[arg(long, value_name = "NAME")]
    pub image: String,
    /// Network with the way out
    #[arg(long, value_name = "NAME")]
    pub external_network: Option<String>,
    /// Flavor of the workers
    #[arg(long, value_name = "NAME")]
    pub flavor: Option<String>,
    /// Flavor of the control plane
    #[arg(long, value_name = "NAME")]
    pub master_flavor: Option<String>,
    /// Key pair for logging in to the machines
    #[arg(long, value_name = "NAME")]
    pub keypair: Option<String>,
    /// Network that is there already
    #[arg(long, value_name = "NAME")]
    pub fixed_network: Option<String>,
    /// Subnet that is there already
    #[arg(long, value_name = "NAME")]
    pub fixed_subnet: Option<String>,
    /// Name servers, IPv4 addresses separated by commas
    #[arg(long, value_name = "ADDRESSES")]
    pub dns_nameserver: Option<String>,
    /// Network of the pods: calico, cilium or flannel
    #[arg(long, value_name = "NAME")]
    pub network_driver: Option<String>,
    /// Volumes of the pods: cinder
    #[arg(long, value_name = "NAME")]
    pub volume_driver: Option<String>,
    /// Size of the container volume in GiB
    #[arg(long, value_name = "GIB")]
    pub docker_volume_size: Option<u32>,
    /// Label name=value; may be repeated
    #[arg(short, long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<Pair>,
    /// Words to find it by, separated by commas
    #[arg(long, value_name = "WORDS")]
    pub tags: Option<String>,
    /// The driver by name [default: the image's, else the service's]
    #[arg(long, value_name = "NAME")]
    pub driver: Option<String>,
    /// Put a load balancer before the API
    #[arg(long)]
    pub master_lb: bool,
    /// Give the API no floating IP
    #[arg(long)]
    pub no_floating_ip: bool,
    /// Readable by every project (administrators)
    #[arg(long)]
    pub public: bool,
    /// Not offered to others (administrators)
    #[arg(long)]
    pub hidden: bool,
    /// How output looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `jeroboam template update`
#[derive(Debug, Args)]
pub struct TemplateUpdateArgs {
    /// Name or id
    pub template: String,
    /// Set a field of the API; a label is labels/NAME; may be repeated
    #[arg(long, value_name = "FIELD=VALUE", required_unless_present = "unset")]
    pub set: Vec<Pair>,
    /// Take a field back to what it is without a value; may be repeated
    #[arg(long, value_name = "FIELD")]
    pub unset: Vec<String>,
    /// How output looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `jeroboam nodegroup …`
#[derive(Debug, Subcommand)]
pub enum NodegroupCommand {
    /// List the groups of a cluster
    #[command(after_help = "Example:\n  jeroboam nodegroup list kube --role worker")]
    List {
        /// Name or id
        cluster: String,
        /// Only groups of this role
        #[arg(long)]
        role: Option<String>,
        /// How output looks.
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one group
    #[command(after_help = "Example:\n  jeroboam nodegroup show kube gpu")]
    Show {
        /// Name or id of the cluster
        cluster: String,
        /// Name or id of the group
        nodegroup: String,
        /// How output looks.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Add a group of workers
    #[command(after_help = "\
Example:
  jeroboam nodegroup create kube gpu --node-count 2 --flavor g1.large --node-label accelerator=a100 \\
    --node-taint nvidia.com/gpu=present:NoSchedule --wait")]
    Create(Box<NodegroupCreateArgs>),
    /// Change the bounds of a group's size
    #[command(after_help = "Example:\n  jeroboam nodegroup update kube gpu --min-nodes 1 --max-nodes 5")]
    Update(NodegroupUpdateArgs),
    /// Delete a group and its machines
    #[command(after_help = "Example:\n  jeroboam nodegroup delete kube gpu --yes --wait")]
    Delete {
        /// Name or id of the cluster
        cluster: String,
        /// Name or id of the group
        nodegroup: String,
        /// Asking.
        #[command(flatten)]
        confirm: ConfirmArgs,
        /// Waiting.
        #[command(flatten)]
        wait: WaitArgs,
    },
}

/// `jeroboam nodegroup create`
#[derive(Debug, Args)]
pub struct NodegroupCreateArgs {
    /// Name or id of the cluster
    pub cluster: String,
    /// Name of the group
    pub name: String,
    /// Nodes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub node_count: u32,
    /// Fewest nodes
    #[arg(long, value_name = "N")]
    pub min_nodes: Option<u32>,
    /// Most nodes
    #[arg(long, value_name = "N")]
    pub max_nodes: Option<u32>,
    /// Role
    #[arg(long, value_name = "NAME")]
    pub role: Option<String>,
    /// Flavor [default: the cluster's]
    #[arg(long, value_name = "NAME")]
    pub flavor: Option<String>,
    /// Image [default: the template's]
    #[arg(long, value_name = "NAME")]
    pub image: Option<String>,
    /// Size of the container volume in GiB
    #[arg(long, value_name = "GIB")]
    pub docker_volume_size: Option<u32>,
    /// Label name=value in place of the cluster's; may be repeated
    #[arg(short, long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<Pair>,
    /// Keep the cluster's labels beside those given here
    #[arg(long)]
    pub merge_labels: bool,
    /// Label of the Kubernetes nodes; may be repeated
    #[arg(long = "node-label", value_name = "NAME=VALUE")]
    pub node_labels: Vec<Pair>,
    /// Taint of the Kubernetes nodes: key[=value]:effect; may be repeated
    #[arg(long = "node-taint", value_name = "TAINT")]
    pub node_taints: Vec<String>,
    /// Waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// How output looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `jeroboam nodegroup update`
#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true, args = ["min_nodes", "max_nodes"])]
pub struct NodegroupUpdateArgs {
    /// Name or id of the cluster
    pub cluster: String,
    /// Name or id of the group
    pub nodegroup: String,
    /// Fewest nodes
    #[arg(long, value_name = "N")]
    pub min_nodes: Option<u32>,
    /// Most nodes; 0 for no bound
    #[arg(long, value_name = "N")]
    pub max_nodes: Option<u32>,
    /// How output looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `jeroboam kubeconfig`
#[derive(Debug, Args)]
pub struct KubeconfigArgs {
    /// Which cloud.
    #[command(flatten)]
    pub cloud: CloudArgs,
    /// Name or id of the cluster
    pub cluster: String,
    /// Write it to this file, readable by you alone [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// `jeroboam service …`
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// List the processes and whether they live
    #[command(after_help = "Example:\n  jeroboam service list --os-cloud admin")]
    List {
        /// How output looks.
        #[command(flatten)]
        output: OutputArgs,
    },
}
