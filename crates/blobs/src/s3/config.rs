//! Settings of an S3 place, by the names that distribution's driver gives them.

use std::collections::BTreeMap;

use secrecy::SecretString;
use url::Url;

const MIB: u64 = 1024 * 1024;

/// The smallest part that S3 takes, but for the last one.
pub(super) const LEAST_PART: u64 = 5 * MIB;

/// The largest object that one request can write or copy.
pub(super) const LARGEST_PUT: u64 = 5 * 1024 * MIB;

/// Where the bucket is and how it is used.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// `regionendpoint`, or Amazon's of the region.
    pub endpoint: Url,
    /// `region`: part of every signature.
    pub region: String,
    /// `bucket`.
    pub bucket: String,
    /// `rootdirectory`: comes before every path.
    pub root: String,
    /// `forcepathstyle`: the bucket is in the path and not in the host. Always so with an endpoint of one's own unless said otherwise.
    pub path_style: bool,
    /// `accesskey` and `secretkey` (and `sessiontoken`).
    pub keys: Option<StaticKeys>,
    /// `chunksize`: the length of a part while there are few of them.
    pub part: u64,
    /// `partsatonce`, ours: so many parts of one upload are on their way at once.
    pub parts_at_once: usize,
    /// `multipartcopythresholdsize`: from here on an object is copied in parts.
    pub copy_threshold: u64,
    /// `multipartcopychunksize`: the length of these parts.
    pub copy_part: u64,
    /// `multipartcopymaxconcurrency`: so many of them at once.
    pub copy_at_once: usize,
    /// `storageclass`.
    pub storage_class: Option<String>,
    /// `objectacl`; none unless it was set, as buckets without access lists refuse any.
    pub acl: Option<String>,
    /// `encrypt`: by the store's own key, or by `keyid`.
    pub encrypt: bool,
    /// `keyid`.
    pub key_id: Option<String>,
    /// `useragent`.
    pub user_agent: Option<String>,
    /// `skipverify`: certificates are not checked.
    pub skip_verify: bool,
    /// `conditionalput`, ours: whether the store honours `If-None-Match: *`; found out when it is first needed unless set.
    pub conditional_put: Option<bool>,
}

/// Keys that do not change.
#[derive(Clone, Debug)]
pub struct StaticKeys {
    /// The one that is no secret.
    pub access: String,
    /// The one that is.
    pub secret: SecretString,
    /// Of keys that are good for a while only.
    pub token: Option<SecretString>,
}

/// Why these settings are none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadS3Config {
    /// A parameter without which there is no bucket.
    #[error("storage.s3 needs {0}")]
    Missing(&'static str),
    /// A parameter that says something else than it can.
    #[error("storage.s3.{name}: {value:?} is not {expected}")]
    Value {
        /// Its name.
        name: &'static str,
        /// What it says; never of a secret.
        value: String,
        /// What it could say.
        expected: &'static str,
    },
    /// One key without the other.
    #[error("storage.s3 has one of accesskey and secretkey without the other")]
    HalfKeys,
}

impl S3Config {
    /// Reads parameters by their names, which are in lower case. Unknown ones are the caller's to warn of: see [`S3Config::is_parameter`].
    pub fn from_parameters(parameters: &BTreeMap<String, String>) -> Result<Self, BadS3Config> {
        let parameters = Parameters(parameters);
        let region = parameters.text("region").ok_or(BadS3Config::Missing("region"))?;
        let bucket = parameters.text("bucket").ok_or(BadS3Config::Missing("bucket"))?;
        let own = parameters.text("regionendpoint");
        let secure = parameters.switch("secure")?.unwrap_or(true);
        let part = parameters.bytes("chunksize", LEAST_PART, LEAST_PART)?;
        Ok(Self {
            endpoint: endpoint(own.as_deref(), &region, secure)?,
            path_style: parameters.switch("forcepathstyle")?.unwrap_or(own.is_some()),
            region,
            bucket,
            root: parameters.text("rootdirectory").unwrap_or_default(),
            keys: parameters.keys()?,
            part,
            parts_at_once: parameters.number("partsatonce")?.map_or(1, |number| number.clamp(1, 16)) as usize,
            copy_threshold: parameters.bytes("multipartcopythresholdsize", 32 * MIB, 0)?,
            copy_part: parameters.bytes("multipartcopychunksize", 32 * MIB, LEAST_PART)?,
            copy_at_once: parameters.number("multipartcopymaxconcurrency")?.map_or(32, |number| number.clamp(1, 100))
                as usize,
            storage_class: parameters.text("storageclass").filter(|class| class != "NONE" && class != "STANDARD"),
            acl: parameters.text("objectacl").filter(|acl| acl != "private"),
            encrypt: parameters.switch("encrypt")?.unwrap_or(false),
            key_id: parameters.text("keyid"),
            user_agent: parameters.text("useragent"),
            skip_verify: parameters.switch("skipverify")?.unwrap_or(false),
            conditional_put: parameters.switch("conditionalput")?,
        })
    }

    /// Whether this is the name of a parameter. `v4auth`, `accelerate` and `loglevel` are known and change nothing: signatures are always of version 4.
    #[must_use]
    pub fn is_parameter(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// The key of the object at `path`; a folder's, for listings.
    pub(super) fn key(&self, path: &str) -> String {
        format!("{}{path}", self.key_root())
    }

    /// What every key begins with: empty, or ending with a slash.
    pub(super) fn key_root(&self) -> String {
        match self.root.trim_matches('/') {
            "" => String::new(),
            root => format!("{root}/"),
        }
    }
}

const NAMES: &[&str] = &[
    "accelerate",
    "accesskey",
    "bucket",
    "chunksize",
    "conditionalput",
    "encrypt",
    "forcepathstyle",
    "keyid",
    "loglevel",
    "multipartcopychunksize",
    "multipartcopymaxconcurrency",
    "multipartcopythresholdsize",
    "objectacl",
    "partsatonce",
    "region",
    "regionendpoint",
    "rootdirectory",
    "secretkey",
    "secure",
    "sessiontoken",
    "skipverify",
    "storageclass",
    "usedualstack",
    "useragent",
    "v4auth",
];

struct Parameters<'a>(&'a BTreeMap<String, String>);

impl Parameters<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn switch(&self, name: &'static str) -> Result<Option<bool>, BadS3Config> {
        let Some(value) = self.text(name) else { return Ok(None) };
        match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Some(true)),
            "false" | "no" | "0" => Ok(Some(false)),
            _ => Err(BadS3Config::Value { name, value, expected: "true or false" }),
        }
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, BadS3Config> {
        let Some(value) = self.text(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| BadS3Config::Value { name, value, expected: "a number" })
    }

    fn bytes(&self, name: &'static str, default: u64, least: u64) -> Result<u64, BadS3Config> {
        let Some(bytes) = self.number(name)? else { return Ok(default) };
        if (least..=LARGEST_PUT).contains(&bytes) {
            return Ok(bytes);
        }
        Err(BadS3Config::Value { name, value: bytes.to_string(), expected: "a number of bytes from 5 MiB to 5 GiB" })
    }

    fn keys(&self) -> Result<Option<StaticKeys>, BadS3Config> {
        match (self.text("accesskey"), self.text("secretkey")) {
            (Some(access), Some(secret)) => {
                let token = self.text("sessiontoken").map(SecretString::from);
                Ok(Some(StaticKeys { access, secret: SecretString::from(secret), token }))
            }
            (None, None) => Ok(None),
            _ => Err(BadS3Config::HalfKeys),
        }
    }
}

fn endpoint(own: Option<&str>, region: &str, secure: bool) -> Result<Url, BadS3Config> {
    let scheme = if secure { "https" } else { "http" };
    let text = match own {
        None => format!("{scheme}://s3.{region}.amazonaws.com"),
        Some(own) if own.contains("://") => own.to_owned(),
        Some(host) => format!("{scheme}://{host}"),
    };
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    url.ok_or(BadS3Config::Value { name: "regionendpoint", value: text, expected: "an address" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<S3Config, BadS3Config> {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        S3Config::from_parameters(&parameters)
    }

    #[test]
    fn amazon_is_meant_unless_an_endpoint_is_set() {
        let config = read(&[("region", "eu-west-1"), ("bucket", "images")]).expect("settings");
        assert_eq!(config.endpoint.as_str(), "https://s3.eu-west-1.amazonaws.com/");
        assert!(!config.path_style && config.keys.is_none());
        assert_eq!((config.part, config.copy_part, config.copy_threshold), (5 * MIB, 32 * MIB, 32 * MIB));
        let own = [("region", "x"), ("bucket", "b"), ("regionendpoint", "127.0.0.1:7070"), ("secure", "false")];
        let config = read(&own).expect("settings");
        assert_eq!(config.endpoint.as_str(), "http://127.0.0.1:7070/");
        assert!(config.path_style);
    }

    #[test]
    fn keys_are_the_root_directory_and_the_path() {
        for (root, key) in [("", "docker/a"), ("/", "docker/a"), ("/reg/istry/", "reg/istry/docker/a")] {
            let config = read(&[("region", "x"), ("bucket", "b"), ("rootdirectory", root)]).expect("settings");
            assert_eq!(config.key("docker/a"), key, "{root:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let base = [("region", "x"), ("bucket", "b")];
        let with = |name, value| {
            let mut parameters = base.to_vec();
            parameters.push((name, value));
            read(&parameters).expect_err(name).to_string()
        };
        assert_eq!(read(&[("bucket", "b")]).expect_err("no region"), BadS3Config::Missing("region"));
        assert_eq!(with("accesskey", "a"), "storage.s3 has one of accesskey and secretkey without the other");
        assert_eq!(
            with("chunksize", "1024"),
            "storage.s3.chunksize: \"1024\" is not a number of bytes from 5 MiB to 5 GiB"
        );
        assert_eq!(with("encrypt", "maybe"), "storage.s3.encrypt: \"maybe\" is not true or false");
        assert_eq!(with("regionendpoint", "ftp://x"), "storage.s3.regionendpoint: \"ftp://x\" is not an address");
    }
}
