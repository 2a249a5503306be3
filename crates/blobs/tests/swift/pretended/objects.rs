//! What the pretended Swift does when nothing goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{Method, Response};
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Asked, Body, Former, State, full, percent_decoded, status, text};

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    bytes: Bytes,
    etag: String,
    written: Instant,
    notes: BTreeMap<String, String>,
    manifest: Option<String>,
    segments: Option<Vec<Entry>>,
}

/// An entry of a static manifest, as it is written.
#[derive(Clone, Debug, Deserialize)]
struct Entry {
    path: String,
    etag: String,
    size_bytes: u64,
}

#[derive(Default)]
pub(crate) struct Objects {
    now: BTreeMap<String, Stored>,
    former: BTreeMap<String, Former>,
}

impl Objects {
    pub(crate) fn names(&self) -> Vec<String> {
        self.now.keys().cloned().collect()
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.now.remove(name);
    }

    fn put(&mut self, name: String, stored: Stored) {
        let written = stored.written;
        if let Some(old) = self.now.insert(name.clone(), stored) {
            self.former.entry(name).or_default().push_back((written, old));
        }
    }
}

pub(super) fn answer(state: &mut State, asked: &Asked, body: Bytes) -> Response<Body> {
    match (&asked.method, asked.container.as_str(), asked.object.as_str()) {
        (&Method::POST, "", "") if asked.query.contains_key("bulk-delete") => bulk(state, &body),
        (_, "", _) => status(405),
        (&Method::PUT, container, "") => {
            state.containers.entry(container.to_owned()).or_default();
            status(201)
        }
        (_, container, _) if !state.containers.contains_key(container) => status(404),
        (&Method::GET, _, "") => list(state, asked),
        (&Method::HEAD, container, "") => {
            let mut response = status(204);
            for (name, value) in &state.containers[container] {
                let name = http::HeaderName::try_from(format!("x-container-meta-{name}")).unwrap();
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        (&Method::POST, container, "") => {
            let notes = asked.notes("x-container-meta-");
            state.containers.get_mut(container).unwrap().extend(notes);
            status(204)
        }
        (&Method::PUT, ..) => put(state, asked, body),
        (&Method::POST, ..) => match state.objects.now.get_mut(&asked.object) {
            Some(stored) => {
                stored.notes = asked.notes("x-object-meta-");
                status(202)
            }
            None => status(404),
        },
        (&Method::DELETE, ..) => delete(state, asked),
        (&Method::GET | &Method::HEAD, ..) => read(state, asked),
        _ => status(405),
    }
}

fn hash(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn put(state: &mut State, asked: &Asked, body: Bytes) -> Response<Body> {
    if state.quirks.longest_object.is_some_and(|longest| body.len() as u64 > longest) {
        return status(413);
    }
    let exists = state.objects.now.contains_key(&asked.object);
    if exists && !state.quirks.gateway && asked.header("if-none-match") == Some("*") {
        return status(412);
    }
    let mut stored = Stored {
        etag: hash(&body),
        bytes: body,
        written: Instant::now(),
        notes: asked.notes("x-object-meta-"),
        manifest: asked.header("x-object-manifest").map(percent_decoded),
        segments: None,
    };
    if asked.header("etag").is_some_and(|etag| etag != stored.etag) {
        return status(422);
    }
    if let Some(source) = asked.header("x-copy-from") {
        let source = percent_decoded(source);
        let Some((_, name)) = source.trim_start_matches('/').split_once('/') else { return status(412) };
        let Some(from) = state.objects.now.get(name) else { return status(404) };
        let notes = from.notes.clone().into_iter().chain(stored.notes).collect();
        stored = Stored { written: Instant::now(), notes, ..from.clone() };
    } else if asked.query("multipart-manifest") == Some("put") {
        let Ok(entries) = serde_json::from_slice::<Vec<Entry>>(&stored.bytes) else { return status(400) };
        let fits = |entry: &Entry| {
            let segment =
                entry.path.trim_start_matches('/').split_once('/').and_then(|(_, name)| state.objects.now.get(name));
            segment.is_some_and(|segment| segment.etag == entry.etag && segment.bytes.len() as u64 == entry.size_bytes)
        };
        if entries.is_empty() || !entries.iter().all(fits) {
            return text(400, "Errors:\nthe segments are not what they should be");
        }
        stored.segments = Some(entries);
    }
    let etag = stored.etag.clone();
    state.objects.put(asked.object.clone(), stored);
    let mut response = status(201);
    response.headers_mut().insert("etag", etag.parse().unwrap());
    response
}

fn delete(state: &mut State, asked: &Asked) -> Response<Body> {
    let Some(stored) = state.objects.now.remove(&asked.object) else { return status(404) };
    if asked.query("multipart-manifest") != Some("delete") {
        return status(204);
    }
    for entry in stored.segments.into_iter().flatten() {
        if let Some((_, name)) = entry.path.trim_start_matches('/').split_once('/') {
            state.objects.now.remove(name);
        }
    }
    text(200, r#"{"Response Status": "200 OK", "Number Deleted": 1, "Errors": []}"#)
}

fn bulk(state: &mut State, body: &Bytes) -> Response<Body> {
    if state.quirks.no_bulk {
        return status(405);
    }
    let lines = std::str::from_utf8(body).unwrap().lines().map(percent_decoded);
    let (mut deleted, mut missing) = (0, 0);
    for line in lines {
        let (_, name) = line.trim_start_matches('/').split_once('/').unwrap();
        match state.objects.now.remove(name) {
            Some(_) => deleted += 1,
            None => missing += 1,
        }
    }
    let told =
        json!({"Response Status": "200 OK", "Number Deleted": deleted, "Number Not Found": missing, "Errors": []});
    text(200, told.to_string())
}

/// Most lines of a page of a gateway, whatever is asked for.
const GATEWAY_PAGE: usize = 1000;

/// So many lines this page has at most.
fn longest(state: &mut State, asked: usize) -> usize {
    if !state.quirks.gateway {
        return asked.min(state.quirks.page.unwrap_or(asked));
    }
    state.listings += 1;
    let most = asked.min(state.quirks.page.unwrap_or(GATEWAY_PAGE));
    // Never nothing: nothing is the end.
    if state.listings.is_multiple_of(2) { most.saturating_sub(1).max(1) } else { most }
}

fn list(state: &mut State, asked: &Asked) -> Response<Body> {
    let text_of = |name: &str| asked.query(name).unwrap_or_default();
    let (prefix, marker, end) = (text_of("prefix"), text_of("marker"), text_of("end_marker"));
    let limit: usize = asked.query("limit").and_then(|text| text.parse().ok()).unwrap_or(10_000);
    if limit > state.quirks.longest_page() {
        return status(412);
    }
    let limit = longest(state, limit);
    let delimiter = asked.query("delimiter").is_some();
    let mut lines: Vec<Value> = Vec::new();
    let mut folders = BTreeSet::new();
    for (name, stored) in &state.objects.now {
        let fits = name.starts_with(prefix) && name.as_str() > marker && (end.is_empty() || name.as_str() < end);
        if !fits || stored.written.elapsed() < state.quirks.listing_lag {
            continue;
        }
        if lines.len() == limit {
            break;
        }
        match name[prefix.len()..].find('/').filter(|_| delimiter) {
            Some(slash) => {
                let folder = &name[..=prefix.len() + slash];
                // As Swift: the folder that is the marker itself is not shown again, nor what is in it.
                if folder != marker && folders.insert(folder) {
                    lines.push(json!({"subdir": folder}));
                }
            }
            None => lines.push(line(state, name, stored)),
        }
    }
    text(200, Value::from(lines).to_string())
}

fn line(state: &State, name: &str, stored: &Stored) -> Value {
    let modified = "2026-11-29T23:50:48.606240";
    let mut line = json!({"name": name, "hash": stored.etag, "bytes": stored.bytes.len(), "last_modified": modified});
    if let Some(segments) = &stored.segments {
        if state.quirks.gateway {
            line["hash"] = json!(hash(b""));
        } else {
            line["bytes"] = json!(segments.iter().map(|entry| entry.size_bytes).sum::<u64>());
            line["slo_etag"] = json!("\"x\"");
        }
    }
    line
}

fn read(state: &State, asked: &Asked) -> Response<Body> {
    let newest = asked.header("x-newest").is_some();
    let former = state.objects.former.get(&asked.object).and_then(|former| former.back());
    let stale = former.filter(|(overwritten, _)| !newest && overwritten.elapsed() < state.quirks.stale);
    let Some(stored) = stale.map(|(_, stored)| stored).or_else(|| state.objects.now.get(&asked.object)) else {
        return status(404);
    };
    if let (Some(segments), Some("get")) = (&stored.segments, asked.query("multipart-manifest")) {
        let shown =
            segments.iter().map(|entry| json!({"name": entry.path, "bytes": entry.size_bytes, "hash": entry.etag}));
        return text(200, if state.quirks.gateway { String::new() } else { Value::from_iter(shown).to_string() });
    }
    let Some((bytes, etag)) = whole(state, stored) else { return status(409) };
    let size = bytes.len() as u64;
    let range = asked.header("range").and_then(|text| text.strip_prefix("bytes="));
    let range = range
        .and_then(|text| text.split_once('-'))
        .map(|(start, end)| (start.parse::<u64>().unwrap(), end.parse::<u64>().map_or(size, |end| end + 1).min(size)));
    let mut response = match range {
        Some((start, _)) if start >= size => status(416),
        Some((start, end)) => {
            let mut part = Response::new(full(bytes.slice(start as usize..end as usize)));
            *part.status_mut() = http::StatusCode::PARTIAL_CONTENT;
            part.headers_mut().insert("content-range", format!("bytes {start}-{}/{size}", end - 1).parse().unwrap());
            part.headers_mut().insert("content-length", (end - start).into());
            part
        }
        None => {
            let mut all = Response::new(full(if asked.method == Method::HEAD { Bytes::new() } else { bytes }));
            all.headers_mut().insert("content-length", size.into());
            all
        }
    };
    let headers = response.headers_mut();
    headers.insert("etag", etag.parse().unwrap());
    headers.insert("x-timestamp", "1795996248.60624".parse().unwrap());
    headers.insert("date", "Sun, 29 Nov 2026 23:50:48 GMT".parse().unwrap());
    if let Some(manifest) = &stored.manifest {
        headers.insert("x-object-manifest", manifest.parse().unwrap());
    }
    if stored.segments.is_some() {
        headers.insert("x-static-large-object", "True".parse().unwrap());
    }
    for (name, value) in &stored.notes {
        headers.insert(http::HeaderName::try_from(format!("x-object-meta-{name}")).unwrap(), value.parse().unwrap());
    }
    response
}

/// The bytes of an object with those of its segments, as far as they are listed, and its tag; `None` where a static one lacks some.
fn whole(state: &State, stored: &Stored) -> Option<(Bytes, String)> {
    if let Some(segments) = &stored.segments {
        let name = |entry: &Entry| entry.path.trim_start_matches('/').split_once('/').unwrap().1.to_owned();
        let found: Option<Vec<&Stored>> = segments.iter().map(|entry| state.objects.now.get(&name(entry))).collect();
        let bytes: Vec<Bytes> = found?.into_iter().map(|segment| segment.bytes.clone()).collect();
        return Some((bytes.concat().into(), format!("\"{}\"", stored.etag)));
    }
    let Some(prefix) = stored.manifest.as_ref().and_then(|manifest| manifest.split_once('/')).map(|(_, prefix)| prefix)
    else {
        return Some((stored.bytes.clone(), stored.etag.clone()));
    };
    let listed =
        state.objects.now.iter().filter(|(name, segment)| {
            name.starts_with(prefix) && segment.written.elapsed() >= state.quirks.listing_lag
        });
    let (bytes, etags): (Vec<Bytes>, Vec<String>) =
        listed.map(|(_, segment)| (segment.bytes.clone(), segment.etag.clone())).unzip();
    Some((bytes.concat().into(), format!("\"{}\"", hash(etags.concat().as_bytes()))))
}
