//! Cluster templates.

mod create;
mod update;
mod validate;

use std::sync::Arc;

use jeroboam_model::{Caller, ClusterTemplate, Page};
use jeroboam_store::TemplateDeletion;

use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{Error, Listing, Service};

/// Cluster templates.
#[derive(Clone, Copy, Debug)]
pub struct Templates<'a>(pub(crate) &'a Service);

impl Templates<'_> {
    /// `GET /v1/clustertemplates/{ident}`.
    pub async fn get(&self, caller: &Caller, ident: &str) -> Result<Arc<ClusterTemplate>, Error> {
        self.0.enforce_wider_view(caller, "clustertemplate:get_one_all_projects")?;
        let found = self.0.show_template(caller, ident).await?;
        // Magnum: everybody reads public templates.
        if !found.public {
            self.0.enforce(caller, "clustertemplate:get", &Target::template(&found))?;
        }
        Ok(found)
    }

    /// `GET /v1/clustertemplates` and `…/detail`.
    pub async fn list(
        &self,
        caller: &Caller,
        listing: Listing,
        page: &Page,
    ) -> Result<Vec<Arc<ClusterTemplate>>, Error> {
        let (rule, wider) = match listing {
            Listing::Short => ("clustertemplate:get_all", "clustertemplate:get_all_all_projects"),
            Listing::Detail => ("clustertemplate:detail", "clustertemplate:detail_all_projects"),
        };
        self.0.enforce(caller, rule, &Target::own(caller))?;
        self.0.enforce_wider_view(caller, wider)?;
        let found = self.0.inner.store.templates(&caller.widest_scope(), page).await;
        found.map_err(|error| from_store(Looking::Templates, error))
    }

    /// `DELETE /v1/clustertemplates/{ident}`.
    pub async fn delete(&self, caller: &Caller, ident: &str) -> Result<(), Error> {
        self.0.enforce_wider_view(caller, "clustertemplate:delete_all_projects")?;
        let found = self.0.find_template(caller, ident).await?;
        self.0.enforce(caller, "clustertemplate:delete", &Target::template(&found))?;
        let deleted = self.0.inner.store.delete_template(&found).await;
        match deleted.map_err(|error| from_store(Looking::Templates, error))? {
            TemplateDeletion::Deleted => Ok(()),
            TemplateDeletion::InUse => Err(Error::TemplateInUse(found.id)),
            TemplateDeletion::Gone => Err(Error::NoTemplate(ident.to_owned())),
        }
    }
}
