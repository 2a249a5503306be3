//! Parts of a blob.

use bytes::Bytes;
use jeroboam_oci::{Algorithm, Digest};

use super::needs_algorithm;
use super::upload;
use crate::client::Ask;
use crate::context::Context;
use crate::recorder::Recorder;
use crate::stop::{Verdict, fail};

/// How long the blob is.
const LENGTH: usize = 2048;

/// What is asked for, and the part that comes; 416 where there is none.
const CASES: &[(&str, Option<(usize, usize)>)] = &[
    ("500-1499", Some((500, 1499))),
    ("500-", Some((500, 2047))),
    ("-500", Some((1548, 2047))),
    ("2000-5000", Some((2000, 2047))),
    ("0-0", Some((0, 0))),
    ("500-0", None),
    ("5000-10000", None),
];

pub(super) async fn run(context: &Context, recorder: &mut Recorder, group: &str, algorithm: Algorithm) {
    let bytes = context.noise(&format!("{algorithm}/range"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    recorder.case(format!("{group}/range/push"), push(context, algorithm, &bytes, &digest)).await;
    for (range, part) in CASES {
        let test = one(context, algorithm, &bytes, &digest, range, *part);
        recorder.case(format!("{group}/range/{range}"), test).await;
    }
    recorder.case(format!("{group}/range/delete"), delete(context, algorithm, &digest)).await;
}

async fn push(context: &Context, algorithm: Algorithm, bytes: &Bytes, digest: &Digest) -> Verdict {
    needs_algorithm(context, algorithm)?;
    upload::pushed(context, bytes, digest).await
}

async fn delete(context: &Context, algorithm: Algorithm, digest: &Digest) -> Verdict {
    needs_algorithm(context, algorithm)?;
    upload::deleted(context, &context.blob(digest)).await
}

async fn one(
    context: &Context,
    algorithm: Algorithm,
    bytes: &Bytes,
    digest: &Digest,
    range: &str,
    part: Option<(usize, usize)>,
) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let ask = Ask::get(context.blob(digest)).header("range", &format!("bytes={range}"));
    let answer = context.client.send(ask).await?;
    let Some((start, end)) = part else {
        return answer.status(&[416]);
    };
    if answer.status == 200 {
        return fail("the whole blob came instead of a part");
    }
    answer.status(&[206])?;
    answer.header_is("content-range", &format!("bytes {start}-{end}/{LENGTH}"))?;
    answer.header_is("content-length", &(end - start + 1).to_string())?;
    answer.body_is(&bytes[start..=end])
}
