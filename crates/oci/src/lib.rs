//! What an OCI registry is about: names, digests, manifests, ranges, routes, the layout of a store.
//!
//! No I/O and no clock. Everything that a client or a store says is parsed into these types at the edge; inside, a value is
//! right because of its type. The rules are those of distribution-spec 1.1 and of the store that distribution v2 fills.

mod digest;
mod error;
pub mod layout;
pub mod link;
mod name;
pub mod percent;
mod query;
pub mod range;
mod reference;
mod route;
mod upload_id;

pub use digest::{Algorithm, BadDigest, Digest, Hasher};
pub use error::ErrorCode;
pub use name::{BadName, RepositoryName};
pub use query::{BadQuery, Query};
pub use reference::{BadTag, Reference, Tag};
pub use route::{BadRoute, Route, parse_route};
pub use upload_id::{BadUploadId, UploadId};
