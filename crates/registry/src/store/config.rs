//! Settings of a store.

use std::time::Duration;

use secrecy::SecretString;

use crate::config::{Children, Expressions, ImmutableRule, QuotaRule};

/// Who else uses the same place of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// distribution v2 may read and write it at the same time, or get it back tomorrow.
    #[default]
    Shared,
    /// Only registries of ours do.
    Exclusive,
}

/// Settings of a store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Who else uses the same place of objects.
    pub compat: Compat,
    /// Whether it begins without writing.
    pub read_only: bool,
    /// Whether clients may delete manifests, tags and blobs.
    pub delete_enabled: bool,
    /// Whether a manifest that an index or a referrer names may not be deleted.
    pub protect_referenced: bool,
    /// Which manifests that an index names have to be there.
    pub children: Children,
    /// Whether an image may name blobs that are not there.
    pub sparse_images: bool,
    /// Which addresses of what is kept elsewhere a manifest may name.
    pub elsewhere: Expressions,
    /// How much namespaces may have.
    pub quotas: Vec<QuotaRule>,
    /// Tags that are never moved.
    pub immutable: Vec<ImmutableRule>,
    /// Most bytes of a manifest.
    pub manifest_limit: u64,
    /// How long an answer about a tag is believed; never more than a second.
    pub tag_ttl: Duration,
    /// How long the answer that a blob is there is believed where distribution may delete it.
    pub existence_ttl: Duration,
    /// Most bytes of manifests that are kept in memory.
    pub manifest_cache: u64,
    /// A body with a length up to this is taken into memory whole, which saves requests.
    pub small_blob: u64,
    /// Most bytes of bodies that are in memory at once; more requests wait.
    pub buffered: u64,
    /// So many bytes of an upload are made durable in one go while it comes in one request.
    pub checkpoint: u64,
    /// Uploads of one account that somebody goes on with at once.
    pub uploads_per_account: usize,
    /// Uploads into one repository that somebody goes on with at once.
    pub uploads_per_repository: usize,
    /// Most uploads that a process knows at once. Those with bytes can be found again in the store, the others by their tokens.
    pub uploads_known: usize,
    /// One in so many reads of a whole blob is compared with its digest; none where it is 0.
    pub verify_reads: u32,
    /// What signs the state in upload locations, the same in all replicas and in a distribution that is taken over. Where there is none, one is
    /// made up and kept in the store.
    pub secret: Option<SecretString>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            compat: Compat::Shared,
            read_only: false,
            delete_enabled: false,
            protect_referenced: false,
            children: Children::All,
            sparse_images: false,
            elsewhere: Expressions::default(),
            quotas: Vec::new(),
            immutable: Vec::new(),
            manifest_limit: 4 << 20,
            tag_ttl: Duration::from_secs(1),
            existence_ttl: Duration::from_secs(60),
            manifest_cache: 64 << 20,
            small_blob: 256 << 10,
            buffered: 64 << 20,
            checkpoint: 128 << 20,
            uploads_per_account: 64,
            uploads_per_repository: 256,
            uploads_known: 10_000,
            verify_reads: 100,
            secret: None,
        }
    }
}
