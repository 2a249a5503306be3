//! Media types of manifests, and which types of layers need not be here.

use std::fmt;

/// A type of manifest that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// An image, as OCI has it.
    OciManifest,
    /// Several manifests under one name, as OCI has them.
    OciIndex,
    /// An image, as Docker has it.
    DockerManifest,
    /// Several manifests under one name, as Docker has them.
    DockerList,
    /// Docker's first form, signed. Stores may hold it; nobody writes it any more.
    DockerSchema1Signed,
    /// Docker's first form.
    DockerSchema1,
}

/// What a manifest is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A configuration and layers.
    Image,
    /// Other manifests.
    Index,
    /// Layers, in Docker's first form.
    Schema1,
}

impl MediaType {
    const ALL: [Self; 6] = [
        Self::OciManifest,
        Self::OciIndex,
        Self::DockerManifest,
        Self::DockerList,
        Self::DockerSchema1Signed,
        Self::DockerSchema1,
    ];

    /// As it stands in headers and manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OciManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::DockerSchema1Signed => "application/vnd.docker.distribution.manifest.v1+prettyjws",
            Self::DockerSchema1 => "application/vnd.docker.distribution.manifest.v1+json",
        }
    }

    /// The type of that name, without parameters.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// What manifests of this type are about.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::OciManifest | Self::DockerManifest => Kind::Image,
            Self::OciIndex | Self::DockerList => Kind::Index,
            Self::DockerSchema1Signed | Self::DockerSchema1 => Kind::Schema1,
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What stands before the parameters of a media type, in lower case as names of types are compared.
#[must_use]
pub fn base_type(header: &str) -> String {
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a layer of this type is had from elsewhere, so that a registry need not have it.
#[must_use]
pub fn is_foreign(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
        || media_type == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        || media_type == "application/vnd.docker.image.rootfs.foreign.diff.tar"
}
