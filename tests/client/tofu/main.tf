# A template, a cluster and a node group of it, as a user of OpenTofu or Terraform writes them.
terraform {
  required_providers {
    openstack = { source = "terraform-provider-openstack/openstack" }
  }
}

variable "image" {}
variable "nodes" { default = 1 }
variable "extra_nodes" { default = 1 }
variable "tag" { default = "first" }
variable "merge_labels" {
  type    = bool
  default = true
}
variable "labels" {
  type    = map(string)
  default = { purpose = "tofu" }
}

provider "openstack" {}

resource "openstack_containerinfra_clustertemplate_v1" "tofu" {
  name                  = "tofu-${var.tag}"
  coe                   = "kubernetes"
  image                 = var.image
  flavor                = "m1.small"
  master_flavor         = "m1.medium"
  external_network_id   = "public"
  dns_nameserver        = "9.9.9.9"
  network_driver        = "calico"
  docker_storage_driver = "overlay2"
  master_lb_enabled     = true
  floating_ip_enabled   = true

  labels = {
    fixed_subnet_cidr = "10.8.1.0/24"
  }
}

resource "openstack_containerinfra_cluster_v1" "tofu" {
  name                = "tofu"
  cluster_template_id = openstack_containerinfra_clustertemplate_v1.tofu.id
  master_count        = 1
  node_count          = var.nodes
  merge_labels        = var.merge_labels
  labels              = var.labels
}

resource "openstack_containerinfra_nodegroup_v1" "tofu" {
  name           = "extra"
  cluster_id     = openstack_containerinfra_cluster_v1.tofu.id
  node_count     = var.extra_nodes
  min_node_count = 1
  max_node_count = 5
  flavor_id      = "m1.medium"
  role           = "infra"
}

output "kubeconfig" {
  value     = openstack_containerinfra_cluster_v1.tofu.kubeconfig.raw_config
  sensitive = true
}
