#!/bin/bash
# Inside one simulated guest (guest-sim.py made the namespaces): private Kubernetes folders, cloud-init's files, nodelet, kubeadm.
#   guest.sh DIR NAME IP [KUBELET_VERSION]
set -eu
DIR=$1 NAME=$2 IP=$3 HERE=$(cd "$(dirname "$0")" && pwd)
BIN=$CAPOBIN
hostname "$NAME"
"$PY" "$HERE/cloudinit.py" "$DIR"                 # write_files below $DIR/root, kubeadm commands into $DIR/run.sh
for d in /etc/kubernetes /etc/cni /var/lib/kubelet /var/lib/etcd /var/log/pods /run/kubeadm /run/cluster-api; do
  mkdir -p "$d" "$DIR/root$d"; mount --bind "$DIR/root$d" "$d"
done
mkdir -p /etc/kubernetes/manifests "$DIR/bin"
# kubeadm without preflight (no container runtime, no image pulls); everything else as cloud-init asked for
cat >"$DIR/bin/kubeadm" <<K
#!/bin/bash
c=\$1; shift
case \$c in init|join) exec "$BIN/kubeadm" \$c --skip-phases=preflight "\$@";; *) exec "$BIN/kubeadm" \$c "\$@";; esac
K
chmod +x "$DIR/bin/kubeadm"
"$BIN/nodelet" --ip "$IP" --bin "$BIN" ${4:+--version "$4"} >>"$DIR/nodelet.log" 2>&1 &
t=$SECONDS
if PATH=$DIR/bin:$BIN:$PATH bash -e "$DIR/run.sh"; then echo "$(date +%T) kubeadm done in $((SECONDS-t)) s"; else echo "$(date +%T) kubeadm FAILED"; fi
wait
