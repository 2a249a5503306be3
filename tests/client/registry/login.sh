# shellcheck shell=bash disable=SC2034,SC2154  # what is set here is used by whoever sources this, and lib.sh sets the rest
# How each client is told whom to believe and who it is, and how it pushes and pulls then. Sourced after lib.sh, not run.
#   NAME_login USER PASSWORD      some only keep what they are given, and others ask the registry
#   NAME_push REPOSITORY          $work/image, or for helm a chart, under one tag
#   NAME_pull REPOSITORY          the same, whoever pushed it
# $certs is a folder as containers/image has it: ca.crt, and client.cert with client.key for those who have a certificate.
clients="skopeo podman crane oras regctl helm containerd"
certs=$work/certs
mkdir -p "$certs"
bounded() { timeout --kill-after=5 60 "$@"; }

nobody() { # from here on no client knows who it is
  HOME=$(mktemp -d -p "$work")
  export HOME DOCKER_CONFIG=$HOME/docker XDG_RUNTIME_DIR=$HOME/run XDG_CONFIG_HOME=$HOME/config
  mkdir -p "$DOCKER_CONFIG" "$XDG_RUNTIME_DIR" "$XDG_CONFIG_HOME/containers"
  echo "{}" >"$DOCKER_CONFIG/config.json"
  echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$XDG_CONFIG_HOME/containers/policy.json"
  as=()
  local own=()
  [ ! -e "$certs/client.key" ] || own=(--client-cert "$(<"$certs/client.cert")" --client-key "$(<"$certs/client.key")")
  regctl registry set --skip-check --cacert "$(<"$certs/ca.crt")" ${own[@]+"${own[@]}"} "$REGISTRY"
}

sk() { bounded skopeo --insecure-policy "$@"; }
skopeo_login() { printf %s "$2" | bounded skopeo login --cert-dir "$certs" -u "$1" --password-stdin "$REGISTRY"; }
skopeo_push() { sk copy --dest-cert-dir "$certs" "oci:$work/image:latest" "docker://$REGISTRY/$1:tag"; }
skopeo_pull() { rm -rf "$work/back" && sk copy --src-cert-dir "$certs" "docker://$REGISTRY/$1:tag" "oci:$work/back:latest"; }

pod() { bounded podman --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
podman_login() { printf %s "$2" | pod login --cert-dir "$certs" -u "$1" --password-stdin "$REGISTRY"; }
podman_push() { pod push --cert-dir "$certs" "$(pod pull -q "oci-archive:$work/image.tar")" "docker://$REGISTRY/$1:tag"; }
podman_pull() { pod rmi -af && pod pull --cert-dir "$certs" "docker://$REGISTRY/$1:tag"; }

# It takes authorities from the system alone.
cr() { SSL_CERT_FILE=$certs/ca.crt bounded crane "$@"; }
crane_login() { printf %s "$2" | cr auth login -u "$1" --password-stdin "$REGISTRY"; }
crane_push() { cr push "$work/image" "$REGISTRY/$1:tag"; }
crane_pull() { cr pull --format oci "$REGISTRY/$1:tag" "$work/back-crane"; }

oras_login() { printf %s "$2" | bounded oras login --ca-file "$certs/ca.crt" -u "$1" --password-stdin "$REGISTRY"; }
oras_push() { bounded oras copy --from-oci-layout "$work/image:latest" --to-ca-file "$certs/ca.crt" "$REGISTRY/$1:tag"; }
oras_pull() { bounded oras copy --to-oci-layout --from-ca-file "$certs/ca.crt" "$REGISTRY/$1:tag" "$(mktemp -d -p "$work"):latest"; }

regctl_login() { printf %s "$2" | bounded regctl registry login -u "$1" --pass-stdin "$REGISTRY"; }
regctl_push() { bounded regctl image copy "ocidir://$work/image:latest" "$REGISTRY/$1:tag"; }
regctl_pull() { bounded regctl image copy "$REGISTRY/$1:tag" "ocidir://$(mktemp -d -p "$work"):latest"; }

helm_login() { printf %s "$2" | bounded helm registry login --ca-file "$certs/ca.crt" -u "$1" --password-stdin "$REGISTRY"; }
helm_push() { bounded helm push --ca-file "$certs/ca.crt" "$work/chart-1.0.0.tgz" "oci://$REGISTRY/$1"; }
helm_pull() { bounded helm pull --ca-file "$certs/ca.crt" -d "$(mktemp -d -p "$work")" --version 1.0.0 "oci://$REGISTRY/$1/chart"; }

# As on a node: it reads hosts.toml, and is told who it is with each pull.
containerd_login() { as=(-u "$1:$2"); }
containerd_told() {
  local pair=
  [ ! -e "$certs/client.key" ] || pair="client = [[\"$certs/client.cert\", \"$certs/client.key\"]]"
  mkdir -p "$work/hosts/$REGISTRY"
  printf 'server = "https://%s"\nca = "%s"\n%s\n' "$REGISTRY" "$certs/ca.crt" "$pair" >"$work/hosts/$REGISTRY/hosts.toml"
  told=(--local --hosts-dir "$work/hosts" ${as[@]+"${as[@]}"})
}
ct() { bounded ctr -a "$work/containerd.sock" "$@"; }
containerd_push() {
  containerd_told
  ct images import --local --no-unpack --index-name "$REGISTRY/$1:tag" "$work/image.tar" && ct images push "${told[@]}" "$REGISTRY/$1:tag"
}
containerd_pull() {
  containerd_told
  local name
  for name in $(ct images ls -q); do ct images rm --sync "$name"; done
  for name in $(ct content ls -q); do ct content rm "$name"; done
  ct images pull "${told[@]}" --snapshotter native "$REGISTRY/$1:tag"
}
