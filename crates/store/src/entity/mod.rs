//! The tables, column by column. Magnum's are exactly as Magnum has them at `b3e1cf4a2d5e`.

pub(crate) mod adoption;
pub(crate) mod cluster;
pub(crate) mod cluster_template;
pub(crate) mod credential;
pub(crate) mod federation;
pub(crate) mod heartbeat;
pub(crate) mod magnum_service;
pub(crate) mod nodegroup;
pub(crate) mod process;
pub(crate) mod project;
pub(crate) mod quotas;
pub(crate) mod secret;
pub(crate) mod work;
pub(crate) mod x509keypair;
