//! What projects may have, for administrators, and how much there is.

use jeroboam_model::{CLUSTER_RESOURCE, Caller, Page, ProjectId, Quota, Stats};
use jeroboam_store::StoreError;

use crate::cloud::refusal;
use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{Error, Service};

/// Quotas.
#[derive(Clone, Copy, Debug)]
pub struct Quotas<'a>(pub(crate) &'a Service);

/// How much a project may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// By a row of its own.
    Own(Quota),
    /// By what the operator lets every project have.
    Default {
        /// The project.
        project: ProjectId,
        /// How many.
        hard_limit: u32,
    },
}

impl Quotas<'_> {
    /// `GET /v1/quotas`: the caller's own project, or all of them for an administrator who says so. `marker` is the number of
    /// the row that the page begins after.
    pub async fn list(
        &self,
        caller: &Caller,
        all_projects: bool,
        marker: Option<i64>,
        page: &Page,
    ) -> Result<Vec<Quota>, Error> {
        self.0.enforce(caller, "quota:get_all", &Target::own(caller))?;
        let project = match &caller.project {
            _ if all_projects && caller.is_admin => None,
            Some(project) => Some(project),
            None => return Ok(Vec::new()),
        };
        let listed = self.0.inner.store.quotas(project, marker, page).await;
        listed.map_err(|error| match error {
            // Magnum: the blank before the full stop is in the sentence.
            StoreError::UnknownMarker(marker) => Error::NoQuota(format!("quota id {marker} .")),
            other => from_store(Looking::Clusters, other),
        })
    }

    /// `GET /v1/quotas/{project}/{resource}`. A project without a limit of its own has the common one, whatever the resource.
    pub async fn get(&self, caller: &Caller, project: &str, resource: &str) -> Result<Limit, Error> {
        self.0.enforce(caller, "quota:get", &Target::own(caller))?;
        let project = ProjectId::from(project);
        if !caller.is_admin && caller.project.as_ref() != Some(&project) {
            return Err(Error::NotAuthorized);
        }
        let row = self.0.inner.store.quota_row(&project, resource).await;
        let row = row.map_err(|error| from_store(Looking::Clusters, error))?;
        let hard_limit = self.0.inner.settings.max_clusters_per_project;
        Ok(row.map_or(Limit::Default { project, hard_limit }, Limit::Own))
    }

    /// `POST /v1/quotas`. The project is asked for at Keystone, in the service's own name.
    pub async fn create(&self, caller: &Caller, project: ProjectId, hard_limit: i32) -> Result<Quota, Error> {
        self.0.enforce(caller, "quota:create", &Target::own(caller))?;
        let known = self.0.inner.session.identity().project(&project).await;
        if known.map_err(|error| refusal("project", project.as_str(), error))?.is_none() {
            return Err(Error::NoProjectCalled(project));
        }
        let made = self.0.inner.store.create_quota(&project, CLUSTER_RESOURCE, hard_limit, self.0.now()).await;
        made.map_err(|error| match error {
            StoreError::Duplicate { .. } => Error::QuotaExists { project, resource: CLUSTER_RESOURCE },
            other => from_store(Looking::Clusters, other),
        })
    }

    /// `PATCH /v1/quotas/{project}/{resource}`.
    pub async fn update(&self, caller: &Caller, project: &str, resource: &str, limit: i32) -> Result<Quota, Error> {
        self.0.enforce(caller, "quota:update", &Target::own(caller))?;
        let changed = self.0.inner.store.update_quota(&project.into(), resource, limit).await;
        let changed = changed.map_err(|error| from_store(Looking::Clusters, error))?;
        changed.ok_or_else(|| no_quota(project, resource))
    }

    /// `DELETE /v1/quotas/{project}/{resource}`.
    pub async fn delete(&self, caller: &Caller, project: &str, resource: &str) -> Result<(), Error> {
        self.0.enforce(caller, "quota:delete", &Target::own(caller))?;
        let deleted = self.0.inner.store.delete_quota(&project.into(), resource).await;
        let deleted = deleted.map_err(|error| from_store(Looking::Clusters, error))?;
        if deleted { Ok(()) } else { Err(no_quota(project, resource)) }
    }
}

fn no_quota(project: &str, resource: &str) -> Error {
    Error::NoQuota(format!("project_id {project} resource {resource}."))
}

impl Service {
    /// `GET /v1/stats`: of one project, or of the whole cloud for an administrator who names none.
    pub async fn stats(&self, caller: &Caller, project: Option<&str>, kind: &str) -> Result<Stats, Error> {
        self.enforce(caller, "stats:get_all", &Target::own(caller))?;
        if !kind.eq_ignore_ascii_case("cluster") {
            return Err(Error::bad_request("Invalid stats type. Allowed values are 'cluster'"));
        }
        let named = project.map(ProjectId::from);
        let project = match &caller.project {
            _ if caller.is_admin => named.as_ref(),
            Some(own) if named.is_none() || named.as_ref() == Some(own) => Some(own),
            Some(_) => return Err(Error::NotAuthorized),
            None => return Err(Error::NoProject),
        };
        let stats = self.inner.store.stats(project).await;
        stats.map_err(|error| from_store(Looking::Clusters, error))
    }
}
