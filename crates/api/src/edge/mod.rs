//! What every request passes before a handler sees it: paths, request ids, tokens, versions, `Accept`.

mod accept;
mod around;
mod auth;
mod cors;
mod ident;
mod links;
mod path;

pub(crate) use around::{VersionHeaders, around, routed};
pub(crate) use auth::Who;
pub(crate) use ident::Ident;
pub(crate) use links::{Link, Links};
