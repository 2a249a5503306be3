//! What is asked, of whom, and as whom.

use std::fmt;
use std::str::FromStr;

use secrecy::SecretString;
use url::Url;

/// Which specification a registry is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Version 1.1 of the distribution specification.
    V1_1,
    /// What has been added to it since: cancelled uploads, tags as parameters, digests that every answer names.
    Dev,
}

impl Version {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_1 => "1.1",
            Self::Dev => "dev",
        }
    }
}

impl FromStr for Version {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "1.1" => Ok(Self::V1_1),
            "dev" => Ok(Self::Dev),
            _ => Err(UnknownWord { word: text.to_owned(), known: "1.1, dev".to_owned() }),
        }
    }
}

/// A word that is none of those that are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word} is none of {known}")]
pub struct UnknownWord {
    word: String,
    known: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let known = Self::ALL.iter().find(|known| known.name() == text).copied();
                known.ok_or_else(|| UnknownWord { word: text.to_owned(), known: [$($word,)*].join(", ") })
            }
        }
    };
}

words! {
    /// Parts of the interface that a registry may leave out, or that a version does not ask for.
    Api {
        /// Referrers, and what a manifest's subject is answered with.
        Referrers = "referrers",
        /// A deleted blob is gone with the answer.
        BlobAtomic = "blobs.atomic",
        /// Blobs can be deleted.
        BlobDelete = "blobs.delete",
        /// Answers about blobs name the digest.
        BlobDigestHeader = "blobs.digest-header",
        /// A blob is mounted without saying where it is.
        BlobMountAnonymous = "blobs.mount-anonymous",
        /// An upload can be given up.
        BlobUploadCancel = "blobs.upload-cancel",
        /// An upload says beforehand which digest it will have.
        BlobUploadAlgorithm = "blobs.upload-algorithm",
        /// A deleted manifest is gone with the answer.
        ManifestAtomic = "manifests.atomic",
        /// Manifests can be deleted.
        ManifestDelete = "manifests.delete",
        /// Answers about manifests name the digest.
        ManifestDigestHeader = "manifests.digest-header",
        /// A manifest is pushed by its digest with tags as parameters.
        ManifestTagParam = "manifests.tag-param",
        /// A deleted tag is gone with the answer.
        TagAtomic = "tags.atomic",
        /// Tags can be deleted.
        TagDelete = "tags.delete",
        /// Tags are listed.
        TagList = "tags.list",
    }
}

words! {
    /// Kinds of content that a registry may refuse.
    Data {
        /// Indexes of images.
        Index = "index",
        /// Indexes of indexes.
        NestedIndex = "nested-index",
        /// Images and indexes some of whose parts are elsewhere.
        Sparse = "sparse",
        /// Manifests that are no images.
        Artifact = "artifact",
        /// Manifests about others.
        Subject = "subject",
        /// Manifests about others that are not there.
        SubjectMissing = "subject-missing",
        /// Descriptors that carry their bytes.
        DataField = "data-field",
        /// Layers that are not to be pushed.
        NonDistributable = "non-distributable",
        /// Fields that no specification has.
        CustomFields = "custom-fields",
        /// Images without layers.
        NoLayers = "no-layers",
        /// Blobs of no bytes.
        EmptyBlob = "empty-blob",
        /// Manifests of nearly 4 MiB.
        LargeManifest = "large-manifest",
        /// Digests by sha512.
        Sha512 = "sha512",
    }
}

/// Everything that a run is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the registry answers, without `/v2/`.
    pub registry: Url,
    /// The repository that most is pushed to.
    pub repository: String,
    /// The repository that blobs are mounted into.
    pub other_repository: String,
    /// Who asks; nobody where there is none.
    pub login: Option<Login>,
    /// What the registry is held against.
    pub version: Version,
    /// Parts that are left out.
    pub without_apis: Vec<Api>,
    /// Parts that are asked for although the version does not have them.
    pub with_apis: Vec<Api>,
    /// Content that is left out.
    pub without_data: Vec<Data>,
    /// Only cases below this name, part by part.
    pub filter: String,
    /// Believe a certificate that nobody signed.
    pub insecure: bool,
    /// Decides what all content is.
    pub seed: String,
}

/// A name and its password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

impl Options {
    /// Everything on, nobody logged in, content that no run before had.
    #[must_use]
    pub fn new(registry: Url, version: Version) -> Self {
        Self {
            registry,
            repository: "conformance/one".to_owned(),
            other_repository: "conformance/two".to_owned(),
            login: None,
            version,
            without_apis: Vec::new(),
            with_apis: Vec::new(),
            without_data: Vec::new(),
            filter: String::new(),
            insecure: false,
            seed: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// Whether a part is asked for.
    pub(crate) fn has_api(&self, api: Api) -> bool {
        let of_later = matches!(
            api,
            Api::BlobUploadCancel
                | Api::BlobUploadAlgorithm
                | Api::ManifestTagParam
                | Api::BlobDigestHeader
                | Api::ManifestDigestHeader
        );
        let of_version = self.version == Version::Dev || !of_later;
        !self.without_apis.contains(&api) && (of_version || self.with_apis.contains(&api))
    }

    /// Whether content of this kind is pushed.
    pub(crate) fn has_data(&self, data: Data) -> bool {
        !self.without_data.contains(&data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_parts_are_asked_for_by_the_later_version_or_by_name() {
        let url: Url = "http://127.0.0.1:5000".parse().unwrap();
        let mut options = Options::new(url.clone(), Version::V1_1);
        assert!(!options.has_api(Api::ManifestTagParam));
        options.with_apis.push(Api::ManifestTagParam);
        assert!(options.has_api(Api::ManifestTagParam));
        options.without_apis.push(Api::ManifestTagParam);
        assert!(!options.has_api(Api::ManifestTagParam));
        assert!(Options::new(url, Version::Dev).has_api(Api::BlobUploadCancel));
    }

    #[test]
    fn words_are_read_back() {
        for api in Api::ALL {
            assert_eq!(api.name().parse(), Ok(*api));
        }
        assert_eq!(
            "blobs".parse::<Data>().unwrap_err().to_string(),
            "blobs is none of index, nested-index, sparse, artifact, subject, subject-missing, data-field, \
             non-distributable, custom-fields, no-layers, empty-blob, large-manifest, sha512"
        );
    }
}
