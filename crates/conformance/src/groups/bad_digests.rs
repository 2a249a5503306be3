//! Bytes that are not what their digest says.

use jeroboam_oci::{Algorithm, Digest};

use super::blobs::LENGTH;
use super::needs_algorithm;
use super::upload::{self, Way};
use crate::context::Context;
use crate::recorder::Recorder;
use crate::stop::{Verdict, skip};

pub(super) async fn run(context: &Context, recorder: &mut Recorder, group: &str, algorithm: Algorithm) {
    let ways =
        [Way::PostOnly, Way::PostPut, Way::ChunkedSingle, Way::ChunkedMulti, Way::ChunkedMultiPutChunk, Way::Stream];
    for way in ways {
        recorder.case(format!("{group}/bad-digest/{}", way.name()), bad(context, algorithm, way)).await;
    }
}

/// They are refused, at once or in the session that was opened instead, and nobody can read them by either digest.
async fn bad(context: &Context, algorithm: Algorithm, way: Way) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let bytes = context.noise(&format!("{algorithm}/bad-digest/{}", way.name()), LENGTH);
    let claimed = Digest::of(algorithm, &context.noise(&format!("{algorithm}/other/{}", way.name()), LENGTH));
    let mut answer = upload::push(context, way, &bytes, &claimed).await?;
    let is_session = way == Way::PostOnly && answer.status == 202;
    if is_session {
        answer = upload::finish(context, &answer.location()?, &claimed, Some(&bytes)).await?;
    }
    answer.status(&[400])?;
    answer.says_why()?;
    upload::absent(context, &claimed).await?;
    upload::absent(context, &Digest::of(algorithm, &bytes)).await?;
    if is_session { skip("the registry opened a session instead of refusing the blob") } else { Ok(()) }
}
