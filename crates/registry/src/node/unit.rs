//! A unit for systemd that runs a registry on a machine of its own, for nodes without Kubernetes around them.

/// The text of `jeroboam-registry.service`. The configuration is handed over as a credential, so that only root reads the file.
#[must_use]
pub fn unit(program: &str, config: &str) -> String {
    format!(
        "\
[Unit]
Description=OCI registry on this node
Documentation=man:systemd.exec(5)
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={program} registry serve ${{CREDENTIALS_DIRECTORY}}/config.yml
LoadCredential=config.yml:{config}
Restart=always
RestartSec=2
TimeoutStopSec=90
DynamicUser=yes
CacheDirectory=jeroboam-registry
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallFilter=@system-service
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"
    )
}
