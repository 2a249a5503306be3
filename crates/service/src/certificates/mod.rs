//! Certificates of clusters: made with the cluster, shown, and signed for whoever brings a request.

mod csr;
mod der;
mod issue;
mod keys;

use std::time::Duration;

pub(crate) use issue::{ClusterCertificates, Issued, for_cluster};

const ONE_DAY: Duration = Duration::from_secs(86_400);

/// What is made and what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRules {
    /// Size of new RSA keys.
    pub key_bits: u32,
    /// How long certificates hold, in days.
    pub validity_days: u64,
    /// Whether clients may ask for authorities.
    pub allow_ca: bool,
    /// Extensions that requests may bring, by name.
    pub extensions: Vec<String>,
    /// Key usages that requests may bring, by name.
    pub key_usages: Vec<String>,
}

impl Default for SigningRules {
    fn default() -> Self {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            key_bits: 2048,
            validity_days: 1825,
            allow_ca: false,
            extensions: named(&[
                "keyUsage",
                "extendedKeyUsage",
                "subjectAltName",
                "basicConstraints",
                "subjectKeyIdentifier",
            ]),
            key_usages: named(&["Digital Signature", "Key Encipherment", "Non Repudiation"]),
        }
    }
}
