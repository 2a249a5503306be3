//! Who asks, and for what: the words that authentication and the endpoints have in common.

use jeroboam_oci::RepositoryName;

/// What somebody wants to do with a repository, as the scopes of the token protocol name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read.
    Pull,
    /// Write.
    Push,
    /// Remove.
    Delete,
}

/// One thing that a request needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// To be let in at all: `GET /v2/`.
    Entry,
    /// The list of all repositories.
    Catalog,
    /// Something of one repository.
    Repository(RepositoryName, Action),
}

/// Who was let in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The name in logs and notifications; none of somebody anonymous.
    pub name: Option<String>,
    /// Whose uploads are counted: the id of a user of Keystone, another user's name, or nothing.
    pub account: Option<String>,
}
