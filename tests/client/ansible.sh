#!/usr/bin/env bash
# The life of a cluster with Ansible's openstack.cloud collection.
#   OS_CLIENT_CONFIG_FILE=… OS_CLOUD=… IMAGE=… ansible.sh FOLDER
# FOLDER has `ansible-playbook` and the `python` for its modules. Stops at the first difference. PATIENCE is half the seconds that a cluster may take.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false
"$1/ansible-playbook" --extra-vars "{\"ansible_python_interpreter\": \"$1/python\", \"image\": \"$IMAGE\", \"patience\": ${PATIENCE:-90}}" \
  "$here/ansible.yml"
