//! Which tags and manifests nobody wants to keep any more: decided from what is there, then removed as a client would.
//!
//! A signature or an SBOM belongs to what it is about, and stays exactly as long: as a referrer, or under a tag such as `sha256-….sig`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jeroboam_blobs::Freshness;
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, InRepository, Meaning};
use jeroboam_oci::manifest::Manifest;
use jeroboam_oci::{Algorithm, Digest, Reference, RepositoryName, Tag, link, referrers};
use serde::Serialize;

use crate::gc::documents::read_bytes;
use crate::gc::pages::each_object;
use crate::http::failure::chain;
use crate::pattern;
use crate::replicate::Replication;
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
    /// What it points to, by the digest that the store sorts it by.
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
    /// Repositories of which a manifest or a tag could not be read; nothing without a tag goes there.
    pub unreadable: Vec<RepositoryName>,
    /// Why not all that should go went, by repository.
    pub failed: BTreeMap<RepositoryName, String>,
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
    let mut removals: Vec<Removal> = Vec::new();
    let untagged = rules.iter().find_map(|rule| rule.untagged);
    if let (Some(manifests), Some(_)) = (manifests, untagged) {
        let staying = own.iter().filter(|fact| !going.contains(&fact.tag)).map(|fact| &fact.target);
        // What is young stays, tag or no tag, and what it names has to stay with it.
        let young = manifests.iter().filter(|(_, fact)| !is_older(fact.pushed, untagged, now));
        let mut kept: BTreeSet<Digest> = staying.chain(young.map(|(digest, _)| digest)).cloned().collect();
        close(&mut kept, manifests);
        // What belongs to something stays with it, and with it what it names: until nothing more is found that stays.
        let gone = loop {
            let gone: BTreeSet<&Digest> = manifests.keys().filter(|digest| !kept.contains(*digest)).collect();
            let belongs_to_gone =
                |fact: &TagFact| referrers::attached_to(&fact.tag).is_some_and(|of| gone.contains(&of));
            let before = kept.len();
            kept.extend(attached.iter().filter(|fact| !belongs_to_gone(fact)).map(|fact| fact.target.clone()));
            close(&mut kept, manifests);
            if kept.len() == before {
                going.extend(attached.iter().filter(|fact| belongs_to_gone(fact)).map(|fact| &fact.tag));
                break gone;
            }
        };
        removals.extend(gone.into_iter().cloned().map(Removal::Manifest));
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

/// Removes what no rule keeps, or says what would go; what goes is told to the other regions. Where a repository cannot be read or one of its removals fails, the
/// rest of it waits for another time.
pub async fn retain(
    store: &Store,
    replication: &Replication,
    rules: &[RetentionRule],
    now: Timestamp,
    dry_run: bool,
) -> Result<Retained> {
    let mut retained = Retained { dry_run, ..Retained::default() };
    for repository in store.repositories().await?.iter() {
        if !rules.iter().any(|rule| rule.covers(repository)) {
            continue;
        }
        let (tags, manifests) = match facts(store, repository).await {
            Ok(facts) => facts,
            Err(error) => {
                retained.failed.insert(repository.clone(), chain(&error));
                continue;
            }
        };
        if manifests.is_none() {
            retained.unreadable.push(repository.clone());
        }
        let removals = decide(rules, repository, &tags, manifests.as_ref(), now);
        if removals.is_empty() {
            continue;
        }
        let mut gone = Vec::new();
        // What was pushed since the moment before which it would be old is young again.
        let young = now.saturating_sub(untagged_after(rules, repository)).unwrap_or(Timestamp::MIN);
        for removal in removals {
            let goes = match dry_run {
                true => Ok(true),
                false => remove(store, replication, repository, &removal, young).await,
            };
            match goes {
                Ok(true) => gone.push(removal),
                Ok(false) => {}
                Err(error) => {
                    retained.failed.insert(repository.clone(), chain(&error));
                    break;
                }
            }
        }
        if !gone.is_empty() {
            retained.removals.insert(repository.clone(), gone);
        }
    }
    Ok(retained)
}

/// How old manifests without a tag are that go.
fn untagged_after(rules: &[RetentionRule], repository: &RepositoryName) -> Duration {
    let covering = rules.iter().filter(|rule| rule.covers(repository));
    covering.filter_map(|rule| rule.untagged).next().unwrap_or_default()
}

/// `false`: somebody moved the tag or pushed the manifest since, or relies on it, and it stays.
async fn remove(
    store: &Store,
    replication: &Replication,
    repository: &RepositoryName,
    removal: &Removal,
    young: Timestamp,
) -> Result<bool> {
    let (reference, tags) = match removal {
        Removal::Tag(tag, _) => (Reference::Tag(tag.clone()), vec![tag.clone()]),
        Removal::Manifest(digest) => (Reference::Digest(digest.clone()), Vec::new()),
    };
    // From here on no other region brings the tag back, whatever comes in between.
    replication.removing(repository, &tags).await?;
    let removed = match removal {
        Removal::Tag(tag, target) => store.remove_tag_from(repository, tag, target).await,
        Removal::Manifest(digest) => store.remove_untagged(repository, digest, young).await,
    };
    let is_gone = match removed {
        Err(StoreError::ManifestUnknown(_)) => false,
        other => other?,
    };
    if is_gone {
        replication.deleted(repository, &reference, &tags, &tags, None).await;
    }
    Ok(is_gone)
}

type Facts = (Vec<TagFact>, Option<BTreeMap<Digest, ManifestFact>>);

/// What a repository has; manifests only where all that could keep one could be read.
async fn facts(store: &Store, repository: &RepositoryName) -> Result<Facts> {
    let (mut moved, mut pushed, mut aliases) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut once = BTreeSet::new();
    each_object(store.place(), &format!("{}_manifests/", layout::repository(repository)), |entry| {
        let Meaning::Repository(_, what) = layout::meaning(&entry.path) else { return };
        // What has no time is as young as can be.
        let modified = entry.modified.unwrap_or(Timestamp::MAX);
        match what {
            InRepository::TagCurrent(tag) => {
                moved.insert(tag, modified);
            }
            InRepository::TagOnce(tag, _) => {
                once.insert(tag);
            }
            InRepository::Revision(digest) if digest.algorithm() == Algorithm::Sha256 => {
                pushed.insert(digest, modified);
            }
            InRepository::Revision(digest) => aliases.push(digest),
            _ => {}
        }
    })
    .await?;
    // A tag that has a history and points nowhere is torn, or not listed yet: nobody knows what it keeps.
    let mut all_read = once.iter().all(|tag| moved.contains_key(tag));
    let mut tags = Vec::new();
    for (tag, moved) in moved {
        match store.tag_target(repository, &tag).await? {
            Some(target) => tags.push(TagFact { tag, target, moved }),
            None => all_read = false,
        }
    }
    let mut meant = BTreeMap::new();
    for alias in aliases {
        let bytes = read_bytes(store.place(), &layout::revision(repository, &alias), Freshness::Any).await?;
        let canonical = bytes.and_then(|bytes| link::parse(&bytes).ok());
        meant.extend(canonical.map(|canonical| (alias, canonical)));
    }
    let canonical = |digest: &Digest| meant.get(digest).unwrap_or(digest).clone();
    let mut manifests = BTreeMap::new();
    for (digest, pushed) in pushed {
        let bytes = read_bytes(store.place(), &layout::blob(&digest), Freshness::Any).await;
        let Ok(Some(Ok(manifest))) = bytes.map(|bytes| bytes.map(|bytes| Manifest::stored(&bytes))) else {
            all_read = false;
            continue;
        };
        let children = manifest.children().map(|child| canonical(&child.digest)).collect();
        let subject = manifest.subject.map(|subject| canonical(&subject.digest));
        manifests.insert(digest, ManifestFact { pushed, children, subject });
    }
    Ok((tags, all_read.then_some(manifests)))
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
    fn what_an_attached_tag_names_stays_with_it() {
        let rule = RetentionRule { untagged: Some(Duration::from_secs(86_400)), ..RetentionRule::default() };
        let fallback = format!("sha256-{}", digest("app").hex());
        // A client's own list of what is about an image: an index under a tag, whose children nothing else names.
        let manifests = [
            manifest("app", &[], None),
            manifest("list", &["sbom"], None),
            manifest("sbom", &["part"], None),
            manifest("part", &[], None),
        ];
        let tags = [tag("v1", "app", 1), tag(&fallback, "list", 1)];
        assert_eq!(going(std::slice::from_ref(&rule), &tags, &manifests), []);
        let gone = going(&[rule], &tags[1..], &manifests);
        assert_eq!((gone.len(), tags_of(&gone)), (5, vec![fallback.as_str()]));
    }

    #[test]
    fn an_index_that_was_just_pushed_keeps_children_that_are_old() {
        let rule = RetentionRule { untagged: Some(Duration::from_secs(86_400)), ..RetentionRule::default() };
        let (index, fact) = manifest("index", &["child"], None);
        let young = (index, ManifestFact { pushed: day(100), ..fact });
        assert_eq!(going(&[rule], &[], &[young, manifest("child", &[], None)]), []);
    }

    #[test]
    fn without_all_manifests_only_tags_go() {
        let rule = RetentionRule { keep: Some(0), untagged: Some(Duration::ZERO), ..RetentionRule::default() };
        let removals = decide(&[rule], &"a".parse().unwrap(), &[tag("v1", "1", 1)], None, day(100));
        assert_eq!(tags_of(&removals), ["v1"]);
        assert_eq!(removals.len(), 1);
    }

    #[tokio::test]
    async fn what_a_tag_calls_by_another_digest_has_a_tag() {
        let clock: std::sync::Arc<dyn jeroboam_model::Clock> = std::sync::Arc::new(jeroboam_model::SystemClock);
        let leases = std::sync::Arc::new(crate::leases::Leases::in_memory(clock.clone(), crate::leases::GRACE));
        let blobs = std::sync::Arc::new(jeroboam_blobs::Memory::default());
        let store = Store::new(blobs, clock.clone(), leases, crate::store::StoreConfig::default());
        let name: RepositoryName = "a".parse().unwrap();
        let bytes = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let new = crate::store::NewManifest {
            reference: Reference::Digest(Digest::of(Algorithm::Sha512, bytes)),
            tags: vec!["v1".parse().unwrap()],
            content_type: None,
            condition: crate::store::TagCondition::Always,
            bytes: bytes.as_slice().into(),
        };
        store.put_manifest(&name, new).await.unwrap();
        let after = clock.now().saturating_add(Duration::from_secs(60)).unwrap();
        let all = |keep, untagged| RetentionRule { keep, untagged, ..RetentionRule::default() };
        let untagged = all(None, Some(Duration::ZERO));
        let retained = retain(&store, &Replication::none(), &[untagged], after, true).await.unwrap();
        assert!(retained.removals.is_empty() && retained.unreadable.is_empty(), "{retained:?}");
        let retained = retain(&store, &Replication::none(), &[all(Some(0), None)], after, false).await.unwrap();
        let gone = Removal::Tag("v1".parse().unwrap(), Digest::sha256(bytes));
        assert_eq!(retained.removals.into_values().flatten().collect::<Vec<_>>(), [gone]);
        assert_eq!(store.tag_target(&name, &"v1".parse().unwrap()).await.unwrap(), None);
    }
}
