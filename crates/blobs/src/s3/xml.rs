//! What S3 says, in XML. Only what we use; what is unknown is passed over.

use jeroboam_model::Timestamp;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// An error's body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ErrorBody {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Objects {
    #[serde(default)]
    pub(super) is_truncated: bool,
    #[serde(default)]
    pub(super) contents: Vec<Content>,
    #[serde(default)]
    pub(super) common_prefixes: Vec<CommonPrefix>,
    pub(super) next_continuation_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Content {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) last_modified: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CommonPrefix {
    pub(super) prefix: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Begun {
    pub(super) upload_id: String,
}

/// Of a copied object or part.
#[derive(Debug, Deserialize)]
pub(super) struct Copied {
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Uploads {
    #[serde(default)]
    pub(super) is_truncated: bool,
    pub(super) next_key_marker: Option<String>,
    pub(super) next_upload_id_marker: Option<String>,
    #[serde(default, rename = "Upload")]
    pub(super) uploads: Vec<UploadLine>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UploadLine {
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) initiated: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parts {
    #[serde(default)]
    pub(super) is_truncated: bool,
    pub(super) next_part_number_marker: Option<String>,
    #[serde(default, rename = "Part")]
    pub(super) parts: Vec<PartLine>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PartLine {
    pub(super) size: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Deleted {
    #[serde(default, rename = "Error")]
    pub(super) errors: Vec<NotDeleted>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NotDeleted {
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    pub(super) code: String,
}

/// Keys of the security token service.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Assumed {
    pub(super) assume_role_with_web_identity_result: AssumedResult,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumedResult {
    pub(super) credentials: AssumedKeys,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumedKeys {
    pub(super) access_key_id: String,
    #[serde(deserialize_with = "secret")]
    pub(super) secret_access_key: SecretString,
    #[serde(deserialize_with = "secret")]
    pub(super) session_token: SecretString,
    pub(super) expiration: Timestamp,
}

impl std::fmt::Debug for AssumedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssumedKeys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Reads a secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// Reads a secret that may not be there.
pub(super) fn secret_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

/// The parts of which an object is put together.
#[derive(Debug, Serialize)]
#[serde(rename = "CompleteMultipartUpload")]
pub(super) struct Complete<'a> {
    #[serde(rename = "Part")]
    pub(super) parts: Vec<CompletePart<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct CompletePart<'a> {
    #[serde(rename = "PartNumber")]
    pub(super) number: u32,
    #[serde(rename = "ETag")]
    pub(super) etag: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Delete<'a> {
    #[serde(rename = "Quiet")]
    pub(super) quiet: bool,
    #[serde(rename = "Object")]
    pub(super) objects: Vec<DeleteKey<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct DeleteKey<'a> {
    #[serde(rename = "Key")]
    pub(super) key: &'a str,
}

/// Reads a body.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, quick_xml::DeError> {
    quick_xml::de::from_str(&String::from_utf8_lossy(body))
}

/// Whether a body is an error, which some answers are although their status says 200.
pub(super) fn error(body: &[u8]) -> Option<ErrorBody> {
    let text = String::from_utf8_lossy(body);
    let begin = text.find("<Error")?;
    let before = &text[..begin];
    // Only as the outermost element.
    let outermost = !before.contains('<') || (before.matches('<').count() == 1 && before.contains("<?xml"));
    if outermost { Some(quick_xml::de::from_str(&text).unwrap_or_default()) } else { None }
}

/// Writes a body.
pub(super) fn write<T: Serialize>(value: &T) -> Result<String, quick_xml::SeError> {
    quick_xml::se::to_string(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read() {
        let body = br#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>a/</Prefix><KeyCount>2</KeyCount>
<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>a/x&amp;y</Key><LastModified>2026-11-29T12:00:00.000Z</LastModified>
<ETag>&quot;d41d&quot;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>a/b/</Prefix></CommonPrefixes>
<CommonPrefixes><Prefix>a/c/</Prefix></CommonPrefixes></ListBucketResult>"#;
        let objects: Objects = read(body).expect("a listing");
        assert_eq!((objects.contents[0].key.as_str(), objects.contents[0].size), ("a/x&y", 5));
        assert_eq!(objects.common_prefixes.len(), 2);
        assert!(!objects.is_truncated && objects.next_continuation_token.is_none());
    }

    #[test]
    fn an_error_may_have_a_good_status() {
        let body = b"<?xml version=\"1.0\"?>\n   <Error><Code>InternalError</Code><Message>again</Message></Error>";
        assert_eq!(error(body).expect("an error").code, "InternalError");
        assert!(error(b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>").is_none());
        assert!(error(b"<DeleteResult><Error><Key>a</Key></Error></DeleteResult>").is_none());
    }

    #[test]
    fn bodies_are_written() {
        let complete = Complete { parts: vec![CompletePart { number: 1, etag: "\"a\"" }] };
        assert_eq!(
            write(&complete).expect("a body"),
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part></CompleteMultipartUpload>"
        );
        let delete = Delete { quiet: true, objects: vec![DeleteKey { key: "a&b" }] };
        let body = write(&delete).expect("a body");
        assert_eq!(body, "<Delete><Quiet>true</Quiet><Object><Key>a&amp;b</Key></Object></Delete>");
    }
}
