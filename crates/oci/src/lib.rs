//! What an OCI registry is about: names, digests, manifests, ranges, routes, the layout of a store.
//!
//! No I/O and no clock. Everything that a client or a store says is parsed into these types at the edge; inside, a value is
//! right because of its type. The rules are those of distribution-spec 1.1 and of the store that distribution v2 fills.

mod digest;
mod error;
pub mod events;
pub mod gc;
pub mod hash_state;
pub mod layout;
pub mod link;
pub mod manifest;
mod name;
pub mod pagination;
pub mod percent;
#[cfg(any(test, feature = "testing"))]
pub mod properties;
mod query;
pub mod range;
mod reference;
pub mod referrers;
mod route;
mod upload_id;
mod upload_token;

pub use digest::{Algorithm, BadDigest, Digest, Hasher};
pub use error::ErrorCode;
pub use name::{BadName, RepositoryName};
pub use query::{BadQuery, Query};
pub use reference::{BadTag, Reference, Tag};
pub use route::{BadRoute, Route, parse_route};
pub use upload_id::{BadUploadId, UploadId};
pub use upload_token::{BadToken, UploadToken};
