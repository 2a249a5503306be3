//! Nova: flavors, key pairs, servers.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;

use crate::error::Kind;
use crate::request::{is_id, is_name};
use crate::{Error, ServiceType, Session};

const SERVICE: ServiceType = ServiceType::Compute;

/// Calls to Nova; made by [`Session::compute`].
#[derive(Clone, Copy, Debug)]
pub struct Compute<'a>(&'a Session);

/// A flavor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Flavor {
    /// The id: free text.
    pub id: String,
    /// The name, unique in the cloud.
    pub name: String,
    /// Virtual processors.
    #[serde(default)]
    pub vcpus: u32,
    /// Memory in MiB.
    #[serde(default)]
    pub ram: u64,
    /// Root disk in GiB; 0 wants a boot volume.
    #[serde(default)]
    pub disk: u64,
}

/// A key pair's public half.
#[derive(Clone, Debug, Deserialize)]
pub struct KeyPair {
    /// The name, unique for its user.
    pub name: String,
    /// The public key in OpenSSH's form.
    pub public_key: String,
}

/// A server.
#[derive(Clone, Debug, Deserialize)]
pub struct Server {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// `ACTIVE`, `BUILD`, `ERROR`, …
    pub status: String,
    /// What it was tagged with.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Addresses by network.
    #[serde(default)]
    pub addresses: BTreeMap<String, Vec<ServerAddress>>,
    /// Why it failed.
    #[serde(default)]
    pub fault: Option<ServerFault>,
}

/// One address of a server.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerAddress {
    /// The address.
    pub addr: String,
    /// `fixed` or `floating`.
    #[serde(rename = "OS-EXT-IPS:type", default)]
    pub kind: String,
}

/// Why a server failed.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerFault {
    /// What Nova says.
    #[serde(default)]
    pub message: String,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    name: String,
}

impl Session {
    /// Calls to Nova.
    #[must_use]
    pub const fn compute(&self) -> Compute<'_> {
        Compute(self)
    }
}

impl Compute<'_> {
    /// A flavor by id, then by name. Nova can not be asked for a name, so its short list is read until the name is met.
    pub async fn flavor(&self, ident: &str) -> Result<Flavor, Error> {
        if !is_name(ident) {
            return Err(Error::not_found(SERVICE, "flavor", ident));
        }
        if is_id(ident) {
            match self.0.get(SERVICE, &["flavors", ident]).send().await {
                // Some words lead to something else of Nova's, `detail` to a list: those are no ids.
                Ok(answer) => {
                    if let Ok(flavor) = answer.member("flavor") {
                        return Ok(flavor);
                    }
                }
                // Nova refuses ids of odd form with a 400.
                Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Bad) => {}
                Err(error) => return Err(error),
            }
        }
        let list = self.0.get(SERVICE, &["flavors"]).query("limit", "1000");
        let named = list.find_in_pages("flavors", |flavor: &Listed| flavor.name == ident).await?;
        let named = named.ok_or_else(|| Error::not_found(SERVICE, "flavor", ident))?;
        self.0.get(SERVICE, &["flavors", &named.id]).send().await?.member("flavor")
    }

    /// A key pair of the session's user. Its name is its id, so Nova takes no odder one.
    pub async fn keypair(&self, name: &str) -> Result<KeyPair, Error> {
        if !is_id(name) {
            return Err(Error::not_found(SERVICE, "keypair", name));
        }
        match self.0.get(SERVICE, &["os-keypairs", name]).send().await {
            Ok(answer) => answer.member("keypair"),
            Err(error) if matches!(error.kind(), Kind::NotFound) => Err(Error::not_found(SERVICE, "keypair", name)),
            Err(error) => Err(error),
        }
    }

    /// A server by id.
    pub async fn server(&self, id: &str) -> Result<Server, Error> {
        match self.0.get(SERVICE, &["servers", id]).send().await {
            Ok(answer) => answer.member("server"),
            Err(error) if error.kind() == Kind::NotFound => Err(Error::not_found(SERVICE, "server", id)),
            Err(error) => Err(error),
        }
    }

    /// The project's servers whose names begin with `prefix`.
    pub async fn servers(&self, prefix: &str) -> Result<Vec<Server>, Error> {
        let request = self.0.get(SERVICE, &["servers", "detail"]).query("name", format!("^{}", literal(prefix)));
        let servers: Vec<Server> = request.all_pages("servers").await?;
        Ok(servers.into_iter().filter(|server| server.name.starts_with(prefix)).collect())
    }

    /// Deletes a server; `false`: it was gone already.
    pub async fn delete_server(&self, id: &str) -> Result<bool, Error> {
        self.0.request(SERVICE, Method::DELETE, &["servers", id]).gone().await
    }
}

/// A text for Nova's regular expressions, which are the database's.
fn literal(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '.' }).collect()
}
