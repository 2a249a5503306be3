//! Which tags and manifests nobody wants to keep any more: decided from what is there, then removed as a client would.
//!
//! A signature or an SBOM belongs to what it is about, and stays exactly as long: as a referrer, or under a tag such as `sha256-….sig`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jeroboam_blobs::Freshness;
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, InRepository, Meaning};
use jeroboam_oci::manifest::Manifest;
use jeroboam_oci::{Algorithm, Digest, RepositoryName, Tag, referrers};
use serde::Serialize;

use crate::gc::documents::read_bytes;
use crate::gc::pages::each_object;
use crate::pattern;
use crate::store::{Result, Store, StoreError};

/// What stays of repositories of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionRule {
    /// Repositories of this name and below it; empty: all.
    pub prefix: String,
    /// Patterns of tags, with `*` and `?`; none: all.
    pub tags: Vec<String>,
    /// The newest so many stay.
    pub keep: Option<usize>,
    /// What is younger stays.
    pub keep_for: Option<Duration>,
    /// Manifests without a tag go after so long.
    pub untagged: Option<Duration>,
}

/// A tag of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFact {
    /// Its name.
    pub tag: Tag,
    /// What it points to.
    pub target: Digest,
    /// When it was last moved.
    pub moved: Timestamp,
}

/// A manifest of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFact {
    /// When it was last pushed.
    pub pushed: Timestamp,
    /// The manifests that it names.
    pub children: Vec<Digest>,
    /// What it is about.
    pub subject: Option<Digest>,
}

/// Something that goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// A tag, if it still points there.
    Tag(Tag, Digest),
    /// A manifest.
    Manifest(Digest),
}

/// What went, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What goes, by repository.
    pub removals: BTreeMap<RepositoryName, Vec<Removal>>,
    /// Repositories of which a manifest could not be read; nothing without a tag goes there.
    pub unreadable: Vec<RepositoryName>,
}

impl RetentionRule {
    fn covers(&self, repository: &RepositoryName) -> bool {
        let rest = repository.as_str().strip_prefix(&self.prefix);
        self.prefix.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn means(&self, tag: &Tag) -> bool {
        self.tags.is_empty() || self.tags.iter().any(|pattern| pattern::matches(pattern, tag.as_str()))
    }
}

/// Decides what goes of a repository. The first rule that covers it and means a tag is the one for that tag; what no rule means stays. `manifests` is `None`
/// where not all could be read: then nothing goes that has no tag.
#[must_use]
pub fn decide(
    rules: &[RetentionRule],
    repository: &RepositoryName,
    tags: &[TagFact],
    manifests: Option<&BTreeMap<Digest, ManifestFact>>,
    now: Timestamp,
) -> Vec<Removal> {
    let rules: Vec<&RetentionRule> = rules.iter().filter(|rule| rule.covers(repository)).collect();
    let (attached, own): (Vec<&TagFact>, Vec<&TagFact>) =
        tags.iter().partition(|fact| referrers::attached_to(&fact.tag).is_some());
    let mut going: BTreeSet<&Tag> = BTreeSet::new();
    for (number, rule) in rules.iter().enumerate() {
        let first = |tag: &Tag| rules.iter().position(|rule| rule.means(tag)) == Some(number);
        let mut meant: Vec<&TagFact> = own.iter().copied().filter(|fact| first(&fact.tag)).collect();
        meant.sort_by(|a, b| b.moved.cmp(&a.moved).then_with(|| b.tag.cmp(&a.tag)));
        let rule_says = rule.keep.is_some() || rule.keep_for.is_some();
        let old = meant.iter().skip(rule.keep.unwrap_or(0)).filter(|fact| is_older(fact.moved, rule.keep_for, now));
        going.extend(old.filter(|_| rule_says).map(|fact| &fact.tag));
    }
    let staying = || own.iter().filter(|fact| !going.contains(&fact.tag));
    let mut removals: Vec<Removal> = Vec::new();
    let mut kept: BTreeSet<Digest> = staying().map(|fact| fact.target.clone()).collect();
    let untagged = rules.iter().find_map(|rule| rule.untagged);
    if let Some(manifests) = manifests {
        close(&mut kept, manifests);
        let gone: BTreeSet<&Digest> = manifests
            .iter()
            .filter(|(digest, fact)| {
                !kept.contains(*digest) && untagged.is_some() && is_older(fact.pushed, untagged, now)
            })
            .map(|(digest, _)| digest)
            .collect();
        let attached_gone = |fact: &&&TagFact| referrers::attached_to(&fact.tag).is_some_and(|of| gone.contains(&of));
        for fact in attached.iter().filter(attached_gone) {
            going.insert(&fact.tag);
        }
        // What a tag still points to that stays for its own sake is no manifest without a tag.
        let held: BTreeSet<&Digest> =
            tags.iter().filter(|fact| !going.contains(&fact.tag)).map(|fact| &fact.target).collect();
        removals.extend(gone.into_iter().filter(|digest| !held.contains(digest)).cloned().map(Removal::Manifest));
    }
    let tags = tags.iter().filter(|fact| going.contains(&fact.tag));
    removals.extend(tags.map(|fact| Removal::Tag(fact.tag.clone(), fact.target.clone())));
    removals.sort();
    removals
}

/// With what is kept stay the manifests that it names, and those that are about it.
fn close(kept: &mut BTreeSet<Digest>, manifests: &BTreeMap<Digest, ManifestFact>) {
    loop {
        let before = kept.len();
        for (digest, fact) in manifests {
            if kept.contains(digest) {
                kept.extend(fact.children.iter().cloned());
            } else if fact.subject.as_ref().is_some_and(|subject| kept.contains(subject)) {
                kept.insert(digest.clone());
            }
        }
        if kept.len() == before {
            return;
        }
    }
}

fn is_older(moment: Timestamp, age: Option<Duration>, now: Timestamp) -> bool {
    age.is_none_or(|age| moment.saturating_add(age).unwrap_or(Timestamp::MAX) < now)
}

/// Removes what no rule keeps, or says what would go.
pub async fn retain(store: &Store, rules: &[RetentionRule], now: Timestamp, dry_run: bool) -> Result<Retained> {
    let mut retained = Retained { dry_run, ..Retained::default() };
    for repository in store.repositories().await?.iter() {
        if !rules.iter().any(|rule| rule.covers(repository)) {
            continue;
        }
        let (tags, manifests) = facts(store, repository).await?;
        if manifests.is_none() {
            retained.unreadable.push(repository.clone());
        }
        let removals = decide(rules, repository, &tags, manifests.as_ref(), now);
        if removals.is_empty() {
            continue;
        }
        if !dry_run {
            for removal in &removals {
                remove(store, repository, removal).await?;
            }
        }
        retained.removals.insert(repository.clone(), removals);
    }
    Ok(retained)
}

async fn remove(store: &Store, repository: &RepositoryName, removal: &Removal) -> Result<()> {
    let removed = match removal {
        Removal::Tag(tag, target) if store.tag_target(repository, tag).await?.as_ref() == Some(target) => {
            store.remove_tag(repository, tag).await.map(|_| ())
        }
        // Somebody moved it since: it is another one.
        Removal::Tag(..) => Ok(()),
        Removal::Manifest(digest) => store.remove_manifest(repository, digest).await.map(|_| ()),
    };
    match removed {
        Err(StoreError::ManifestUnknown(_)) => Ok(()),
        other => other,
    }
}

type Facts = (Vec<TagFact>, Option<BTreeMap<Digest, ManifestFact>>);

async fn facts(store: &Store, repository: &RepositoryName) -> Result<Facts> {
    let (mut moved, mut pushed) = (BTreeMap::new(), BTreeMap::new());
    each_object(store.place(), &format!("{}_manifests/", layout::repository(repository)), |entry| {
        let Meaning::Repository(_, what) = layout::meaning(&entry.path) else { return };
        // What has no time is as young as can be.
        let modified = entry.modified.unwrap_or(Timestamp::MAX);
        match what {
            InRepository::TagCurrent(tag) => {
                moved.insert(tag, modified);
            }
            InRepository::Revision(digest) if digest.algorithm() == Algorithm::Sha256 => {
                pushed.insert(digest, modified);
            }
            _ => {}
        }
    })
    .await?;
    let mut tags = Vec::new();
    for (tag, moved) in moved {
        if let Some(target) = store.tag_target(repository, &tag).await? {
            tags.push(TagFact { tag, target, moved });
        }
    }
    let mut manifests = BTreeMap::new();
    for (digest, pushed) in pushed {
        let bytes = read_bytes(store.place(), &layout::blob(&digest), Freshness::Any).await?;
        let Some(Ok(manifest)) = bytes.map(|bytes| Manifest::stored(&bytes)) else { return Ok((tags, None)) };
        let children = manifest.children().map(|child| child.digest.clone()).collect();
        let subject = manifest.subject.map(|subject| subject.digest);
        manifests.insert(digest, ManifestFact { pushed, children, subject });
    }
    Ok((tags, Some(manifests)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * DAY).unwrap()
    }

    fn digest(text: &str) -> Digest {
        Digest::sha256(text.as_bytes())
    }

    fn tag(name: &str, target: &str, moved: i64) -> TagFact {
        TagFact { tag: name.parse().unwrap(), target: digest(target), moved: day(moved) }
    }

    fn manifest(text: &str, children: &[&str], subject: Option<&str>) -> (Digest, ManifestFact) {
        let children = children.iter().map(|child| digest(child)).collect();
        (digest(text), ManifestFact { pushed: day(1), children, subject: subject.map(digest) })
    }

    fn going(rules: &[RetentionRule], tags: &[TagFact], manifests: &[(Digest, ManifestFact)]) -> Vec<Removal> {
        let manifests = manifests.iter().cloned().collect();
        decide(rules, &"team/app".parse().unwrap(), tags, Some(&manifests), day(100))
    }

    fn tags_of(removals: &[Removal]) -> Vec<&str> {
        removals.iter().filter_map(|r| if let Removal::Tag(tag, _) = r { Some(tag.as_str()) } else { None }).collect()
    }

    #[test]
    fn the_newest_stay_and_the_young() {
        let tags = [tag("v1", "1", 10), tag("v2", "2", 20), tag("v3", "3", 99), tag("stable", "1", 5)];
        let keep = RetentionRule { tags: vec!["v*".to_owned()], keep: Some(1), ..RetentionRule::default() };
        assert_eq!(tags_of(&going(std::slice::from_ref(&keep), &tags, &[])), ["v1", "v2"]);
        let young = RetentionRule { keep_for: Some(Duration::from_secs(85 * 86_400)), ..keep.clone() };
        assert_eq!(tags_of(&going(&[young], &tags, &[])), ["v1"]);
        let nothing = RetentionRule { keep: None, ..keep.clone() };
        assert_eq!(going(&[nothing], &tags, &[]), [], "a rule that says nothing removes nothing");
        let elsewhere = RetentionRule { prefix: "team/ap".to_owned(), ..keep.clone() };
        assert_eq!(going(&[elsewhere], &tags, &[]), []);
        let first = RetentionRule { tags: vec!["v1".to_owned()], keep: Some(5), ..RetentionRule::default() };
        assert_eq!(tags_of(&going(&[first, keep], &tags, &[])), ["v2"], "the first rule that means a tag is its rule");
    }

    #[test]
    fn what_belongs_to_something_stays_with_it() {
        let rule = RetentionRule { untagged: Some(Duration::from_secs(86_400)), ..RetentionRule::default() };
        let signature = |of: &str| format!("sha256-{}.sig", digest(of).hex());
        let manifests = [
            manifest("index", &["child"], None),
            manifest("child", &[], None),
            manifest("sbom", &[], Some("child")),
            manifest("old", &[], None),
            manifest("old sbom", &[], Some("old")),
            manifest("kept sig", &[], None),
            manifest("old sig", &[], None),
        ];
        let tags =
            [tag("v1", "index", 1), tag(&signature("index"), "kept sig", 1), tag(&signature("old"), "old sig", 1)];
        let removals = going(&[rule], &tags, &manifests);
        assert_eq!(tags_of(&removals), [signature("old")]);
        for (text, goes) in [
            ("index", false),
            ("child", false),
            ("sbom", false),
            ("old", true),
            ("old sbom", true),
            ("kept sig", false),
            ("old sig", true),
        ] {
            assert_eq!(removals.contains(&Removal::Manifest(digest(text))), goes, "{text}");
        }
    }

    #[test]
    fn without_all_manifests_only_tags_go() {
        let rule = RetentionRule { keep: Some(0), untagged: Some(Duration::ZERO), ..RetentionRule::default() };
        let removals = decide(&[rule], &"a".parse().unwrap(), &[tag("v1", "1", 1)], None, day(100));
        assert_eq!(tags_of(&removals), ["v1"]);
        assert_eq!(removals.len(), 1);
    }
}
