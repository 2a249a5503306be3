//! Bytes that are not what their digest says.

use jeroboam_oci::{Algorithm, Digest};

use super::blobs::LENGTH;
use super::needs_algorithm;
use super::upload::{self, Way};
use crate::context::Context;
use crate::recorder::Recorder;
use crate::stop::{Verdict, skip};

pub(super) async fn run(context: &Context, recorder: &mut Recorder, group: &str, algorithm: Algorithm) {
    for way in [Way::PostOnly, Way::PostPut, Way::ChunkedSingle, Way::ChunkedMulti, Way::Stream] {
        recorder.case(format!("{group}/bad-digest/{}", way.name()), bad(context, algorithm, way)).await;
    }
}

/// They are refused, and nobody can read them by either digest.
async fn bad(context: &Context, algorithm: Algorithm, way: Way) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let bytes = context.noise(&format!("{algorithm}/bad-digest/{}", way.name()), LENGTH);
    let claimed = Digest::of(algorithm, &context.noise(&format!("{algorithm}/other/{}", way.name()), LENGTH));
    let answer = upload::push(context, way, &bytes, &claimed).await?;
    if way == Way::PostOnly && answer.status == 202 {
        return skip("the registry opened a session instead of taking the blob");
    }
    answer.status(&[400])?;
    answer.says_why()?;
    upload::absent(context, &claimed).await?;
    upload::absent(context, &Digest::of(algorithm, &bytes)).await
}
