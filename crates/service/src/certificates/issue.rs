//! The certificates that every cluster is made with.

use std::time::Duration;

use jeroboam_certificates::SealedKey;
use jeroboam_model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use secrecy::SecretString;
use uuid::Uuid;

use super::keys::{self, KeyError};
use super::{ONE_DAY, SigningRules};

/// A certificate and its key as they are stored.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: SealedKey,
}

/// Everything a new cluster needs.
pub(crate) struct ClusterCertificates {
    pub(crate) ca: Issued,
    pub(crate) etcd_ca: Issued,
    pub(crate) front_proxy_ca: Issued,
    /// The service's own, `O=system:masters`.
    pub(crate) client: Issued,
    /// What signs service account tokens: PKCS#8 without a passphrase, for the store seals it.
    pub(crate) service_account: SecretString,
}

/// Makes three authorities, a client certificate and the service account key. Takes a while: not for an async thread.
pub(crate) fn for_cluster(title: &str, rules: &SigningRules, now: Timestamp) -> Result<ClusterCertificates, KeyError> {
    let key = || keys::generate(rules.key_bits);
    let authority = || -> Result<(CertificateParams, KeyPair, Issued), KeyError> {
        let (params, key) = (authority_params(title, rules, now), key()?);
        let certificate = params.self_signed(&key)?.pem().trim().to_owned();
        let issued = Issued { certificate, key: keys::seal(&key)? };
        Ok((params, key, issued))
    };
    let (params, ca_key, ca) = authority()?;
    let client_key = key()?;
    let signed = client_params(rules, now).signed_by(&client_key, &Issuer::from_params(&params, &ca_key))?;
    let client = Issued { certificate: signed.pem().trim().to_owned(), key: keys::seal(&client_key)? };
    Ok(ClusterCertificates {
        ca,
        etcd_ca: authority()?.2,
        front_proxy_ca: authority()?.2,
        client,
        service_account: key()?.serialize_pem().into(),
    })
}

pub(super) fn authority_params(title: &str, rules: &SigningRules, now: Timestamp) -> CertificateParams {
    let mut params = dated(rules, now);
    params.distinguished_name.push(DnType::CommonName, title);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn client_params(rules: &SigningRules, now: Timestamp) -> CertificateParams {
    let mut params = dated(rules, now);
    params.distinguished_name.push(DnType::OrganizationName, "system:masters");
    params.distinguished_name.push(DnType::CommonName, "admin");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

fn dated(rules: &SigningRules, now: Timestamp) -> CertificateParams {
    let at = |time: Timestamp| date_time_ymd(1970, 1, 1) + Duration::from_secs(time.as_second().unsigned_abs());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(Uuid::new_v4().as_bytes()));
    params.not_before = at(now - ONE_DAY);
    params.not_after = at(now + Duration::from_secs(rules.validity_days * 86_400));
    params
}
