//! Asks the policy rules, and finds things as far as the caller may see them.

use std::sync::Arc;

use jeroboam_model::{
    Caller, Cluster, ClusterTemplate, ClusterWithGroups, HealthStatus, ProjectId, Scope, ShownCluster,
};
use jeroboam_oslo::{Attribute, Credentials};
use jeroboam_store::Ident;

use crate::error::{Looking, from_store};
use crate::{Error, Service};

/// What the caller wants to do something to, as rules may compare with it.
pub(crate) enum Target<'a> {
    /// Nothing at all.
    Nothing,
    /// The caller's own, for what is not there yet and for listings.
    Own(&'a Caller),
    Cluster(&'a Cluster),
    Template(&'a ClusterTemplate),
}

impl<'a> Target<'a> {
    pub(crate) const fn own(caller: &'a Caller) -> Self {
        Self::Own(caller)
    }

    pub(crate) const fn cluster(cluster: &'a Cluster) -> Self {
        Self::Cluster(cluster)
    }

    pub(crate) const fn template(template: &'a ClusterTemplate) -> Self {
        Self::Template(template)
    }

    fn value(&self, name: &str) -> Option<Attribute<'a>> {
        match self {
            Self::Nothing => None,
            Self::Own(caller) => match name {
                "project_id" => Some(caller.project.as_ref().map(ProjectId::as_str).into()),
                "user_id" => Some(caller.user.as_str().into()),
                _ => None,
            },
            Self::Cluster(cluster) => of_cluster(cluster, name),
            Self::Template(template) => of_template(template, name),
        }
    }
}

/// Magnum: `Cluster.as_dict` in magnum/objects/cluster.py, as far as a rule can sensibly compare with it.
fn of_cluster<'a>(cluster: &'a Cluster, name: &str) -> Option<Attribute<'a>> {
    Some(match name {
        "id" => Attribute::Number(cluster.serial),
        "uuid" => cluster.id.to_string().into(),
        "name" => cluster.name.as_deref().into(),
        "project_id" => cluster.project.as_str().into(),
        "user_id" => cluster.user.as_str().into(),
        "cluster_template_id" => cluster.template.to_string().into(),
        "keypair" => cluster.keypair.as_deref().into(),
        "master_flavor_id" => cluster.master_flavor_id.as_deref().into(),
        "flavor_id" => cluster.flavor_id.as_deref().into(),
        "stack_id" => cluster.stack_id.as_deref().into(),
        "status" => cluster.status.as_str().into(),
        "health_status" => cluster.health_status.map(HealthStatus::as_str).into(),
        "fixed_network" => cluster.fixed_network.as_deref().into(),
        "fixed_subnet" => cluster.fixed_subnet.as_deref().into(),
        "coe_version" => cluster.coe_version.as_deref().into(),
        "floating_ip_enabled" => Attribute::Flag(cluster.floating_ip_enabled),
        "master_lb_enabled" => Attribute::Flag(cluster.master_lb_enabled),
        _ => return None,
    })
}

/// Magnum: `ClusterTemplate.as_dict` in magnum/objects/cluster_template.py, as far as a rule can sensibly compare with it.
fn of_template<'a>(template: &'a ClusterTemplate, name: &str) -> Option<Attribute<'a>> {
    Some(match name {
        "id" => Attribute::Number(template.serial),
        "uuid" => template.id.to_string().into(),
        "name" => template.name.as_deref().into(),
        "project_id" => template.project.as_str().into(),
        "user_id" => template.user.as_str().into(),
        "public" => Attribute::Flag(template.public),
        "hidden" => Attribute::Flag(template.hidden),
        _ => return None,
    })
}

/// The caller as policy rules see it.
///
/// Magnum: `RequestContext` in magnum/common/context.py. `ContextHook` never tells it what the token is for but a project,
/// so tokens for a domain or for the system count as tokens without a project, and scope types refuse nobody.
#[must_use]
pub fn credentials(caller: &Caller) -> Credentials<'_> {
    let project = caller.project.as_ref().map(ProjectId::as_str);
    Credentials::new()
        .roles(&caller.roles)
        .admin(caller.is_admin)
        .set("user", caller.user.as_str())
        .set("user_id", caller.user.as_str())
        .set("user_name", caller.user_name.as_str())
        .set("user_domain_id", caller.user_domain.as_deref())
        .set("user_domain", caller.user_domain.as_deref())
        .set("project", project)
        .set("project_id", project)
        .set("project_name", caller.project_name.as_deref())
        .set("project_domain", Attribute::Nothing)
        .set("domain", Attribute::Nothing)
        .set("system_scope", Attribute::Nothing)
        .set("is_admin_project", Attribute::Flag(true))
        .set("all_tenants", Attribute::Flag(false))
        .set("read_only", Attribute::Flag(false))
        .set("show_deleted", Attribute::Flag(false))
        .set("global_request_id", Attribute::Nothing)
        .set("resource_uuid", Attribute::Nothing)
}

impl Service {
    /// Whether the rule `context_is_admin` holds for the caller; whoever makes a [`Caller`] asks this once.
    #[must_use]
    pub fn is_admin(&self, caller: &Caller) -> bool {
        self.allows(caller, "context_is_admin", &Target::Nothing)
    }

    pub(crate) fn allows(&self, caller: &Caller, rule: &str, target: &Target<'_>) -> bool {
        self.inner.policy.authorize(rule, &|name: &str| target.value(name), &credentials(caller))
    }

    pub(crate) fn enforce(&self, caller: &Caller, rule: &str, target: &Target<'_>) -> Result<(), Error> {
        if self.allows(caller, rule, target) { Ok(()) } else { Err(Error::Policy(rule.to_owned())) }
    }

    /// An administrator's wider view has a rule of its own, and so can be taken away.
    pub(crate) fn enforce_wider_view(&self, caller: &Caller, rule: &str) -> Result<(), Error> {
        if caller.is_admin { self.enforce(caller, rule, &Target::own(caller)) } else { Ok(()) }
    }

    pub(crate) async fn find_cluster(&self, caller: &Caller, ident: &str) -> Result<ClusterWithGroups, Error> {
        let found = self.inner.store.cluster(&Ident::cluster(ident), &caller.widest_scope()).await;
        let found = found.map_err(|error| from_store(Looking::Clusters, error))?;
        found.ok_or_else(|| Error::NoCluster(ident.to_owned()))
    }

    /// What the cluster's view tells.
    pub(crate) async fn show_cluster(&self, caller: &Caller, ident: &str) -> Result<Arc<ShownCluster>, Error> {
        let found = self.inner.store.shown_cluster(&Ident::cluster(ident), &caller.widest_scope()).await;
        let found = found.map_err(|error| from_store(Looking::Clusters, error))?;
        found.ok_or_else(|| Error::NoCluster(ident.to_owned()))
    }

    /// What the template's view tells.
    pub(crate) async fn show_template(&self, caller: &Caller, ident: &str) -> Result<Arc<ClusterTemplate>, Error> {
        let found = self.inner.store.shown_template(&Ident::template(ident), &caller.widest_scope()).await;
        let found = found.map_err(|error| from_store(Looking::Templates, error))?;
        found.ok_or_else(|| Error::NoTemplate(ident.to_owned()))
    }

    pub(crate) async fn find_template(&self, caller: &Caller, ident: &str) -> Result<ClusterTemplate, Error> {
        self.template_as(ident, &Ident::template(ident), &caller.widest_scope()).await
    }

    /// A template to follow. An administrator's own view goes first: a name is then not made ambiguous by other projects.
    pub(crate) async fn template_to_follow(
        &self,
        caller: &Caller,
        text: &str,
        ident: &Ident,
    ) -> Result<ClusterTemplate, Error> {
        match self.template_as(text, ident, &caller.scope()).await {
            Err(Error::NoTemplate(_)) if caller.is_admin => self.template_as(text, ident, &Scope::All).await,
            other => other,
        }
    }

    async fn template_as(&self, text: &str, ident: &Ident, scope: &Scope) -> Result<ClusterTemplate, Error> {
        let found = self.inner.store.template(ident, scope).await;
        let found = found.map_err(|error| from_store(Looking::Templates, error))?;
        found.ok_or_else(|| Error::NoTemplate(text.to_owned()))
    }
}
