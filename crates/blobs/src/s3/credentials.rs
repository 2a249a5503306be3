//! Who we are to the store: keys that were set, or keys for a while from whoever runs us.
//!
//! As Amazon's own libraries look for them: a web identity's token (Kubernetes), the shared credentials file, the container's agent, the machine's
//! metadata service.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jeroboam_model::{Clock, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::config::StaticKeys;
use super::sign::{Keys, query_string};
use super::xml;
use crate::{Error, Kind, Result};

/// New keys are fetched so long before the old ones end.
const EARLY: i64 = 300;

/// Keys of the shared file do not say when they end: it is read again so long before this is over.
const FILE_GOOD_FOR: i64 = 600;

const TIMEOUT: Duration = Duration::from_secs(10);
const METADATA: &str = "http://169.254.169.254";
const AGENT: &str = "http://169.254.170.2";

/// Where keys come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// They were set and do not change.
    Fixed(StaticKeys),
    /// The token in a file is exchanged for keys.
    WebIdentity {
        /// The role to take on.
        role: String,
        /// Where the token is; it is read each time.
        token_file: PathBuf,
        /// What the session is called in audits.
        session: String,
        /// Address of the security token service.
        service: String,
    },
    /// A profile in the shared credentials file has keys; where there is no such file or profile they come from elsewhere.
    SharedFile {
        /// The file; it is read again from time to time.
        file: PathBuf,
        /// The profile.
        profile: String,
        /// Where keys come from otherwise.
        otherwise: Box<Source>,
    },
    /// An agent beside the container gives keys.
    Container {
        /// Its address.
        address: String,
        /// What it wants to see.
        authorization: Option<SecretString>,
        /// Where that is instead; it is read each time.
        authorization_file: Option<PathBuf>,
    },
    /// The machine's metadata service gives keys.
    Metadata {
        /// Its address.
        address: String,
    },
}

impl Source {
    /// Chooses as Amazon's libraries do. `variable` gives a variable of the environment by its name.
    pub fn choose(keys: Option<&StaticKeys>, region: &str, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(keys) = keys {
            return Self::Fixed(keys.clone());
        }
        if let (Some(access), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
            let token = set("AWS_SESSION_TOKEN").map(SecretString::from);
            return Self::Fixed(StaticKeys { access, secret: SecretString::from(secret), token });
        }
        if let (Some(role), Some(file)) = (set("AWS_ROLE_ARN"), set("AWS_WEB_IDENTITY_TOKEN_FILE")) {
            return Self::WebIdentity {
                role,
                token_file: file.into(),
                session: set("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "jeroboam-registry".to_owned()),
                service: set("AWS_ENDPOINT_URL_STS").unwrap_or_else(|| format!("https://sts.{region}.amazonaws.com")),
            };
        }
        let remote = Self::remote(&set);
        let usual = || set("HOME").map(|home| PathBuf::from(home).join(".aws/credentials"));
        match set("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from).or_else(usual) {
            Some(file) => {
                let profile = set("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
                Self::SharedFile { file, profile, otherwise: Box::new(remote) }
            }
            None => remote,
        }
    }

    /// Whoever runs us.
    fn remote(set: &dyn Fn(&str) -> Option<String>) -> Self {
        let agent = set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map(|path| format!("{AGENT}{path}"));
        if let Some(address) = agent.or_else(|| set("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
            return Self::Container {
                address,
                authorization: set("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(SecretString::from),
                authorization_file: set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from),
            };
        }
        Self::Metadata { address: set("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| METADATA.to_owned()) }
    }
}

/// Keys that are renewed in time.
pub(super) struct Credentials {
    source: Source,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held>>,
}

#[derive(Clone)]
struct Held {
    keys: Keys,
    ends: Option<Timestamp>,
    /// Whether they are of the shared file.
    of_file: bool,
}

impl Held {
    fn is_good(&self, now: Timestamp, early: i64) -> bool {
        self.ends.is_none_or(|ends| ends.as_second() - early > now.as_second())
    }
}

/// What agents and the metadata service say.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    access_key_id: String,
    #[serde(deserialize_with = "xml::secret")]
    secret_access_key: SecretString,
    #[serde(default, deserialize_with = "xml::secret_if_any")]
    token: Option<SecretString>,
    expiration: Option<Timestamp>,
}

impl Credentials {
    pub(super) fn new(source: Source, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        Self { source, http, clock, held: Mutex::new(None) }
    }

    /// Keys that are good now. One caller fetches new ones, the others wait for it.
    pub(super) async fn keys(&self) -> Result<Keys> {
        let mut held = self.held.lock().await;
        let now = self.clock.now();
        if let Some(held) = held.as_ref().filter(|held| held.is_good(now, EARLY)) {
            return Ok(held.keys.clone());
        }
        // A file that is just being written has no keys for a moment, which does not mean those of the machine.
        let waits = held.as_ref().is_some_and(|held| held.of_file && held.is_good(now, 0));
        match self.fetch(&self.source, waits).await {
            Ok(new) => {
                let keys = new.keys.clone();
                *held = Some(new);
                Ok(keys)
            }
            // Whoever gives keys is away, but the old ones are still good.
            Err(error) => match held.as_ref().filter(|held| held.is_good(now, 0)) {
                Some(held) => {
                    tracing::warn!(error = %error, "could not renew the keys of the S3 store, the old ones are still good");
                    Ok(held.keys.clone())
                }
                None => Err(error),
            },
        }
    }

    /// The store said that the keys are no good any more.
    pub(super) async fn forget(&self) {
        *self.held.lock().await = None;
    }

    /// New keys. With `waits`, a shared file that has none is an error, and they are not looked for elsewhere.
    fn fetch<'a>(&'a self, source: &'a Source, waits: bool) -> BoxFuture<'a, Result<Held>> {
        async move {
            match source {
                Source::SharedFile { file, profile, otherwise } => match keys_of_file(file, profile).await {
                    Some(keys) => {
                        let ends = Timestamp::from_second(self.clock.now().as_second() + FILE_GOOD_FOR).ok();
                        Ok(Held { keys, ends, of_file: true })
                    }
                    None if waits => {
                        let what = format!("find keys of the profile {profile} in {}", file.display());
                        Err(Error::new(Kind::Unavailable, what))
                    }
                    None => self.fetch(otherwise, false).await,
                },
                Source::Fixed(StaticKeys { access, secret, token }) => {
                    let keys = Keys { access: access.clone(), secret: secret.clone(), token: token.clone() };
                    Ok(Held { keys, ends: None, of_file: false })
                }
                Source::WebIdentity { role, token_file, session, service } => {
                    let token = read(token_file).await?;
                    let query = [
                        ("Action", "AssumeRoleWithWebIdentity".to_owned()),
                        ("Version", "2011-06-15".to_owned()),
                        ("RoleArn", role.clone()),
                        ("RoleSessionName", session.clone()),
                        ("WebIdentityToken", token),
                    ];
                    let body = query_string(&query);
                    let request =
                        self.http.post(service).header("content-type", "application/x-www-form-urlencoded").body(body);
                    let body = answer(request, "get keys from the security token service").await?;
                    let assumed: xml::Assumed = xml::read(&body).map_err(|error| unreadable().because(error))?;
                    let given = assumed.assume_role_with_web_identity_result.credentials;
                    let keys = Keys {
                        access: given.access_key_id,
                        secret: given.secret_access_key,
                        token: Some(given.session_token),
                    };
                    Ok(Held { keys, ends: Some(given.expiration), of_file: false })
                }
                Source::Container { address, authorization, authorization_file } => {
                    let mut request = self.http.get(address);
                    let token = match authorization_file {
                        Some(file) => Some(SecretString::from(read(file).await?)),
                        None => authorization.clone(),
                    };
                    if let Some(token) = token {
                        request = request.header("authorization", sensitive(&token)?);
                    }
                    given(&answer(request, "get keys from the container's agent").await?)
                }
                Source::Metadata { address } => self.ask_metadata(address).await,
            }
        }
        .boxed()
    }

    async fn ask_metadata(&self, address: &str) -> Result<Held> {
        let what = "get keys from the machine's metadata service";
        let ask =
            self.http.put(format!("{address}/latest/api/token")).header("x-aws-ec2-metadata-token-ttl-seconds", "300");
        let token = SecretString::from(text(answer(ask, what).await?));
        let roles = format!("{address}/latest/meta-data/iam/security-credentials/");
        let get = |address: String| Ok(self.http.get(address).header("x-aws-ec2-metadata-token", sensitive(&token)?));
        let role = text(answer(get(roles.clone())?, what).await?);
        given(&answer(get(format!("{roles}{}", role.lines().next().unwrap_or_default().trim()))?, what).await?)
    }
}

fn given(body: &[u8]) -> Result<Held> {
    let given: Given = serde_json::from_slice(body).map_err(|error| unreadable().because(error))?;
    let keys = Keys { access: given.access_key_id, secret: given.secret_access_key, token: given.token };
    Ok(Held { keys, ends: given.expiration, of_file: false })
}

/// The keys of a profile in the shared file. A file that cannot be read has none: the usual one need not be meant for us.
async fn keys_of_file(file: &Path, profile: &str) -> Option<Keys> {
    match tokio::fs::read_to_string(file).await {
        Ok(text) => keys_of_profile(&text, profile),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(file = %file.display(), error = %error, "could not read the shared credentials file, keys are looked for elsewhere");
            None
        }
    }
}

fn keys_of_profile(text: &str, profile: &str) -> Option<Keys> {
    let (mut access, mut secret, mut token) = (None, None, None);
    let mut is_meant = false;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(heading) = line.strip_prefix('[') {
            is_meant = heading.split(']').next().is_some_and(|name| name.trim() == profile);
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| is_meant) else { continue };
        let value = Some(value.trim()).filter(|value| !value.is_empty());
        match name.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => access = value,
            "aws_secret_access_key" => secret = value,
            "aws_session_token" => token = value,
            _ => {}
        }
    }
    Some(Keys { access: access?.to_owned(), secret: SecretString::from(secret?), token: token.map(SecretString::from) })
}

async fn answer(request: reqwest::RequestBuilder, what: &str) -> Result<Vec<u8>> {
    let answer =
        request.timeout(TIMEOUT).send().await.map_err(|error| Error::new(Kind::Unavailable, what).because(error))?;
    let status = answer.status();
    if !status.is_success() {
        let kind = if status.is_server_error() { Kind::Unavailable } else { Kind::Refused };
        return Err(Error::new(kind, format!("{what}: status {}", status.as_u16())));
    }
    let body = answer.bytes().await.map_err(|error| Error::new(Kind::Unavailable, what).because(error))?;
    Ok(body.to_vec())
}

async fn read(file: &PathBuf) -> Result<String> {
    let what = || format!("read the token in {}", file.display());
    let token =
        tokio::fs::read_to_string(file).await.map_err(|error| Error::new(Kind::Refused, what()).because(error))?;
    Ok(token.trim().to_owned())
}

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap_or_default()
}

fn sensitive(token: &SecretString) -> Result<http::HeaderValue> {
    use secrecy::ExposeSecret;
    let value = http::HeaderValue::from_str(token.expose_secret().trim());
    let mut value = value.map_err(|_| Error::new(Kind::Refused, "send a token that is no header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unreadable() -> Error {
    Error::new(Kind::Unavailable, "read the keys that were given for the S3 store")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn choose(variables: &[(&str, &str)]) -> String {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        match Source::choose(None, "eu-west-1", &variable) {
            Source::Fixed(keys) => format!("fixed {}", keys.access),
            Source::WebIdentity { role, service, .. } => format!("web identity {role} at {service}"),
            Source::Container { address, .. } => format!("container {address}"),
            Source::Metadata { address } => format!("metadata {address}"),
            Source::SharedFile { file, profile, otherwise } => {
                let otherwise = matches!(*otherwise, Source::Container { .. });
                format!("profile {profile} in {}, else the agent: {otherwise}", file.display())
            }
        }
    }

    #[test]
    fn keys_are_looked_for_in_order() {
        let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_ROLE_ARN", "r")];
        assert_eq!(choose(&keys), "fixed a");
        let web = [("AWS_ROLE_ARN", "r"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];
        assert_eq!(choose(&web), "web identity r at https://sts.eu-west-1.amazonaws.com");
        assert_eq!(
            choose(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")]),
            "container http://169.254.170.2/v2/x"
        );
        assert_eq!(choose(&[("AWS_ACCESS_KEY_ID", "half")]), "metadata http://169.254.169.254");
        let home = ("HOME", "/home/me");
        assert_eq!(choose(&[home, keys[0], keys[1]]), "fixed a");
        assert_eq!(choose(&[home, web[0], web[1]]), "web identity r at https://sts.eu-west-1.amazonaws.com");
        let agent = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x");
        assert_eq!(choose(&[home, agent]), "profile default in /home/me/.aws/credentials, else the agent: true");
        let named = [home, ("AWS_SHARED_CREDENTIALS_FILE", "/etc/keys"), ("AWS_PROFILE", "ci")];
        assert_eq!(choose(&named), "profile ci in /etc/keys, else the agent: false");
    }

    #[test]
    fn a_profile_of_the_shared_file_has_keys_where_it_has_both() {
        let text = "# ours\n[default]\naws_access_key_id=a\naws_secret_access_key = s=/+\n\n[ ci ]\nregion = x\n\
                    AWS_Access_Key_Id = c\n;aws_secret_access_key = old\naws_secret_access_key = t\naws_session_token = u\n\
                    [half]\naws_access_key_id = h\naws_secret_access_key =\n";
        let read = |profile: &str| {
            let Keys { access, secret, token } = keys_of_profile(text, profile)?;
            Some((access, secret.expose_secret().to_owned(), token.map(|token| token.expose_secret().to_owned())))
        };
        let keys = |access: &str, secret: &str, token: Option<&str>| {
            Some((access.to_owned(), secret.to_owned(), token.map(str::to_owned)))
        };
        assert_eq!(read("default"), keys("a", "s=/+", None));
        assert_eq!(read("ci"), keys("c", "t", Some("u")));
        assert_eq!((read("half"), read("nobody")), (None, None));
    }

    #[test]
    fn keys_are_renewed_before_they_end() {
        let body = br#"{"AccessKeyId":"a","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-29T12:00:00Z","Code":"Success"}"#;
        let held = given(body).expect("keys");
        let at = |time: &str| time.parse::<Timestamp>().expect("a moment");
        assert!(held.is_good(at("2026-11-29T11:54:59Z"), EARLY));
        assert!(!held.is_good(at("2026-11-29T11:55:00Z"), EARLY));
        assert!(held.is_good(at("2026-11-29T11:59:59Z"), 0));
    }
}
