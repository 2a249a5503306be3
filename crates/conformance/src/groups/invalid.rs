//! What is not there, and what cannot be.

use bytes::Bytes;
use jeroboam_oci::Digest;
use serde_json::json;

use super::upload;
use crate::client::Ask;
use crate::context::Context;
use crate::data::IMAGE;
use crate::options::Data;
use crate::recorder::Recorder;
use crate::stop::Verdict;

/// A digest whose hexadecimal part is none.
const BAD_DIGEST: &str = "sha256:baddigeststring";

pub(super) async fn run(context: &Context, recorder: &mut Recorder, group: &str) {
    if group == "missing" {
        recorder.case("missing/manifest-by-digest", missing_by_digest(context)).await;
        recorder.case("missing/manifest-by-tag", missing_by_tag(context)).await;
        return;
    }
    recorder.case("invalid/digest-format/manifest-put", bad_manifest_put(context)).await;
    recorder.case("invalid/digest-format/manifest-get", bad_get(context, context.manifest(BAD_DIGEST))).await;
    let blob = format!("/v2/{}/blobs/{BAD_DIGEST}", context.repository());
    recorder.case("invalid/digest-format/blob-put", bad_blob_put(context)).await;
    recorder.case("invalid/digest-format/blob-get", bad_get(context, blob)).await;
    recorder.case("invalid/manifest", no_manifest(context)).await;
    recorder.case("invalid/manifest-blob-unknown", unknown_blob(context)).await;
}

async fn missing(context: &Context, path: String) -> Verdict {
    context.client.send(Ask::head(path.clone()).header("accept", IMAGE)).await?.status(&[404])?;
    let answer = context.client.send(Ask::get(path).header("accept", IMAGE)).await?;
    answer.status(&[404])?;
    answer.says_why()
}

async fn missing_by_digest(context: &Context) -> Verdict {
    let digest = Digest::sha256(&context.noise("missing", 32));
    missing(context, context.manifest(&digest.to_string())).await
}

async fn missing_by_tag(context: &Context) -> Verdict {
    missing(context, context.manifest("missing")).await
}

async fn bad_manifest_put(context: &Context) -> Verdict {
    let body = image_without_layers(context).await?;
    let ask = Ask::put(context.manifest(BAD_DIGEST)).header("content-type", IMAGE).body(&body);
    let answer = context.client.send(ask).await?;
    answer.status(&[400])?;
    answer.says_why()
}

async fn bad_blob_put(context: &Context) -> Verdict {
    let (mut at, _) = upload::begin(context).await?;
    at.query_pairs_mut().append_pair("digest", BAD_DIGEST);
    let ask = Ask::put(at).header("content-type", "application/octet-stream");
    let answer = context.client.send(ask.body(&context.noise("bad-digest-format", 100))).await?;
    answer.status(&[400])?;
    answer.says_why()
}

/// It is refused or not there.
async fn bad_get(context: &Context, path: String) -> Verdict {
    let answer = context.client.send(Ask::get(path).header("accept", IMAGE)).await?;
    answer.status(&[400, 404])?;
    if answer.status == 400 { answer.says_why() } else { Ok(()) }
}

async fn no_manifest(context: &Context) -> Verdict {
    let body = Bytes::from_static(b"blablabla");
    let answer = context
        .client
        .send(Ask::put(context.manifest("no-manifest")).header("content-type", IMAGE).body(&body))
        .await?;
    answer.status(&[400])?;
    answer.says_why()?;
    missing(context, context.manifest("no-manifest")).await
}

/// A manifest that names what is not there is refused; where sparse ones may be taken, it may be there instead.
async fn unknown_blob(context: &Context) -> Verdict {
    let elsewhere = Digest::sha256(&context.noise("elsewhere", 32)).to_string();
    let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": elsewhere, "size": 32 });
    let body = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [] }).to_string().into();
    let ask = Ask::put(context.manifest("unknown-blob")).header("content-type", IMAGE).body(&body);
    let answer = context.client.send(ask).await?;
    if answer.status == 201 && context.options.has_data(Data::Sparse) {
        let there = context.client.send(Ask::get(context.manifest("unknown-blob")).header("accept", IMAGE)).await?;
        there.status(&[200])?;
        return there.body_is(&body);
    }
    answer.status(&[400, 404])?;
    answer.says_why()?;
    missing(context, context.manifest("unknown-blob")).await
}

/// An image whose configuration is there.
async fn image_without_layers(context: &Context) -> Verdict<Bytes> {
    let config = Bytes::from(json!({ "invalid": context.options.seed }).to_string());
    let digest = Digest::sha256(&config);
    upload::pushed(context, &config, &digest).await?;
    let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest.to_string(), "size": config.len() });
    Ok(json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [] }).to_string().into())
}
