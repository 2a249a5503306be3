//! Copies repositories from one place to another once: those that a policy names, and of each what is not there yet.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};

use crate::client::{ClientError, PutCondition, Result};
use crate::copy::{Attached, Copy, Tally};
use crate::images::Images;
use crate::pattern;

/// Tags of one repository that are copied at once.
const AT_ONCE: usize = 4;

/// What is copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Repositories; `*` stands for anything in one part of a name, `**` for any parts.
    pub repositories: Vec<String>,
    /// Tags, with `*` for anything; all, where there is none. Those that belong to what they point to, such as `sha256-….sig`, come along.
    pub tags: Vec<String>,
    /// Tags that are left out, with `*` for anything.
    pub not_tags: Vec<String>,
    /// What is taken away from the beginning of the names.
    pub strip: Option<RepositoryName>,
    /// What is put before the names.
    pub prefix: Option<RepositoryName>,
    /// Whether what is about an image is left behind.
    pub without_referrers: bool,
    /// Whether tags that the source has no more are removed.
    pub delete: bool,
}

/// One tag that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The repository of the source.
    pub from: RepositoryName,
    /// The repository that gets it.
    pub to: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What it gets; nothing where it is removed.
    pub digest: Option<Digest>,
}

/// What differs.
#[derive(Debug, Default)]
pub struct Plan {
    /// Tags that differ.
    pub steps: Vec<Step>,
    /// Tags that do not.
    pub same: usize,
    /// Repositories of the source about which nothing is known, and why: nothing is copied of them, and nothing removed.
    pub unread: Vec<(RepositoryName, ClientError)>,
    /// Tags that belong to manifests, by repository of the source.
    attached: BTreeMap<RepositoryName, Attached>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Synced {
    /// Tags that were the same already.
    pub same: usize,
    /// Repositories of the source about which nothing is known, and why.
    pub unread: Vec<(RepositoryName, ClientError)>,
    /// Tags that were moved or removed.
    pub done: Vec<Step>,
    /// Tags that could not be, and why.
    pub failed: Vec<(Step, ClientError)>,
    /// What was sent.
    pub tally: Tally,
}

/// From where to where.
pub struct Sync<'a> {
    /// Who has the images.
    pub from: &'a dyn Images,
    /// Who is to have them.
    pub to: &'a dyn Images,
    /// What is copied.
    pub policy: &'a Policy,
    /// Told before every tag: its number, and how many there are.
    pub progress: &'a (dyn Fn(usize, usize, &Step) + std::marker::Sync),
}

impl Sync<'_> {
    /// What differs. Changes nothing.
    pub async fn plan(&self) -> Result<Plan> {
        let mut plan = Plan::default();
        for from in self.repositories().await? {
            let Some(to) = self.policy.name_there(&from) else { continue };
            match self.compare_all(&from, &to).await {
                Ok((steps, same, attached)) => {
                    plan.steps.extend(steps);
                    plan.same += same;
                    plan.attached.insert(from, attached);
                }
                Err(error) => plan.unread.push((from, error)),
            }
        }
        Ok(plan)
    }

    /// What differs in one repository, how many tags do not, and which belong to manifests.
    async fn compare_all(&self, from: &RepositoryName, to: &RepositoryName) -> Result<(Vec<Step>, usize, Attached)> {
        let (mut steps, mut same) = (Vec::new(), 0);
        // One that is gone or hidden is not one without tags: all that is there would be removed.
        let known = match self.from.tags(from).await? {
            Some(tags) => tags,
            // Some list repositories that have no tag, and do not know them then.
            None if self.policy.has_patterns() && !self.policy.delete => Vec::new(),
            None => return Err(ClientError::Source(format!("{} has no repository {from}", self.from.name()))),
        };
        let attached = self.policy.attached_among(&known);
        let mut tags: BTreeSet<Tag> = known.into_iter().filter(|tag| self.policy.wants(tag)).collect();
        let mut left: Vec<Tag> = tags.iter().cloned().collect();
        // What belongs to an image may be new although the image is not.
        while !left.is_empty() {
            let compared = stream::iter(&left).map(|tag| self.compare(from, to, tag)).buffered(AT_ONCE);
            let compared: Vec<_> = compared.collect().await;
            left.clear();
            for outcome in compared {
                let Some((step, is_same)) = outcome? else {
                    same += 1;
                    continue;
                };
                let belong = step.digest.iter().flat_map(|digest| attached.to(digest));
                left.extend(belong.filter(|tag| tags.insert((*tag).clone())).cloned());
                if is_same {
                    same += 1;
                } else {
                    steps.push(step);
                }
            }
        }
        if self.policy.delete {
            let there = self.to.tags(to).await?.unwrap_or_default();
            let gone = there.into_iter().filter(|tag| self.policy.wants(tag) && !tags.contains(tag));
            steps.extend(gone.map(|tag| Step { from: from.clone(), to: to.clone(), tag, digest: None }));
        }
        Ok((steps, same, attached))
    }

    /// Copies what differs. What fails does not stop the rest.
    pub async fn run(&self) -> Result<Synced> {
        let Plan { steps, same, unread, attached } = self.plan().await?;
        let none = Attached::default();
        let mut synced = Synced { same, unread, ..Synced::default() };
        let total = steps.len();
        for (number, step) in steps.into_iter().enumerate() {
            (self.progress)(number + 1, total, &step);
            match self.step(&step, attached.get(&step.from).unwrap_or(&none), &synced.tally).await {
                Ok(()) => synced.done.push(step),
                Err(error) => synced.failed.push((step, error)),
            }
        }
        Ok(synced)
    }

    async fn repositories(&self) -> Result<Vec<RepositoryName>> {
        // Names without a star need no list, which not every registry gives to everybody.
        if !self.policy.has_patterns() {
            return Ok(self.policy.repositories.iter().filter_map(|name| name.parse().ok()).collect());
        }
        let all = self.from.repositories().await?;
        let wanted =
            |name: &RepositoryName| self.policy.repositories.iter().any(|pattern| matches_name(pattern, name.as_str()));
        Ok(all.into_iter().filter(wanted).collect())
    }

    /// What a tag gets, and whether it has it with what is about it; nothing where the source has it no more.
    async fn compare(&self, from: &RepositoryName, to: &RepositoryName, tag: &Tag) -> Result<Option<(Step, bool)>> {
        let reference = Reference::Tag(tag.clone());
        let Some(here) = self.from.head(from, &reference).await? else { return Ok(None) };
        let there = self.to.head(to, &reference).await?;
        let same = there.is_some_and(|there| there.digest == here.digest)
            && (self.policy.without_referrers || self.has_referrers(from, to, &here.digest).await?);
        let step = Step { from: from.clone(), to: to.clone(), tag: tag.clone(), digest: Some(here.digest) };
        Ok(Some((step, same)))
    }

    /// Whether the target has all that the source says is about a manifest.
    async fn has_referrers(&self, from: &RepositoryName, to: &RepositoryName, digest: &Digest) -> Result<bool> {
        for referrer in self.from.referrers(from, digest).await? {
            if self.to.head(to, &Reference::Digest(referrer.digest)).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn step(&self, step: &Step, attached: &Attached, tally: &Tally) -> Result<()> {
        let Some(digest) = &step.digest else { return self.to.delete_tag(&step.to, &step.tag).await };
        let copy = Copy {
            from: self.from,
            from_repository: &step.from,
            to: self.to,
            to_repository: &step.to,
            mount_from: &[],
            referrers: !self.policy.without_referrers,
            attached,
            stamp: None,
            tally,
        };
        let raw = copy.closure(digest).await?;
        let gone = || ClientError::Source(format!("{} has no {digest} in {} any more", self.from.name(), step.from));
        let raw = raw.ok_or_else(gone)?;
        self.to.put_manifest(&step.to, Some(&step.tag), &raw, &PutCondition::Always, None).await
    }
}

impl Policy {
    fn has_patterns(&self) -> bool {
        self.repositories.iter().any(|pattern| pattern.contains('*'))
    }

    fn wants(&self, tag: &Tag) -> bool {
        (self.tags.is_empty() || is_one_of(tag, &self.tags)) && !is_one_of(tag, &self.not_tags)
    }

    /// Those of these tags that come along with the manifests that they belong to.
    fn attached_among(&self, tags: &[Tag]) -> Attached {
        let comes_along = |tag: &&Tag| !self.without_referrers && !is_one_of(tag, &self.not_tags);
        Attached::among(tags.iter().filter(comes_along))
    }

    /// The name of a repository there; none where what is to be taken away is not there.
    fn name_there(&self, from: &RepositoryName) -> Option<RepositoryName> {
        let rest = match &self.strip {
            None => from.as_str(),
            Some(strip) => from.as_str().strip_prefix(strip.as_str())?.strip_prefix('/')?,
        };
        match &self.prefix {
            None => rest.parse().ok(),
            Some(prefix) => format!("{prefix}/{rest}").parse().ok(),
        }
    }
}

fn is_one_of(tag: &Tag, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| pattern::matches(pattern, tag.as_str()))
}

/// Whether a name is as a pattern says, part by part.
fn matches_name(pattern: &str, name: &str) -> bool {
    fn parts(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), _) => (0..=name.len()).any(|skip| parts(rest, &name[skip..])),
            (Some((first, rest)), Some((part, others))) => pattern::matches(first, part) && parts(rest, others),
            _ => false,
        }
    }
    parts(&pattern.split('/').collect::<Vec<_>>(), &name.split('/').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bed::{Server, Wanted, by_tag, image, index, name, push, serves, tag};
    use crate::client::RawManifest;

    #[test]
    fn patterns_match_parts_and_tags() {
        for (pattern, text, is) in [
            ("team/app", "team/app", true),
            ("team/*", "team/app", true),
            ("team/*", "team/app/x", false),
            ("team/**", "team/app/x", true),
            ("team/**", "team", true),
            ("**", "a/b/c", true),
            ("**/app", "a/b/app", true),
            ("*", "a/b", false),
            ("te*m/a*p*", "team/app", true),
            ("te*m/a*p*", "team/aq", false),
        ] {
            assert_eq!(matches_name(pattern, text), is, "{pattern} {text}");
        }
        assert!(pattern::matches("v1.*", "v1.20") && pattern::matches("*-rc*", "v1-rc3") && pattern::matches("*", ""));
        assert!(!pattern::matches("v1.*", "v2.1") && !pattern::matches("", "x"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_policy_names_is_copied_and_nothing_else() {
        let (from, to) = (Server::start(Wanted::default()).await, Server::start(Wanted::default()).await);
        let (one, two) = (image("one", None), image("two", None));
        for (repository, label, image) in [
            ("team/app", "v1", &one),
            ("team/app", "v2", &two),
            ("team/app", "v2-rc1", &one),
            ("team/app", "latest", &two),
            ("other/app", "v1", &one),
        ] {
            push(&from, repository, Some(label), image).await.unwrap();
        }
        let policy = Policy {
            repositories: vec!["team/**".to_owned()],
            tags: vec!["v*".to_owned()],
            not_tags: vec!["*-rc*".to_owned()],
            strip: Some(name("team")),
            prefix: Some(name("copies")),
            delete: true,
            ..Policy::default()
        };
        let (source, target) = (from.remote(), to.remote());
        let sync = Sync { from: &source, to: &target, policy: &policy, progress: &|_, _, _| {} };
        let plan = sync.plan().await.unwrap();
        assert_eq!((plan.steps.len(), plan.same), (2, 0));
        assert_eq!(to.remote().repositories().await.unwrap(), []);
        let synced = sync.run().await.unwrap();
        assert_eq!((synced.done.len(), synced.failed.len(), synced.tally.manifests()), (2, 0, 2));
        assert!(serves(&to, "copies/app", "v1", &one).await && serves(&to, "copies/app", "v2", &two).await);
        assert_eq!(to.local().tags(&name("copies/app")).await.unwrap().unwrap().len(), 2);

        push(&to, "copies/app", Some("v0"), &one).await.unwrap();
        push(&to, "copies/app", Some("mine"), &one).await.unwrap();
        push(&from, "team/app", Some("v1"), &two).await.unwrap();
        let synced = sync.run().await.unwrap();
        let done: Vec<_> = synced.done.iter().map(|step| (step.tag.clone(), step.digest.is_some())).collect();
        assert_eq!((done, synced.same), (vec![(tag("v1"), true), (tag("v0"), false)], 1));
        let left = to.local().tags(&name("copies/app")).await.unwrap();
        assert_eq!(left.unwrap(), [tag("mine"), tag("v1"), tag("v2")]);
    }

    async fn copied(from: &Server, to: &Server, policy: &Policy) -> Synced {
        let (source, target) = (from.remote(), to.remote());
        Sync { from: &source, to: &target, policy, progress: &|_, _, _| {} }.run().await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn signatures_under_tags_come_along_with_what_they_sign() {
        let (from, to) = (Server::start(Wanted::default()).await, Server::start(Wanted::default()).await);
        let (one, child, signature) = (image("one", None), image("child", None), image("signature", None));
        let tag_of = |raw: &RawManifest, what: &str| format!("sha256-{}.{what}", raw.digest.hex());
        let (of_one, of_child) = (tag_of(&one.manifest, "sig"), tag_of(&child.manifest, "att"));
        let of_signature = tag_of(&signature.manifest, "sbom");
        for (label, image) in [
            (Some("v1"), &one),
            (None, &child),
            (Some(&*of_one), &signature),
            (Some(&*of_child), &child),
            (Some(&*of_signature), &one),
            (Some("other"), &one),
        ] {
            push(&from, "team/app", label, image).await.unwrap();
        }
        let (all, app, always) = (index(&[&child.manifest]), name("team/app"), PutCondition::Always);
        from.remote().put_manifest(&app, Some(&tag("v2")), &all, &always, None).await.unwrap();
        let policy = Policy {
            repositories: vec!["team/app".to_owned()],
            tags: vec!["v*".to_owned()],
            delete: true,
            ..Policy::default()
        };
        from.faults.asked("");
        let synced = copied(&from, &to, &policy).await;
        assert_eq!((synced.failed.len(), from.faults.asked("/tags/list").len()), (0, 1), "one list for all images");
        for (label, image) in [("v1", &one), (&*of_one, &signature), (&*of_child, &child), (&*of_signature, &one)] {
            assert!(serves(&to, "team/app", label, image).await, "{label}");
        }
        assert_eq!(to.local().tags(&app).await.unwrap().unwrap().len(), 5, "and v2");
        // What is signed later is found although the image is there.
        let later = tag_of(&one.manifest, "att");
        push(&from, "team/app", Some(&later), &child).await.unwrap();
        let synced = copied(&from, &to, &policy).await;
        assert_eq!(synced.done.iter().map(|step| step.tag.as_str()).collect::<Vec<_>>(), [later.as_str()]);
        assert!(serves(&to, "team/app", &later, &child).await);
        // And nothing of all that where it is to be left behind.
        let bare = Policy { without_referrers: true, prefix: Some(name("bare")), ..policy };
        copied(&from, &to, &bare).await;
        assert_eq!(to.local().tags(&name("bare/team/app")).await.unwrap(), Some(vec![tag("v1"), tag("v2")]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_about_an_image_comes_although_the_image_is_there() {
        let (from, to) = (Server::start(Wanted::default()).await, Server::start(Wanted::default()).await);
        let one = image("one", None);
        push(&from, "team/app", Some("v1"), &one).await.unwrap();
        let policy = Policy { repositories: vec!["team/app".to_owned()], ..Policy::default() };
        assert_eq!(copied(&from, &to, &policy).await.done.len(), 1);
        let later = image("later", Some(&one.manifest));
        push(&from, "team/app", None, &later).await.unwrap();
        let bare = Policy { without_referrers: true, ..policy.clone() };
        assert_eq!(copied(&from, &to, &bare).await.same, 1);
        let synced = copied(&from, &to, &policy).await;
        assert_eq!((synced.done.len(), synced.failed.len(), synced.tally.manifests()), (1, 0, 1));
        let about = to.remote().referrers(&name("team/app"), &one.manifest.digest).await.unwrap();
        assert_eq!(about.into_iter().map(|about| about.digest).collect::<Vec<_>>(), [later.manifest.digest]);
        from.faults.asked("");
        let synced = copied(&from, &to, &policy).await;
        assert_eq!((synced.done.len(), synced.same), (0, 1));
        assert_eq!(from.faults.asked("/referrers/").len(), 1, "one question");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_tag_of_a_part_that_points_to_the_whole_comes_when_that_is_there() {
        let (from, to) = (Server::start(Wanted::default()).await, Server::start(Wanted::default()).await);
        let (one, two) = (image("one", None), image("two", None));
        for image in [&one, &two] {
            push(&from, "team/app", None, image).await.unwrap();
        }
        let (all, app) = (index(&[&one.manifest, &two.manifest]), name("team/app"));
        let labels = ["v1".to_owned(), format!("sha256-{}.sig", one.manifest.digest.hex())];
        for label in &labels {
            let put = from.remote().put_manifest(&app, Some(&tag(label)), &all, &PutCondition::Always, None).await;
            put.unwrap();
        }
        let (repositories, tags) = (vec!["team/app".to_owned()], vec!["v*".to_owned()]);
        let synced = copied(&from, &to, &Policy { repositories, tags, ..Policy::default() }).await;
        assert!(synced.failed.is_empty(), "{:?}", synced.failed);
        for label in &labels {
            let found = to.remote().manifest(&app, &by_tag(label)).await.unwrap();
            assert_eq!(found.as_ref(), Some(&all), "{label}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_removed_where_the_source_does_not_say_what_it_has() {
        let (from, to) = (Server::start(Wanted::default()).await, Server::start(Wanted::default()).await);
        let one = image("one", None);
        for repository in ["team/app", "team/gone", "team/hidden"] {
            push(&to, repository, Some("v1"), &one).await.unwrap();
            push(&to, repository, Some("v2"), &one).await.unwrap();
        }
        push(&from, "team/app", Some("v1"), &one).await.unwrap();
        push(&from, "team/hidden", Some("v1"), &one).await.unwrap();
        let repositories = ["team/app", "team/gone", "team/hidden"].map(str::to_owned).to_vec();
        let policy = Policy { repositories, delete: true, ..Policy::default() };
        let (source, target) = (from.remote(), to.remote());
        from.faults.refuse("team/hidden/tags", http::StatusCode::FORBIDDEN, "");
        let synced = Sync { from: &source, to: &target, policy: &policy, progress: &|_, _, _| {} }.run().await.unwrap();
        let unread: Vec<_> = synced.unread.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(unread, ["team/gone", "team/hidden"]);
        let done: Vec<_> = synced.done.iter().map(|step| (step.to.as_str(), step.tag.clone())).collect();
        assert_eq!(done, [("team/app", tag("v2"))]);
        for repository in ["team/gone", "team/hidden"] {
            assert_eq!(to.local().tags(&name(repository)).await.unwrap(), Some(vec![tag("v1"), tag("v2")]));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_fails_does_not_stop_the_rest() {
        let (from, to) = (Server::start(Wanted::default()).await, Server::start(Wanted::default()).await);
        let (one, two) = (image("one", None), image("two", None));
        push(&from, "team/app", Some("v1"), &one).await.unwrap();
        push(&from, "team/app", Some("v2"), &two).await.unwrap();
        let path = jeroboam_oci::layout::blob(&one.blobs[1].0);
        from.blobs.delete(&[path]).await.unwrap();
        from.store.forget_blobs(&[one.blobs[1].0.clone()]).await;
        let policy = Policy { repositories: vec!["team/app".to_owned()], ..Policy::default() };
        let (source, target) = (from.remote(), to.remote());
        let synced = Sync { from: &source, to: &target, policy: &policy, progress: &|_, _, _| {} }.run().await.unwrap();
        assert_eq!((synced.done.len(), synced.failed.len()), (1, 1), "{:?}", synced.failed);
        assert_eq!(synced.failed[0].0.tag, tag("v1"));
        assert!(serves(&to, "team/app", "v2", &two).await);
    }
}
