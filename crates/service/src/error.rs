//! Why a request was refused, in the words that Magnum's clients know.
//!
//! Each variant's text is safe to show: what went wrong inside is in `source()`, for the log alone.

use std::error::Error as StdError;

use jeroboam_model::{ProjectId, Status, TemplateId};
use jeroboam_store::StoreError;

/// An error from below, whatever its type.
pub(crate) type Cause = Box<dyn StdError + Send + Sync + 'static>;

/// What a refusal is, as far as the HTTP status goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 400: the request itself is wrong, or the cluster's state forbids it.
    BadRequest,
    /// 403: the caller may not do this.
    Forbidden,
    /// 404: there is no such thing, or the caller may not know of it.
    NotFound,
    /// 409: it contradicts what is there.
    Conflict,
    /// 503: something that is needed is away; the same request may work later.
    Unavailable,
    /// 500: our fault.
    Internal,
}

/// A refused or failed request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A policy rule said no.
    #[error("Policy doesn't allow {0} to be performed.")]
    Policy(String),
    /// A check beyond the policy rules said no.
    #[error("Not authorized.")]
    NotAuthorized,
    /// Only a publisher makes templates public or hides them.
    #[error("Not authorized to set public or hidden flag for cluster template.")]
    PublishDenied,
    /// The project has as many clusters as it may.
    #[error(
        "Resource limit exceeded: You have reached the maximum clusters per project, {limit}. \
         You may delete a cluster to make room for a new one."
    )]
    OverQuota {
        /// How many are allowed.
        limit: u32,
    },
    /// The project's Keystone refuses a second application credential made with the first.
    #[error(
        "A cluster can not be created with an application credential, because the cluster needs one of its own and \
         Keystone lets only unrestricted logins make it. Use a password or another login and try again."
    )]
    ApplicationCredentialCaller,
    /// None of the caller's roles is one that a cluster may have.
    #[error(
        "A cluster works in the project with an application credential that has one of the roles {needed}, and you have none \
         of them here. Ask for one of these roles in the project and try again."
    )]
    NoCredentialRole {
        /// The roles of which one would do.
        needed: String,
    },
    /// The token is for no project.
    #[error("A project-scoped token is needed to do this.")]
    NoProject,

    /// No such cluster in sight.
    #[error("Cluster {0} could not be found.")]
    NoCluster(String),
    /// No such template in sight.
    #[error("ClusterTemplate {0} could not be found.")]
    NoTemplate(String),
    /// No such node group in the cluster.
    #[error("Nodegroup {0} could not be found.")]
    NoNodeGroup(String),
    /// No such federation in sight.
    #[error("Federation {0} could not be found.")]
    NoFederation(String),
    /// No such quota.
    #[error("Quota could not be found: {0}")]
    NoQuota(String),
    /// Keystone knows no such project.
    #[error("The project_id {0} could not be found.")]
    NoProjectCalled(ProjectId),
    /// No such key pair in Nova.
    #[error("Unable to find keypair {0}.")]
    NoKeypair(String),
    /// The cluster has no such certificate yet.
    #[error("Cluster {0} has no {1} certificate yet.")]
    NoCertificate(String, &'static str),
    /// The page is to start after an item that is not there.
    #[error("{what} {marker} could not be found.")]
    NoMarker {
        /// The kind of thing that is listed.
        what: &'static str,
        /// The marker.
        marker: String,
    },

    /// Several clusters answer to the name.
    #[error("Multiple clusters exist with same name. Please use the cluster uuid instead.")]
    ManyClusters,
    /// Several templates answer to the name.
    #[error("Multiple ClusterTemplates exist with same name. Please use the ClusterTemplate uuid instead.")]
    ManyTemplates,
    /// Several federations answer to the name.
    #[error("Multiple federations exist with same name. Please use the federation uuid instead.")]
    ManyFederations,
    /// The project has a limit of its own already.
    #[error("Quota for project {project} already exists for resource {resource}.")]
    QuotaExists {
        /// The project.
        project: ProjectId,
        /// What is counted.
        resource: &'static str,
    },
    /// A template with this id is there already.
    #[error("A ClusterTemplate with UUID {0} already exists.")]
    TemplateExists(TemplateId),
    /// The cluster has a group of this name.
    #[error("A node group with name {name} already exists in the cluster {cluster}.")]
    NodeGroupExists {
        /// The group's name.
        name: String,
        /// The cluster's name or id.
        cluster: String,
    },
    /// Another service made the cluster, and nobody here works on it.
    #[error(
        "Cluster {cluster} was made by {driver}, which does not run here: it is shown and its certificates can be signed, \
         but it can not be {what}."
    )]
    NotOurs {
        /// The cluster's name or id.
        cluster: String,
        /// Who made it.
        driver: String,
        /// `changed` or `deleted`.
        what: &'static str,
    },
    /// Nodes can't be added before there is an API to join.
    #[error("Cluster API address is not available yet")]
    NoApiAddress,
    /// A field of a node group does not do.
    #[error("{attribute} for {group} is invalid ({why}).")]
    BadNodeGroup {
        /// The field.
        attribute: &'static str,
        /// Name of the group.
        group: String,
        /// What is wrong with it.
        why: String,
    },
    /// A group other than the default ones follows its cluster's template only.
    #[error(
        "Cluster Template is not valid for upgrade: Nodegroup {group} can be upgraded only to match cluster's \
         template ({template})."
    )]
    GroupLeavesTemplate {
        /// Name of the group.
        group: String,
        /// Name of the cluster's template.
        template: String,
    },
    /// Several things of this name are in the cloud.
    #[error("Multiple {what}s exist with same name '{name}'. Please use the {what} ID instead.")]
    ManyResources {
        /// `image`, `network`, …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Others kept changing the row; nothing was done.
    #[error("{0} is being changed by other requests at the same time. Nothing was done, please try again.")]
    Contended(String),

    /// The status does not allow the operation.
    #[error("{doing} when status is \"{status}\" is not supported.")]
    IllegalState {
        /// `Updating a cluster`, `Resizing a cluster`, …
        doing: &'static str,
        /// The status it has.
        status: Status,
    },
    /// The size is outside the group's bounds.
    #[error("Resizing {group} outside the allowed range: min_node_count = {min}, max_node_count = {max}")]
    OutOfRange {
        /// Name of the group.
        group: String,
        /// The lower bound.
        min: i32,
        /// The upper bound, `None` in words when there is none.
        max: String,
    },
    /// Clusters refer to the template.
    #[error("ClusterTemplate {0} is referenced by one or multiple clusters.")]
    TemplateInUse(TemplateId),
    /// The default groups stay as long as the cluster.
    #[error("Deleting a default nodegroup is not supported.")]
    DefaultNodeGroup,
    /// Control planes come with clusters only.
    #[error("Creating master nodegroups is currently not supported.")]
    ControlPlaneGroup,
    /// The node count of a control plane that can not elect a leader. Magnum says the same of none at all.
    #[error("master nodegroup size of {0} is invalid, size cannot be an even number.")]
    EvenControlPlane(i32),
    /// Clients before microversion 1.10 know no empty groups.
    #[error("Resizing a nodegroup to zero is not supported in the provided microversion.")]
    ZeroNodes,
    /// The certificate request could not be read.
    #[error("Received invalid csr {0}.")]
    BadCsr(String),
    /// Anything else that is wrong with the request, in a whole sentence.
    #[error("{0}")]
    BadRequest(String),
    /// Anything else that the cloud does not allow, in a whole sentence.
    #[error("{0}")]
    Forbidden(String),

    /// Something needed is away.
    #[error("The {what} is temporarily unavailable, please try again later.")]
    Unavailable {
        /// `database`, `image service`, …
        what: &'static str,
        /// What was seen of it.
        #[source]
        source: Cause,
    },
    /// The request was held up for so long that what was made for it has been taken back as left over.
    #[error("The service could not answer in time, please try again later.")]
    TooSlow,
    /// A defect, a full disk, a damaged row.
    #[error("The service failed to {doing}.")]
    Internal {
        /// What was being done, after "to".
        doing: &'static str,
        /// What went wrong.
        #[source]
        source: Cause,
    },
}

impl Error {
    /// What kind of refusal this is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Policy(_)
            | Self::NotAuthorized
            | Self::PublishDenied
            | Self::OverQuota { .. }
            | Self::ApplicationCredentialCaller
            | Self::NoCredentialRole { .. }
            | Self::NoProject
            | Self::Forbidden(_) => Kind::Forbidden,
            Self::NoCluster(_)
            | Self::NoTemplate(_)
            | Self::NoNodeGroup(_)
            | Self::NoFederation(_)
            | Self::NoQuota(_)
            | Self::NoProjectCalled(_)
            | Self::NoKeypair(_)
            | Self::NoCertificate(..)
            | Self::NoMarker { .. } => Kind::NotFound,
            Self::ManyClusters
            | Self::ManyTemplates
            | Self::ManyFederations
            | Self::QuotaExists { .. }
            | Self::TemplateExists(_)
            | Self::NodeGroupExists { .. }
            | Self::NoApiAddress
            | Self::NotOurs { .. }
            | Self::BadNodeGroup { .. }
            | Self::GroupLeavesTemplate { .. }
            | Self::ManyResources { .. }
            | Self::Contended(_) => Kind::Conflict,
            Self::IllegalState { .. }
            | Self::OutOfRange { .. }
            | Self::TemplateInUse(_)
            | Self::DefaultNodeGroup
            | Self::ControlPlaneGroup
            | Self::EvenControlPlane(_)
            | Self::ZeroNodes
            | Self::BadCsr(_)
            | Self::BadRequest(_) => Kind::BadRequest,
            Self::Unavailable { .. } | Self::TooSlow => Kind::Unavailable,
            Self::Internal { .. } => Kind::Internal,
        }
    }

    /// A 400 with this sentence.
    pub fn bad_request(sentence: impl Into<String>) -> Self {
        Self::BadRequest(sentence.into())
    }

    pub(crate) fn internal(doing: &'static str, source: impl Into<Cause>) -> Self {
        Self::Internal { doing, source: source.into() }
    }
}

/// What was being looked for when the store failed; it decides the words.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Looking {
    Clusters,
    Templates,
    NodeGroups,
    Federations,
}

/// The store's failures in the caller's words.
pub(crate) fn from_store(looking: Looking, error: StoreError) -> Error {
    match error {
        StoreError::Unavailable(_) => Error::Unavailable { what: "database", source: error.into() },
        StoreError::Ambiguous { .. } => match looking {
            Looking::Templates => Error::ManyTemplates,
            Looking::Federations => Error::ManyFederations,
            Looking::Clusters | Looking::NodeGroups => Error::ManyClusters,
        },
        StoreError::BadSortKey(key) => {
            Error::bad_request(format!("The sort_key value \"{key}\" is an invalid field for sorting"))
        }
        StoreError::UnknownMarker(marker) => {
            let what = match looking {
                Looking::Clusters => "Cluster",
                Looking::Templates => "ClusterTemplate",
                Looking::NodeGroups => "Nodegroup",
                Looking::Federations => "Federation",
            };
            Error::NoMarker { what, marker }
        }
        StoreError::Unstorable(why) => Error::bad_request(format!(
            "The request holds a text that can not be kept: {why}. Please shorten or reword it."
        )),
        other => Error::internal("use the database", other),
    }
}
