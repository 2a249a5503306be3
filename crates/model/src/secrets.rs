//! Names under which a cluster's secrets are kept: who accepts a cluster writes them, who makes its objects reads them.

/// Private key that signs service account tokens: PKCS#8 in PEM, not encrypted.
pub const SERVICE_ACCOUNT_KEY: &str = "service_account_key";
/// Id of the cluster's application credential.
pub const APPLICATION_CREDENTIAL_ID: &str = "application_credential_id";
/// Its secret.
pub const APPLICATION_CREDENTIAL_SECRET: &str = "application_credential_secret";
/// Id of the user whose it is, where that is another than the cluster's.
pub const APPLICATION_CREDENTIAL_USER: &str = "application_credential_user";
