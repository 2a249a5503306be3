//! A page of a container's listing.

use jeroboam_model::Timestamp;
use serde::Deserialize;

use crate::Error;

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingQuery<'a> {
    /// How names begin.
    pub prefix: &'a str,
    /// Only names after this one.
    pub marker: Option<&'a str>,
    /// Only names before this one.
    pub end: Option<&'a str>,
    /// Whether names with a slash behind the prefix are shown as their folder.
    pub folders: bool,
    /// At most so many.
    pub limit: usize,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingEntry {
    /// An object.
    Object(ListedObject),
    /// The beginning of names, with its slash.
    Folder(String),
}

/// An object as a listing has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// The name.
    pub name: String,
    /// The length; of a dynamic large object 0.
    pub bytes: u64,
    /// The MD5 of what is in the object itself.
    pub hash: String,
    /// When it was written.
    pub modified: Option<Timestamp>,
    /// Whether it is said to be a static large object. A Ceph gateway does not say it.
    pub is_static: bool,
}

/// The MD5 of nothing: what listings show of manifests, in Swift of dynamic ones, in a Ceph gateway of both kinds.
const OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

impl ListedObject {
    /// Whether its bytes may be in other objects.
    #[must_use]
    pub fn may_be_large(&self) -> bool {
        self.is_static || self.hash == OF_NOTHING
    }
}

impl ListingEntry {
    /// The name of the object or the folder.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Object(object) => &object.name,
            Self::Folder(name) => name,
        }
    }
}

#[derive(Deserialize)]
struct Wire {
    name: Option<String>,
    subdir: Option<String>,
    bytes: Option<u64>,
    hash: Option<String>,
    last_modified: Option<String>,
    slo_etag: Option<String>,
}

/// Reads a page. An entry that has no name is an error: one that is passed over would look as if it were not there.
pub(crate) fn read(body: &[u8]) -> Result<Vec<ListingEntry>, Error> {
    let unreadable = |what: &str| Error::unreadable(super::SERVICE, format!("a listing {what}"));
    // What a container without objects answers at times, whatever was asked for.
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let wire: Vec<Wire> = serde_json::from_slice(body).map_err(|_| unreadable("is not JSON as Swift writes it"))?;
    let entry = |wire: Wire| match (wire.name, wire.subdir) {
        (Some(name), _) => Ok(ListingEntry::Object(ListedObject {
            name,
            bytes: wire.bytes.unwrap_or_default(),
            hash: wire.hash.unwrap_or_default(),
            modified: wire.last_modified.as_deref().and_then(moment),
            is_static: wire.slo_etag.is_some(),
        })),
        (None, Some(folder)) => Ok(ListingEntry::Folder(folder)),
        (None, None) => Err(unreadable("has an entry without a name")),
    };
    wire.into_iter().map(entry).collect()
}

/// Swift's `2026-11-29T23:50:48.606240` is in UTC and does not say so.
fn moment(text: &str) -> Option<Timestamp> {
    let zone = if text.ends_with('Z') || text.contains('+') { "" } else { "Z" };
    format!("{text}{zone}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_of_swift_and_of_a_ceph_gateway_are_read() {
        let swift = br#"[{"bytes": 0, "hash": "d41d8cd98f00b204e9800998ecf8427e", "name": "files/dlo", "content_type": "x", "last_modified": "2026-11-29T23:50:48.606240"},
            {"subdir": "a/b/"}, {"bytes": 5, "hash": "c853", "name": "files/slo", "last_modified": "2026-11-29T23:50:48.869310", "slo_etag": "\"69a3\""}]"#;
        let found = read(swift).unwrap();
        let names: Vec<&str> = found.iter().map(ListingEntry::name).collect();
        assert_eq!(names, ["files/dlo", "a/b/", "files/slo"]);
        let objects: Vec<&ListedObject> = found
            .iter()
            .filter_map(|entry| match entry {
                ListingEntry::Object(object) => Some(object),
                ListingEntry::Folder(_) => None,
            })
            .collect();
        assert!(objects.iter().all(|object| object.may_be_large()));
        assert_eq!(objects[0].modified.unwrap().to_string(), "2026-11-29T23:50:48.60624Z");
        let gateway = br#"[{"name":"files/slo","hash":"d41d8cd98f00b204e9800998ecf8427e","bytes":111,"last_modified":"2026-11-29T23:51:03.663Z"}]"#;
        let ListingEntry::Object(object) = &read(gateway).unwrap()[0] else { panic!("an object") };
        assert!(object.may_be_large() && object.modified.is_some());
    }

    #[test]
    fn what_is_no_listing_is_refused() {
        for body in ["{}", "[{}]", "[{\"name\": 1}]", "<html>", "[{\"name\": \"a\"}"] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(read(b"").unwrap(), []);
    }
}
