//! What containerd reads to pull from the registry of its node: one `hosts.toml` below `/etc/containerd/certs.d` for each host.

/// A file, by the name of its folder below `certs.d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// The host that images name, such as `localhost:5000` or `docker.io`.
    pub host: String,
    /// What the file says.
    pub text: String,
}

/// The files for the registry at `127.0.0.1:<port>` itself, and for the registries that it is a cache of.
#[must_use]
pub fn hosts(port: u16, mirrored: &[String]) -> Vec<Hosts> {
    let node = format!("http://127.0.0.1:{port}");
    let own = ["localhost", "127.0.0.1"].map(|host| Hosts {
        host: format!("{host}:{port}"),
        text: format!("server = \"{node}\"\n\n[host.\"{node}\"]\n  capabilities = [\"pull\", \"resolve\", \"push\"]\n"),
    });
    let others = mirrored.iter().map(|host| Hosts {
        host: host.clone(),
        // Asked first and not alone: containerd goes to the registry itself when the one on the node is away.
        text: format!(
            "server = \"https://{}\"\n\n[host.\"{node}\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
            if host == "docker.io" { "registry-1.docker.io" } else { host }
        ),
    });
    own.into_iter().chain(others).collect()
}
