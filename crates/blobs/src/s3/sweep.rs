//! Parts and tails of what nobody finishes any more.

use super::client::Client;
use super::upload::TAILS;
use super::{list, multipart, object};
use crate::{Result, Sweep, Swept};

/// Everything that a registry puts into a bucket begins with this, so what others do in the same bucket is left alone.
const OURS: &str = "docker/registry/";

/// Finds, and unless it is a dry run removes, what no upload leads to.
pub(super) async fn sweep(client: &Client, sweep: &Sweep<'_>) -> Result<Swept> {
    let mut swept = Swept::default();
    parts(client, sweep, &mut swept).await?;
    tails(client, sweep, &mut swept).await?;
    Ok(swept)
}

async fn parts(client: &Client, sweep: &Sweep<'_>, swept: &mut Swept) -> Result<()> {
    let root = client.config.key_root();
    for upload in multipart::unfinished(client, &client.config.key(OURS)).await? {
        let path = upload.key.strip_prefix(&root).unwrap_or(&upload.key);
        let old = upload.initiated.is_some_and(|initiated| initiated < sweep.older_than);
        if !old || is_live(sweep, path) {
            continue;
        }
        let (parts, bytes) = multipart::measure(client, &upload).await?;
        // One without parts is something to forget too.
        swept.objects += parts.max(1);
        swept.bytes += bytes;
        if !sweep.dry_run {
            multipart::abort(client, &upload.key, &upload.upload_id).await?;
        }
    }
    Ok(())
}

async fn tails(client: &Client, sweep: &Sweep<'_>, swept: &mut Swept) -> Result<()> {
    let root = client.config.key(TAILS);
    let mut gone = Vec::new();
    for tail in list::contents(client, &root).await? {
        let path = tail.key.strip_prefix(&root).and_then(|below| below.rsplit_once('/'));
        let old = tail.last_modified.is_some_and(|modified| modified < sweep.older_than);
        if old && path.is_some_and(|(upload, _)| !is_live(sweep, upload)) {
            swept.objects += 1;
            swept.bytes += tail.size;
            gone.push(tail.key);
        }
    }
    if sweep.dry_run { Ok(()) } else { object::delete(client, &gone).await }
}

fn is_live(sweep: &Sweep<'_>, path: &str) -> bool {
    sweep.live.iter().any(|live| live == path)
}
