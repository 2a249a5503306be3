//! Compares what manifests name with what their repositories link.
//!
//! Whoever pulls asks a repository, which gives only what it links, whatever the store has. Caches of other registries are left out: what they lack comes
//! when somebody asks for it, and what others have their manifests could only claim to have.

use std::collections::{BTreeMap, BTreeSet};

use jeroboam_oci::manifest::{Kind, Named, Role};
use jeroboam_oci::{Algorithm, Digest, RepositoryName, Tag};

use super::{Held, Problem, Scan};
use crate::config::Prefix;

impl Scan {
    /// `caches` are those of the configuration: distribution's cache leaves no note of what came from elsewhere.
    pub(super) fn judge_links(&mut self, caches: &[Prefix]) {
        let mut found = Vec::new();
        for (name, held) in &self.repositories {
            // What has the very name below which a cache lies is none of it.
            if !self.caches.contains(name) && !caches.iter().any(|prefix| prefix.is_above(name.as_str())) {
                self.look_for_links(name, held, &mut found);
            }
        }
        self.problems.extend(found);
    }

    /// Each manifest is looked at once, and each link is told once: for the first tag that needs it.
    fn look_for_links(&self, repository: &RepositoryName, held: &Held, found: &mut Vec<Problem>) {
        let (mut seen, mut told) = (BTreeSet::new(), BTreeSet::new());
        for (tag, root) in roots(held) {
            let mut pending = vec![root];
            while let Some(digest) = pending.pop() {
                let Some(Ok(manifest)) = self.manifests.get(digest) else { continue };
                // Hardly anybody pulls Docker's first form any more.
                if manifest.kind() == Kind::Schema1 || !seen.insert(digest) {
                    continue;
                }
                for named in manifest.references.iter().filter(|named| !named.is_elsewhere()) {
                    let part = self.meant(&named.descriptor.digest);
                    // What is not in the store is told by other problems, or never was there.
                    if !self.blobs.contains_key(part) {
                        continue;
                    }
                    let lacking = self.lacking_of(held, named);
                    let is_manifest = named.role == Role::Child;
                    if is_manifest {
                        if lacking.is_some() && !self.belongs(held, &named.descriptor.digest) {
                            continue;
                        }
                        pending.push(part);
                    }
                    if let Some(digest) = lacking
                        && told.insert((digest, is_manifest))
                    {
                        found.push(Problem::PartWithoutLink {
                            repository: repository.clone(),
                            tag: tag.cloned(),
                            manifest: root.clone(),
                            digest: digest.clone(),
                            is_manifest,
                        });
                    }
                }
            }
        }
    }

    /// The link that a repository lacks to give a part of a manifest.
    fn lacking_of<'a>(&'a self, held: &Held, named: &'a Named) -> Option<&'a Digest> {
        let digest = &named.descriptor.digest;
        let lacking = self.lacking(&held.layers, digest)?;
        match named.role {
            Role::Config | Role::Layer => Some(lacking),
            // Old stores have some that are linked only as blobs are.
            Role::Child => self.lacking(&held.revisions, digest),
        }
    }

    /// Which of these links is missing to find something: the one under the digest that is asked for, or the one under the store's own.
    fn lacking<'a>(&'a self, links: &BTreeMap<Digest, u64>, named: &'a Digest) -> Option<&'a Digest> {
        [named, self.meant(named)].into_iter().find(|digest| !links.contains_key(*digest))
    }

    /// Whether a repository once had a manifest that an index of it names: its link is torn, or all that it names is there. An index may also name manifests
    /// of platforms that nobody has copied; one that only another repository has is not to be given here.
    fn belongs(&self, held: &Held, named: &Digest) -> bool {
        let own = self.meant(named);
        if held.torn.contains(named) || held.torn.contains(own) {
            return true;
        }
        let Some(Ok(manifest)) = self.manifests.get(own) else { return false };
        let mut parts = manifest.references.iter().filter(|part| !part.is_elsewhere()).peekable();
        parts.peek().is_some() && parts.all(|part| self.lacking_of(held, part).is_none())
    }
}

/// The manifests that a repository has, those of tags first.
fn roots(held: &Held) -> impl Iterator<Item = (Option<&Tag>, &Digest)> {
    let tagged = held.targets.iter().map(|(tag, manifest)| (Some(tag), manifest));
    // What is torn is about to be mended.
    let linked = held.revisions.keys().chain(&held.torn).filter(|digest| digest.algorithm() == Algorithm::Sha256);
    tagged.chain(linked.map(|manifest| (None, manifest)))
}
