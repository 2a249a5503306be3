#!/usr/bin/env bash
# The life of a cluster with OpenTofu and terraform-provider-openstack: apply, a plan without a difference, update, import, destroy.
#   OS_CLIENT_CONFIG_FILE=… OS_CLOUD=… IMAGE=… tofu.sh FOLDER
# FOLDER has the programs `tofu` and `terraform-provider-openstack`. KUBECTL, where given, looks into the cluster with the kubeconfig that comes out.
# Stops at the first difference.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TF_CLI_CONFIG_FILE=$work/tofurc TF_IN_AUTOMATION=1 TF_VAR_image=$IMAGE
cat >"$TF_CLI_CONFIG_FILE" <<E
provider_installation {
  dev_overrides { "terraform-provider-openstack/openstack" = "$programs" }
  direct {}
}
E
say() { printf '%s %s\n' "$(date +%T)" "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
tofu() { # its words only where it fails: it says much
  "$programs/tofu" -chdir="$in" "$@" -no-color >"$work/said" 2>&1 || { local status=$?; cat "$work/said" >&2; return $status; }
}
value() { "$programs/tofu" -chdir="$in" state show -no-color "$1" | awk -v name="$2" '!found && $1 == name && $2 == "=" { gsub(/"/, "", $3); print $3; found = 1 }'; }
is() { # what expected actual
  [ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""
  say "$1: $3"
}
same() { # a plan that would change nothing
  tofu plan -detailed-exitcode -input=false || fail "$1: the plan differs"
  say "$1: no difference"
}
cluster=openstack_containerinfra_cluster_v1.tofu template=openstack_containerinfra_clustertemplate_v1.tofu group=openstack_containerinfra_nodegroup_v1.tofu

in=$work/first
cp -r "$here/tofu" "$in"
say "apply"
tofu apply -auto-approve -input=false
same "after apply"
is "the cluster's nodes" 1 "$(value $cluster node_count)"
is "the group's role" infra "$(value $group role)"
if [ -n "${KUBECTL:-}" ]; then
  "$programs/tofu" -chdir="$in" output -raw kubeconfig >"$work/kubeconfig"
  is "machines that kubectl lists" 3 "$("$KUBECTL" --kubeconfig "$work/kubeconfig" get nodes --no-headers | wc -l)"
fi

say "update"
export TF_VAR_nodes=2 TF_VAR_extra_nodes=2 TF_VAR_tag=second
tofu apply -auto-approve -input=false
same "after update"
is "the cluster's nodes" 2 "$(value $cluster node_count)"
is "the group's nodes" 2 "$(value $group node_count)"
is "the template's name" tofu-second "$(value $template name)"

say "import"
in=$work/second
cp -r "$here/tofu" "$in"
# That labels were merged is told to Magnum and never shown by it, so nobody can import it: what they were merged into is what there is.
cat >"$in/terraform.tfvars" <<E
merge_labels = null
labels       = { purpose = "tofu", fixed_subnet_cidr = "10.8.1.0/24" }
E
id=$(in=$work/first value $cluster id)
tofu import -input=false $template "$(in=$work/first value $template id)"
tofu import -input=false $cluster "$id"
tofu import -input=false $group "$(in=$work/first value $group id)"
for attribute in name node_count master_count cluster_template_id api_address; do
  is "imported $attribute" "$(in=$work/first value $cluster $attribute)" "$(value $cluster $attribute)"
done
same "after import"

say "destroy"
tofu destroy -auto-approve -input=false
is "left in the state" "" "$("$programs/tofu" -chdir="$in" state list)"
# The first state still has everything: what a refresh finds says whether it is really gone.
in=$work/first
tofu apply -refresh-only -auto-approve -input=false
is "left in the cloud" "" "$("$programs/tofu" -chdir="$in" state list)"
say "the whole life passed"
