//! Listings of a bucket.

use http::Method;

use super::client::{Call, Client};
use super::xml;
use crate::{Error, Kind, List, ListPage, Listed, Result, path};

/// So many lines one answer has at most.
const LINES: usize = 1000;

/// Behind all names that begin with what it follows.
const BEHIND_ALL: char = '\u{10ffff}';

/// One page of what is in the bucket.
pub(super) async fn page(client: &Client, what: &List<'_>) -> Result<ListPage> {
    path::check_prefix(what.prefix)?;
    if what.limit == 0 {
        return Err(Error::new(Kind::Misuse, format!("list nothing below {:?}", what.prefix)));
    }
    let root = client.config.key_root();
    let mut mark = what.after.map(str::to_owned);
    loop {
        let limit = what.limit.min(LINES);
        let mut call = Call::bucket(Method::GET)
            .query("list-type", "2")
            .query("prefix", format!("{root}{}", what.prefix))
            .query("max-keys", limit.to_string());
        if what.folders {
            call = call.query("delimiter", "/");
        }
        if let Some(mark) = mark.as_deref().filter(|mark| *mark > what.prefix) {
            call = call.query("start-after", begin_after(&root, mark, what.folders));
        }
        let objects = ask(client, call, what.prefix).await?;
        let truncated = objects.is_truncated;
        let mut items = lines(objects, &root);
        let last = items.last().map(|item| path_of(item).to_owned());
        items.retain(|item| what.after.is_none_or(|after| path_of(item) > after));
        if !truncated || last.is_none() {
            return Ok(ListPage { items, next: None });
        }
        if !items.is_empty() {
            return Ok(ListPage { items, next: last });
        }
        // A folder whose own path is before the mark was all there was.
        mark = last;
    }
}

/// A folder that was shown is not to be shown again for what is below it.
fn begin_after(root: &str, mark: &str, folders: bool) -> String {
    match mark.ends_with('/') && folders {
        true => format!("{root}{mark}{BEHIND_ALL}"),
        false => format!("{root}{mark}"),
    }
}

/// All keys with a prefix: of few.
pub(super) async fn keys(client: &Client, prefix: &str) -> Result<Vec<String>> {
    Ok(contents(client, prefix).await?.into_iter().map(|content| content.key).collect())
}

/// All objects with a prefix: of few.
pub(super) async fn contents(client: &Client, prefix: &str) -> Result<Vec<xml::Content>> {
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut call = Call::bucket(Method::GET).query("list-type", "2").query("prefix", prefix);
        if let Some(token) = &token {
            call = call.query("continuation-token", token);
        }
        let page = ask(client, call, prefix).await?;
        all.extend(page.contents);
        if !page.is_truncated || page.next_continuation_token.is_none() {
            return Ok(all);
        }
        token = page.next_continuation_token;
    }
}

async fn ask(client: &Client, call: Call<'_>, prefix: &str) -> Result<xml::Objects> {
    let answer = client.ask(call).await.map_err(|failure| failure.into_error("list", prefix))?;
    let unreadable = |error| Error::new(Kind::Broken, format!("read what S3 lists below {prefix:?}")).because(error);
    xml::read(&answer).map_err(unreadable)
}

fn lines(objects: xml::Objects, root: &str) -> Vec<Listed> {
    let below = |key: String| key.strip_prefix(root).map(str::to_owned);
    let mut lines: Vec<_> = objects
        .contents
        .into_iter()
        // Markers of folders that other tools make are no objects of ours.
        .filter(|content| !content.key.ends_with('/'))
        .filter_map(|content| {
            let (size, modified) = (content.size, content.last_modified);
            below(content.key).map(|path| Listed::Object { path, size, modified })
        })
        .collect();
    lines.extend(
        objects
            .common_prefixes
            .into_iter()
            .filter_map(|common| below(common.prefix).map(|path| Listed::Folder { path })),
    );
    lines.sort_unstable_by(|a, b| path_of(a).cmp(path_of(b)));
    lines
}

fn path_of(item: &Listed) -> &str {
    match item {
        Listed::Object { path, .. } | Listed::Folder { path } => path,
    }
}
