//! Federations, as Magnum answers for them: the API is there, and nothing behind it was ever written.

use std::collections::BTreeMap;

use jeroboam_model::{Caller, Federation, Page};
use jeroboam_store::Ident;

use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{Error, Listing, Service};

/// Federations.
#[derive(Clone, Copy, Debug)]
pub struct Federations<'a>(pub(crate) &'a Service);

/// A federation that somebody wants made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewFederation {
    /// Id or name of the cluster that would host it.
    pub host_cluster: Option<String>,
    /// `dns-zone` has to be among them.
    pub properties: Option<BTreeMap<String, String>>,
}

impl Federations<'_> {
    /// `GET /v1/federations` and `…/detail`: the project's own, for administrators as well.
    pub async fn list(&self, caller: &Caller, listing: Listing, page: &Page) -> Result<Vec<Federation>, Error> {
        let rule = match listing {
            Listing::Short => "federation:get_all",
            Listing::Detail => "federation:detail",
        };
        self.0.enforce(caller, rule, &Target::own(caller))?;
        let project = caller.project.as_ref().ok_or(Error::NoProject)?;
        let listed = self.0.inner.store.federations(project, page).await;
        listed.map_err(|error| from_store(Looking::Federations, error))
    }

    /// `GET /v1/federations/{ident}`.
    pub async fn get(&self, caller: &Caller, ident: &str) -> Result<Federation, Error> {
        let found = self.find(caller, ident).await?;
        self.0.enforce(caller, "federation:get", &Target::own(caller))?;
        Ok(found)
    }

    /// `POST /v1/federations`. Magnum says 202 to a good one and then does nothing; here nobody is left waiting.
    pub async fn create(&self, caller: &Caller, new: NewFederation) -> Result<Federation, Error> {
        self.0.enforce(caller, "federation:create", &Target::own(caller))?;
        let Some(host) = new.host_cluster else {
            return Err(Error::bad_request("No hostcluster specified. Please specify a hostcluster_id."));
        };
        self.0.find_cluster(caller, &host).await?;
        let Some(properties) = new.properties else {
            return Err(Error::bad_request("Please specify a `properties` dict for the federation."));
        };
        if !properties.contains_key("dns-zone") {
            return Err(Error::bad_request("No DNS zone specified. Please specify a `dns-zone`."));
        }
        Err(unfinished())
    }

    /// `PATCH /v1/federations/{ident}`.
    pub async fn update(&self, caller: &Caller, ident: &str) -> Result<Federation, Error> {
        self.find(caller, ident).await?;
        self.0.enforce(caller, "federation:update", &Target::own(caller))?;
        Err(unfinished())
    }

    /// `DELETE /v1/federations/{ident}`.
    pub async fn delete(&self, caller: &Caller, ident: &str) -> Result<(), Error> {
        self.find(caller, ident).await?;
        self.0.enforce(caller, "federation:delete", &Target::own(caller))?;
        Err(unfinished())
    }

    async fn find(&self, caller: &Caller, ident: &str) -> Result<Federation, Error> {
        let missing = || Error::NoFederation(ident.to_owned());
        let project = caller.project.as_ref().ok_or_else(missing)?;
        let found = self.0.inner.store.federation(&Ident::cluster(ident), project).await;
        found.map_err(|error| from_store(Looking::Federations, error))?.ok_or_else(missing)
    }
}

fn unfinished() -> Error {
    Error::bad_request("Federations can not be made, changed or deleted: Magnum never finished them.")
}
