//! The API as the command line sees it: JSON in, JSON out, refusals in the service's own words.

use std::sync::Arc;

use http::{Method, StatusCode};
use jeroboam_openstack::clouds::{self, Lookup};
use jeroboam_openstack::{Answer, Request, ServiceType, Session};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::{CloudArgs, ListArgs};
use crate::failure::sentence;
use crate::{Failure, Surroundings};

/// The newest version that both sides know.
const VERSION: &str = "latest";

/// A session with the API of one cloud.
#[derive(Debug)]
pub(crate) struct Api {
    session: Session,
}

impl Api {
    /// Finds the cloud; nothing is sent yet.
    pub(crate) fn new(cloud: &CloudArgs, surroundings: &Surroundings) -> Result<Self, Failure> {
        let lookup = Lookup {
            cloud: cloud.cloud.clone(),
            region: cloud.region.clone(),
            ..Lookup::new(surroundings.env.clone(), surroundings.working_directory.clone())
        };
        let config = clouds::resolve(&lookup)?.session_config();
        Ok(Self { session: Session::new(config, Arc::clone(&surroundings.clock))? })
    }

    /// Reads one thing.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Failure> {
        Ok(answered(self.request(Method::GET, path)).await?.json()?)
    }

    /// Reads one thing that may be gone.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, Failure> {
        let answer = self.request(Method::GET, path).send_any_status().await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => Ok(Some(accepted(answer)?.json()?)),
        }
    }

    /// Reads all pages of a collection.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        args: &ListArgs,
        query: &[(&str, &str)],
    ) -> Result<Vec<Value>, Failure> {
        let mut request = self.request(Method::GET, path);
        for (name, value) in query {
            request = request.query(name, *value);
        }
        if let Some(key) = &args.sort {
            request = request.query("sort_key", key).query("sort_dir", if args.reverse { "desc" } else { "asc" });
        }
        let collection = path.last().copied().unwrap_or_default();
        Ok(request.all_pages(collection).await?)
    }

    /// Sends a new thing or an action.
    pub(crate) async fn post(&self, path: &[&str], body: Value) -> Result<Value, Failure> {
        Ok(answered(self.request(Method::POST, path).json(body)).await?.json()?)
    }

    /// Sends a change.
    pub(crate) async fn patch(&self, path: &[&str], body: Value) -> Result<Value, Failure> {
        Ok(answered(self.request(Method::PATCH, path).json(body)).await?.json()?)
    }

    /// Deletes.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<(), Failure> {
        answered(self.request(Method::DELETE, path)).await.map(drop)
    }

    fn request(&self, method: Method, path: &[&str]) -> Request<'_> {
        self.session.request(ServiceType::ContainerInfra, method, path).microversion(VERSION)
    }
}

async fn answered(request: Request<'_>) -> Result<Answer, Failure> {
    accepted(request.send_any_status().await?)
}

fn accepted(answer: Answer) -> Result<Answer, Failure> {
    if answer.status.is_success() { Ok(answer) } else { Err(refusal(&answer)) }
}

/// What the service says of a request that it does not carry out.
fn refusal(answer: &Answer) -> Failure {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = [&body["errors"][0]["detail"], &body["errors"][0]["title"], &body["error"]["message"]];
    let said = said.into_iter().filter_map(Value::as_str).find(|text| !text.trim().is_empty());
    let status = answer.status;
    let message = match said {
        Some(text) => sentence(text).to_owned(),
        None => format!("the service answered {status}"),
    };
    let failure = Failure::new(message);
    match status {
        StatusCode::UNAUTHORIZED => failure.hint("look at the user name, the password and the project of this cloud"),
        StatusCode::FORBIDDEN => failure.hint("ask for a role in this project, member for changes, reader for looking"),
        StatusCode::NOT_ACCEPTABLE => failure.hint("the service is too old for this command"),
        status if status.is_server_error() => {
            let id = answer.headers.get("x-openstack-request-id").and_then(|id| id.to_str().ok());
            failure.hint(match id {
                Some(id) => format!("the operator finds more in the log, under {id}"),
                None => "it may work in a moment".to_owned(),
            })
        }
        _ => failure,
    }
}
