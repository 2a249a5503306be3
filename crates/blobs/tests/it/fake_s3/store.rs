//! What the fake keeps, and how it answers when nothing goes wrong.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use http::request::Parts;
use http::{Method, StatusCode};
use md5::{Digest, Md5};

use super::error;

const LEAST_PART: usize = 5 * 1024 * 1024;
const NOTE: &str = "x-amz-meta-jeroboam-note";
const WRITTEN: &str = "2026-11-29T12:00:00.000Z";

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) objects: BTreeMap<String, Bytes>,
    /// What is noted at some of them.
    notes: BTreeMap<String, String>,
    pub(crate) uploads: BTreeMap<String, Upload>,
    pub(crate) ignores_conditions: bool,
    next: u64,
}

pub(crate) struct Upload {
    key: String,
    parts: BTreeMap<u32, Bytes>,
}

impl Store {
    pub(crate) fn answer(&mut self, parts: &Parts, body: Bytes) -> Response {
        let path = decode(parts.uri.path());
        let Some((bucket, key)) = path.trim_start_matches('/').split_once('/') else { return error(400, "InvalidURI") };
        if bucket != "bucket" {
            return error(404, "NoSuchBucket");
        }
        let query: BTreeMap<String, String> = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let upload = query.get("uploadId").cloned();
        match (parts.method.clone(), key, upload) {
            (Method::GET, "", _) if query.contains_key("uploads") => self.list_uploads(&query),
            (Method::GET, "", _) => self.list(&query),
            (Method::POST, "", _) if query.contains_key("delete") => self.delete_many(&body, header("content-md5")),
            (Method::POST, key, None) if query.contains_key("uploads") => self.begin(key),
            (Method::POST, _, Some(id)) => self.complete(&id, &body),
            (Method::PUT, _, Some(id)) => {
                self.part(&id, &query, body, header("x-amz-copy-source"), header("x-amz-copy-source-range"))
            }
            (Method::GET, _, Some(id)) => self.list_parts(&id),
            (Method::DELETE, _, Some(id)) => match self.uploads.remove(&id) {
                Some(_) => StatusCode::NO_CONTENT.into_response(),
                None => error(404, "NoSuchUpload"),
            },
            (Method::PUT, key, None) => match header("x-amz-copy-source") {
                Some(source) => self.copy(source, key),
                None if header("if-none-match") == Some("*")
                    && !self.ignores_conditions
                    && self.objects.contains_key(key) =>
                {
                    error(412, "PreconditionFailed")
                }
                None => {
                    self.notes.remove(key);
                    self.notes.extend(header(NOTE).map(|note| (key.to_owned(), note.to_owned())));
                    self.objects.insert(key.to_owned(), body);
                    StatusCode::OK.into_response()
                }
            },
            (Method::GET | Method::HEAD, key, None) => {
                self.get(key, header("range"), header("if-match"), parts.method == Method::HEAD)
            }
            (Method::DELETE, key, None) => {
                self.objects.remove(key);
                StatusCode::NO_CONTENT.into_response()
            }
            _ => error(501, "NotImplemented"),
        }
    }

    fn get(&self, key: &str, range: Option<&str>, if_match: Option<&str>, head: bool) -> Response {
        let Some(bytes) = self.objects.get(key) else { return error(404, "NoSuchKey") };
        let tag = etag(bytes);
        if if_match.is_some_and(|wanted| wanted != tag) {
            return error(412, "PreconditionFailed");
        }
        let size = bytes.len();
        let answer =
            http::Response::builder().header("etag", tag).header("last-modified", "Sun, 29 Nov 2026 12:00:00 GMT");
        let answer = self.notes.get(key).into_iter().fold(answer, |answer, note| answer.header(NOTE, note));
        let (answer, body) = match range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
            None => (answer.status(200), bytes.clone()),
            Some((start, end)) => {
                let start: usize = start.parse().expect("a number");
                let end = end.parse::<usize>().expect("a number").min(size.saturating_sub(1));
                if start >= size {
                    return error(416, "InvalidRange");
                }
                let answer = answer.status(206).header("content-range", format!("bytes {start}-{end}/{size}"));
                (answer, bytes.slice(start..=end))
            }
        };
        let answer = answer.header("content-length", body.len());
        answer.body(if head { Body::empty() } else { Body::from(body) }).expect("an answer")
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Response {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, delimiter) = (text("prefix"), text("delimiter"));
        let limit = query.get("max-keys").map_or(1000, |limit| limit.parse().expect("a number"));
        let after = [text("start-after"), text("continuation-token")].into_iter().max().unwrap_or_default();
        let (mut body, mut count, mut common, mut last) = (String::new(), 0, String::new(), String::new());
        let mut truncated = false;
        for (key, bytes) in self.objects.range::<str, _>((Bound::Excluded(after), Bound::Unbounded)) {
            let Some(below) = key.strip_prefix(prefix) else { continue };
            let folder = (!delimiter.is_empty()).then(|| below.find(delimiter)).flatten();
            let folder = folder.map(|end| key[..=prefix.len() + end].to_owned());
            if folder.as_ref().is_some_and(|folder| *folder == common) {
                last.clone_from(key);
                continue;
            }
            if count == limit {
                truncated = true;
                break;
            }
            count += 1;
            last.clone_from(key);
            match folder {
                Some(folder) => {
                    write!(body, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>").expect("text");
                    common = folder;
                }
                None => {
                    let size = bytes.len();
                    let line = format!("<Key>{key}</Key><LastModified>{WRITTEN}</LastModified><Size>{size}</Size>");
                    write!(body, "<Contents>{line}</Contents>").expect("text");
                }
            }
        }
        let token =
            if truncated { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
        xml("ListBucketResult", &format!("<IsTruncated>{truncated}</IsTruncated>{token}{body}"))
    }

    fn begin(&mut self, key: &str) -> Response {
        self.next += 1;
        let id = format!("upload/{}+", self.next);
        self.uploads.insert(id.clone(), Upload { key: key.to_owned(), parts: BTreeMap::new() });
        xml("InitiateMultipartUploadResult", &format!("<UploadId>{id}</UploadId>"))
    }

    fn part(
        &mut self,
        id: &str,
        query: &BTreeMap<String, String>,
        body: Bytes,
        source: Option<&str>,
        range: Option<&str>,
    ) -> Response {
        let number = query.get("partNumber").and_then(|number| number.parse().ok()).expect("a number");
        let bytes = match source {
            None => body,
            Some(source) => {
                let Some(bytes) = self.objects.get(key_of(source)) else { return error(404, "NoSuchKey") };
                let (start, end) =
                    range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')).expect("a range");
                bytes.slice(start.parse().expect("a number")..=end.parse::<usize>().expect("a number"))
            }
        };
        let Some(upload) = self.uploads.get_mut(id) else { return error(404, "NoSuchUpload") };
        let tag = etag(&bytes);
        upload.parts.insert(number, bytes);
        match source {
            None => ([("etag", tag)]).into_response(),
            Some(_) => xml("CopyPartResult", &format!("<ETag>{}</ETag>", tag.replace('"', "&quot;"))),
        }
    }

    fn complete(&mut self, id: &str, body: &Bytes) -> Response {
        let Some(upload) = self.uploads.get(id) else { return error(404, "NoSuchUpload") };
        let text = String::from_utf8_lossy(body);
        let mut whole = Vec::new();
        let named: Vec<_> = text.split("<Part>").skip(1).collect();
        for (index, part) in named.iter().enumerate() {
            let number: u32 = between(part, "PartNumber").parse().expect("a number");
            let tag = between(part, "ETag").replace("&quot;", "\"");
            let Some(bytes) = upload.parts.get(&number).filter(|bytes| etag(bytes) == tag) else {
                return error(400, "InvalidPart");
            };
            if bytes.len() < LEAST_PART && index + 1 < named.len() {
                return error(400, "EntityTooSmall");
            }
            whole.extend_from_slice(bytes);
        }
        let upload = self.uploads.remove(id).expect("it is there");
        self.notes.remove(&upload.key);
        self.objects.insert(upload.key, whole.into());
        xml("CompleteMultipartUploadResult", "<ETag>x</ETag>")
    }

    fn copy(&mut self, source: &str, key: &str) -> Response {
        let Some(bytes) = self.objects.get(key_of(source)).cloned() else { return error(404, "NoSuchKey") };
        self.objects.insert(key.to_owned(), bytes);
        xml("CopyObjectResult", "<ETag>x</ETag>")
    }

    fn list_uploads(&self, query: &BTreeMap<String, String>) -> Response {
        let prefix = query.get("prefix").map_or("", String::as_str);
        let lines = self.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix)).map(|(id, upload)| {
            let key = &upload.key;
            format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{WRITTEN}</Initiated></Upload>")
        });
        xml("ListMultipartUploadsResult", &format!("<IsTruncated>false</IsTruncated>{}", lines.collect::<String>()))
    }

    fn list_parts(&self, id: &str) -> Response {
        let Some(upload) = self.uploads.get(id) else { return error(404, "NoSuchUpload") };
        let lines = upload.parts.iter().map(|(number, bytes)| {
            format!("<Part><PartNumber>{number}</PartNumber><Size>{}</Size></Part>", bytes.len())
        });
        xml("ListPartsResult", &format!("<IsTruncated>false</IsTruncated>{}", lines.collect::<String>()))
    }

    fn delete_many(&mut self, body: &Bytes, sum: Option<&str>) -> Response {
        let wanted = base64::engine::general_purpose::STANDARD.encode(Md5::digest(body));
        if sum != Some(wanted.as_str()) {
            return error(400, "InvalidDigest");
        }
        let text = String::from_utf8_lossy(body);
        for key in text.split("<Key>").skip(1) {
            self.objects.remove(key.split("</Key>").next().expect("a key"));
        }
        xml("DeleteResult", "")
    }
}

fn xml(root: &str, body: &str) -> Response {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{body}</{root}>")
        .into_response()
}

fn etag(bytes: &Bytes) -> String {
    // Real ones have an MD5 here, which nobody may rely on.
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    format!("\"{}\"", digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn key_of(source: &str) -> &str {
    source.trim_start_matches('/').split_once('/').expect("a bucket").1
}

fn between<'a>(text: &'a str, name: &str) -> &'a str {
    let from = text.find(&format!("<{name}>")).expect(name) + name.len() + 2;
    &text[from..from + text[from..].find("</").expect("an end")]
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            decoded.push(u8::from_str_radix(&text[at + 1..at + 3], 16).expect("two digits"));
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).expect("text")
}
