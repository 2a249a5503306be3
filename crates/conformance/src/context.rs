//! What every case has at hand.

use bytes::Bytes;
use jeroboam_oci::Digest;

use crate::client::{Client, SetupError};
use crate::noise;
use crate::options::{Api, Data, Options};
use crate::stop::{Stop, Verdict};

/// The registry and what is asked of it.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) options: Options,
}

impl Context {
    pub(crate) fn new(options: Options) -> Result<Self, SetupError> {
        Ok(Self { client: Client::new(&options)?, options })
    }

    /// The repository that most is pushed to.
    pub(crate) fn repository(&self) -> &str {
        &self.options.repository
    }

    /// Ends a case whose part is left out.
    pub(crate) fn needs(&self, api: Api) -> Verdict {
        if self.options.has_api(api) { Ok(()) } else { Err(Stop::Disabled(format!("{api} is off"))) }
    }

    /// Ends a case whose content is left out.
    pub(crate) fn needs_data(&self, data: Data) -> Verdict {
        if self.options.has_data(data) { Ok(()) } else { Err(Stop::Disabled(format!("data {data} is off"))) }
    }

    /// So many bytes that nobody has pushed before this case.
    pub(crate) fn noise(&self, name: &str, length: usize) -> Bytes {
        noise::bytes(&self.options.seed, name, length)
    }

    /// The path of a blob.
    pub(crate) fn blob(&self, digest: &Digest) -> String {
        format!("/v2/{}/blobs/{digest}", self.repository())
    }

    /// The path of a blob in the repository that blobs are mounted into.
    pub(crate) fn other_blob(&self, digest: &Digest) -> String {
        format!("/v2/{}/blobs/{digest}", self.options.other_repository)
    }

    /// The path of a manifest, by its tag or digest.
    pub(crate) fn manifest(&self, reference: &str) -> String {
        format!("/v2/{}/manifests/{reference}", self.repository())
    }

    /// Where uploads begin.
    pub(crate) fn uploads(&self) -> String {
        format!("/v2/{}/blobs/uploads/", self.repository())
    }
}
