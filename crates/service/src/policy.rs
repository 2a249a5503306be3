//! Asks the policy rules, and finds things as far as the caller may see them.

use jeroboam_model::{Caller, Cluster, ClusterTemplate, ClusterWithGroups, ProjectId, Scope, ShownCluster, UserId};
use jeroboam_oslo::{Credentials, TokenScope};
use jeroboam_store::Ident;

use crate::error::{Looking, from_store};
use crate::{Error, Service};

/// Whose thing it is that the caller wants to do something to.
pub(crate) struct Target<'a> {
    project: Option<&'a ProjectId>,
    user: &'a UserId,
}

impl<'a> Target<'a> {
    /// The caller's own, for what is not there yet and for listings.
    pub(crate) const fn own(caller: &'a Caller) -> Self {
        Self { project: caller.project.as_ref(), user: &caller.user }
    }

    pub(crate) const fn cluster(cluster: &'a Cluster) -> Self {
        Self { project: Some(&cluster.project), user: &cluster.user }
    }

    pub(crate) const fn template(template: &'a ClusterTemplate) -> Self {
        Self { project: Some(&template.project), user: &template.user }
    }

    /// What rules may compare with.
    fn ask<T>(&self, question: impl FnOnce(&[(&str, &str)]) -> T) -> T {
        let user = ("user_id", self.user.as_str());
        match self.project {
            Some(project) => question(&[user, ("project_id", project.as_str())]),
            None => question(&[user]),
        }
    }
}

/// The caller as policy rules see it.
#[must_use]
pub fn credentials(caller: &Caller) -> Credentials<'_> {
    let scope = match (&caller.system_scope, &caller.domain) {
        (Some(_), _) => TokenScope::System,
        (None, Some(_)) => TokenScope::Domain,
        (None, None) => TokenScope::Project,
    };
    Credentials::new()
        .roles(&caller.roles)
        .admin(caller.is_admin)
        .scope(scope)
        .set("user_id", Some(caller.user.as_str()))
        .set("user_domain_id", caller.user_domain.as_deref())
        .set("project_id", caller.project.as_ref().map(ProjectId::as_str))
        .set("project_domain_id", caller.project_domain.as_deref())
        .set("domain_id", caller.domain.as_deref())
        .set("system_scope", caller.system_scope.as_deref())
}

impl Service {
    /// Whether the rule `context_is_admin` holds for the caller; whoever makes a [`Caller`] asks this once.
    #[must_use]
    pub fn is_admin(&self, caller: &Caller) -> bool {
        self.allows(caller, "context_is_admin", &Target::own(caller))
    }

    pub(crate) fn allows(&self, caller: &Caller, rule: &str, target: &Target<'_>) -> bool {
        target.ask(|values| self.inner.policy.authorize(rule, values, &credentials(caller)))
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
    pub(crate) async fn show_cluster(&self, caller: &Caller, ident: &str) -> Result<ShownCluster, Error> {
        let found = self.inner.store.shown_cluster(&Ident::cluster(ident), &caller.widest_scope()).await;
        let found = found.map_err(|error| from_store(Looking::Clusters, error))?;
        found.ok_or_else(|| Error::NoCluster(ident.to_owned()))
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
