//! Leaves out of a record what the rows say already. Looking at a settled cluster should write nothing.

use jeroboam_store::{ClusterSeen, GroupSeen, Loaded, Recorded};

/// What of `recorded` is news; `None` when nothing is.
pub(crate) fn trim(recorded: Recorded, loaded: &Loaded) -> Option<Recorded> {
    let Loaded { view, work, .. } = loaded;
    let is_news = |seen: &GroupSeen| {
        let before = view.groups.iter().find(|group| group.id == seen.id);
        before.is_none_or(|group| GroupSeen::from(group) != *seen)
    };
    let news = Recorded {
        cluster: recorded.cluster.filter(|seen| ClusterSeen::from(&view.cluster) != *seen),
        groups: recorded.groups.into_iter().filter(is_news).collect(),
        operation: recorded.operation.filter(|operation| *operation != work.operation),
        deadline: recorded.deadline.filter(|deadline| *deadline != work.deadline),
        attempts: recorded.attempts.filter(|attempts| *attempts != work.attempts),
        progress: recorded.progress.filter(|progress| *progress != work.progress),
        removals: recorded.removals.filter(|removals| *removals != work.removals),
        removed_groups: recorded.removed_groups,
        secrets: recorded.secrets,
    };
    let nothing = news.cluster.is_none()
        && news.groups.is_empty()
        && news.removed_groups.is_empty()
        && news.operation.is_none()
        && news.deadline.is_none()
        && news.attempts.is_none()
        && news.progress.is_none()
        && news.removals.is_none()
        && news.secrets.is_empty();
    (!nothing).then_some(news)
}

#[cfg(test)]
mod tests {
    use jeroboam_model::{Operation, Status};

    use super::*;
    use crate::samples;

    #[test]
    fn what_is_known_already_is_not_written_again() {
        let view = samples::view(Status::CREATE_COMPLETE);
        let work = samples::work(view.cluster.id, Operation::Observe);
        let loaded = Loaded { view: view.clone(), work: work.clone(), template: None };
        let same = || Recorded {
            cluster: Some(ClusterSeen::from(&view.cluster)),
            groups: view.groups.iter().map(GroupSeen::from).collect(),
            operation: Some(work.operation),
            deadline: Some(work.deadline),
            attempts: Some(work.attempts),
            progress: Some(work.progress.clone()),
            removals: Some(work.removals.clone()),
            ..Recorded::default()
        };
        assert!(trim(same(), &loaded).is_none());

        let mut other = same();
        other.groups[1].node_addresses = vec!["10.0.0.7".into()];
        let news = trim(other, &loaded).expect("an address is news");
        assert!(news.cluster.is_none() && news.groups.len() == 1);
        assert!(trim(Recorded { attempts: Some(1), ..same() }, &loaded).is_some());
        assert!(trim(Recorded { removed_groups: vec![view.groups[1].id], ..same() }, &loaded).is_some());
    }
}
