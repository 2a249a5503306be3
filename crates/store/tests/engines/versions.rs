//! What is remembered is shown for as long as it holds, and no longer: one store writes, another one shows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::{
    CertificateRefs, ClusterId, ClusterTemplate, ClusterWithGroups, HealthStatus, KeyPairId, Operation, Page, Scope,
    ShownCluster, Status,
};
use jeroboam_store::testing::{Engine, TestDatabase, behind_our_back, texts};
use jeroboam_store::{
    Acceptance, ClusterSeen, GroupSeen, Ident, Recorded, Store, TemplateDeletion, TemplateUpdate, samples,
};

use tokio::task::JoinSet;

use super::create;

const TTL: Duration = Duration::from_secs(10);

/// A store that writes, another that shows, and what tells whether it shows what is there.
struct Pair {
    db: TestDatabase,
    writer: Store,
    reader: Store,
}

impl Pair {
    async fn new(db: TestDatabase) -> Self {
        let (writer, reader) = (db.store().await, db.bare().await);
        Self { db, writer, reader }
    }

    /// What the reader shows must be what one shows that remembers nothing. What it shows a second time is remembered.
    async fn agree(&self, what: &str) {
        for _ in 0..2 {
            let stranger = self.db.bare().await;
            let (clusters, templates) = everything(&stranger).await;
            assert_eq!(everything(&self.reader).await, (clusters.clone(), templates.clone()), "{what}");
            for cluster in clusters {
                let by_id = Ident::Id(cluster.cluster.id.uuid());
                let shown = self.reader.shown_cluster(&by_id, &Scope::All).await.expect("read");
                assert_eq!(shown.as_ref(), Some(&cluster), "{what}");
            }
            for template in templates {
                let by_name = Ident::template(template.name.as_deref().expect("a name"));
                let shown = self.reader.shown_template(&by_name, &Scope::All).await.expect("read");
                assert_eq!(shown.as_ref(), Some(&template), "{what}");
            }
            stranger.close().await;
        }
        let (once, twice) = (everything(&self.reader).await, everything(&self.reader).await);
        let clusters = once.0.iter().zip(&twice.0).filter(|(one, _)| !one.groups.is_empty());
        assert!(clusters.clone().all(|(a, b)| Arc::ptr_eq(a, b)), "{what}: a cluster is not remembered");
        assert!(once.1.iter().zip(&twice.1).all(|(a, b)| Arc::ptr_eq(a, b)), "{what}: a template is not remembered");
    }

    async fn accept(&self, was: &ClusterWithGroups, change: Acceptance, what: &str) -> ClusterWithGroups {
        let now = self.writer.accept(was, change).await.expect("an answer").expect("accepted");
        self.agree(what).await;
        now
    }
}

async fn everything(store: &Store) -> (Vec<Arc<ShownCluster>>, Vec<Arc<ClusterTemplate>>) {
    let (scope, page) = (Scope::All, Page::first(50));
    let clusters = store.shown_clusters(&scope, &page).await.expect("listed");
    (clusters, store.templates(&scope, &page).await.expect("listed"))
}

fn update(status: Status) -> Acceptance {
    Acceptance::of(Operation::Update, status, samples::noon())
}

/// All times are the same second, as they are where many things happen at once: only versions can tell.
async fn at_noon(db: TestDatabase) -> Pair {
    let pair = Pair::new(db).await;
    let clock = Arc::new(jeroboam_model::ManualClock::at(samples::noon()));
    Pair { writer: pair.writer.with_clock(clock), ..pair }
}

pub(crate) async fn what_a_request_writes_is_shown_at_once(db: TestDatabase) {
    let pair = at_noon(db).await;
    let (writer, running) = (&pair.writer, Status::UPDATE_IN_PROGRESS);
    let template = writer.create_template(&samples::template("p1", "small")).await.expect("a template");
    pair.agree("a new template").await;
    let other = writer.create_template(&samples::template("p1", "next")).await.expect("a template");
    pair.agree("another template").await;
    let view = create(writer, samples::new_cluster(&template, "p1", "first")).await;
    pair.agree("a new cluster").await;
    create(writer, samples::new_cluster(&template, "p2", "second")).await;
    pair.agree("another cluster").await;

    // The status is what it was from here on, and so is the time.
    let view = pair.accept(&view, update(running), "an update").await;
    let mut worker = view.groups[1].clone();
    worker.node_count += 1;
    let view = pair.accept(&view, Acceptance { changed_groups: vec![worker], ..update(running) }, "a resize").await;
    let gpu = samples::group(&view.cluster, "gpu", "worker", 1);
    let view = pair.accept(&view, Acceptance { added_groups: vec![gpu], ..update(running) }, "a new group").await;
    let mut gpu = view.groups[2].clone();
    gpu.status = Status::DELETE_IN_PROGRESS;
    let view = pair.accept(&view, Acceptance { changed_groups: vec![gpu], ..update(running) }, "a group to go").await;
    let labels = Some([("kube_tag", "v1.34.0")].into_iter().collect());
    let upgrade = Acceptance { template: Some(other.id), labels, ..update(running) };
    let view = pair.accept(&view, upgrade, "an upgrade").await;
    let certificates = Some(CertificateRefs { ca: Some(KeyPairId::random().into()), ..CertificateRefs::default() });
    let view = pair.accept(&view, Acceptance { certificates, ..update(running) }, "a rotation").await;
    let reason: BTreeMap<_, _> = [("api".to_owned(), "ok".to_owned())].into();
    let healthy = Some(HealthStatus::Healthy);
    assert!(writer.set_health(&view.cluster, healthy, reason).await.expect("an answer"));
    pair.agree("health").await;
    let delete = Acceptance::of(Operation::Delete, Status::DELETE_IN_PROGRESS, samples::noon());
    let view = writer.accept(&view, delete).await.expect("an answer");
    assert!(view.is_some());
    pair.agree("a deletion").await;
}

pub(crate) async fn what_a_reconciler_writes_is_shown_at_once(db: TestDatabase) {
    let pair = at_noon(db).await;
    let writer = &pair.writer;
    let template = writer.create_template(&samples::template("p1", "small")).await.expect("a template");
    let view = create(writer, samples::new_cluster(&template, "p1", "first")).await;
    create(writer, samples::new_cluster(&template, "p1", "second")).await;
    pair.agree("two clusters").await;
    let lease = writer.claim(view.cluster.id, "us", samples::noon(), TTL).await.expect("an answer").expect("claimed");
    let record = async |what: &str, seen: Recorded| {
        assert!(writer.record(&lease, 1, seen).await.expect("an answer"), "{what}");
        pair.agree(what).await;
    };
    let address = Some("https://10.0.0.1:6443".to_owned());
    let seen = ClusterSeen { api_address: address, ..ClusterSeen::from(&view.cluster) };
    record("the first report", Recorded { cluster: Some(seen.clone()), ..Recorded::default() }).await;
    let seen = ClusterSeen { coe_version: Some("v1.33.4".to_owned()), ..seen };
    record("a version", Recorded { cluster: Some(seen), ..Recorded::default() }).await;
    let group = GroupSeen { node_addresses: vec!["10.0.0.7".to_owned()], ..GroupSeen::from(&view.groups[1]) };
    record("addresses of a group", Recorded { groups: vec![group.clone()], ..Recorded::default() }).await;
    let group = GroupSeen { node_count: Some(5), ..group };
    record("a count of a group", Recorded { groups: vec![group], ..Recorded::default() }).await;
    record("nothing", Recorded::default()).await;
    record("a group less", Recorded { removed_groups: vec![view.groups[1].id], ..Recorded::default() }).await;
    assert!(writer.note_unreadable(&lease, "a bad row").await.expect("an answer"));
    pair.agree("a note").await;
    assert!(writer.forget(&lease, 1, false).await.expect("an answer"));
    pair.agree("a cluster less").await;
    let gone = Ident::Id(view.cluster.id.uuid());
    assert_eq!(pair.reader.shown_cluster(&gone, &Scope::All).await.expect("read"), None);
    for table in ["cluster", "template"] {
        let text = if pair.db.engine == Engine::MariaDb { "CHAR" } else { "TEXT" };
        let rows = texts(writer, &format!("SELECT CAST(id AS {text}) FROM jeroboam_{table}_version")).await;
        assert_eq!(rows.len(), 1, "what is gone leaves no version");
    }
}

pub(crate) async fn what_is_written_of_templates_is_shown_at_once(db: TestDatabase) {
    let pair = at_noon(db).await;
    let writer = &pair.writer;
    let template = writer.create_template(&samples::template("p1", "small")).await.expect("a template");
    create(writer, samples::new_cluster(&template, "p1", "first")).await;
    pair.agree("a template and its cluster").await;
    let read = async || writer.template_unfiltered(template.id).await.expect("read").expect("there");
    for (what, change) in [
        ("another name", (|template| template.name = Some("big".to_owned())) as fn(&mut ClusterTemplate)),
        ("a public one", |template| template.public = true),
        ("tags", |template| template.tags = Some("a,b".to_owned())),
        // Nothing that the API lets happen to a template that is followed; a cluster's view would tell it.
        ("other labels", |template| template.labels = [("kube_tag", "v1.35.0")].into_iter().collect()),
    ] {
        let was = read().await;
        let mut now = was.clone();
        change(&mut now);
        assert_eq!(writer.update_template(&was, &now, true).await.expect("an answer"), TemplateUpdate::Written);
        pair.agree(what).await;
    }
    let hidden = Scope::Project("p9".into());
    let page = Page::first(9);
    assert_eq!(pair.reader.templates(&hidden, &page).await.expect("listed").len(), 1);
    let was = read().await;
    let now = ClusterTemplate { hidden: true, ..was.clone() };
    writer.update_template(&was, &now, true).await.expect("written");
    assert_eq!(pair.reader.templates(&hidden, &page).await.expect("listed").len(), 0, "nobody else's any more");
    let by_id = Ident::Id(template.id.uuid());
    assert_eq!(pair.reader.shown_template(&by_id, &hidden).await.expect("read"), None);
    let free = writer.create_template(&samples::template("p1", "free")).await.expect("a template");
    pair.agree("a free one").await;
    assert_eq!(writer.delete_template(&free).await.expect("an answer"), TemplateDeletion::Deleted);
    pair.agree("a free one less").await;
}

pub(crate) async fn a_database_that_was_away_shows_what_became_of_it(db: TestDatabase) {
    let pair = at_noon(db).await;
    let (writer, later) = (&pair.writer, |seconds| samples::noon() + Duration::from_secs(seconds));
    let template = writer.create_template(&samples::template("p1", "small")).await.expect("a template");
    let view = create(writer, samples::new_cluster(&template, "p1", "first")).await;
    let stranger = create(writer, samples::new_cluster(&template, "p1", "another's")).await;
    pair.agree("two clusters").await;
    assert!(writer.hand_back(later(1), true, false).await.expect("an answer").done);
    pair.agree("handed back").await;
    let id = view.cluster.id;
    behind_our_back(writer, &format!("UPDATE nodegroup SET node_count = 9 WHERE cluster_id = '{id}'")).await;
    behind_our_back(writer, &format!("DELETE FROM jeroboam_cluster WHERE cluster = '{}'", stranger.cluster.id)).await;
    assert!(writer.adopt(later(2), true).await.expect("an answer").done);
    pair.agree("adopted again").await;
    let shown = pair.reader.shown_cluster(&Ident::Id(id.uuid()), &Scope::All).await.expect("read").expect("there");
    assert_eq!(shown.worker_count(), 9);
    assert!(writer.forget_record(&stranger).await.expect("an answer"));
    pair.agree("another's record less").await;
    assert!(writer.hand_back(later(3), true, true).await.expect("an answer").done);
    assert!(writer.adopt(later(4), true).await.expect("an answer").done);
    pair.agree("adopted with tables that are new").await;
}

/// An operator, or a release of ours that knows no versions.
pub(crate) async fn what_others_write_is_shown_within_seconds(db: TestDatabase) {
    let pair = Pair::new(db).await;
    let writer = &pair.writer;
    let template = writer.create_template(&samples::template("p1", "small")).await.expect("a template");
    let view = create(writer, samples::new_cluster(&template, "p1", "first")).await;
    pair.agree("a cluster").await;
    let show = async || {
        let shown = pair.reader.shown_cluster(&Ident::Id(view.cluster.id.uuid()), &Scope::All).await;
        shown.expect("read").expect("there")
    };
    behind_our_back(writer, "UPDATE cluster SET status = 'CREATE_COMPLETE', stack_id = 'a'").await;
    assert_eq!(show().await.cluster.stack_id.as_deref(), Some("a"), "the status tells");
    behind_our_back(writer, "UPDATE cluster SET updated_at = '2026-11-21 19:00:00', stack_id = 'b'").await;
    assert_eq!(show().await.cluster.stack_id.as_deref(), Some("b"), "the time tells");
    behind_our_back(writer, "UPDATE cluster_template SET updated_at = '2026-11-21 19:00:00', tags = 'x'").await;
    let templates = pair.reader.templates(&Scope::All, &Page::first(9)).await.expect("listed");
    assert_eq!(templates[0].tags.as_deref(), Some("x"), "the time tells");
    behind_our_back(writer, "UPDATE cluster SET project_id = 'p2'").await;
    let lost = pair.reader.shown_clusters(&Scope::Project("p1".into()), &Page::first(9)).await.expect("listed");
    assert_eq!(lost.len(), 0, "who may see it is asked each time");
    behind_our_back(writer, "UPDATE nodegroup SET node_count = 7").await;
    tokio::time::sleep(Duration::from_millis(5100)).await;
    assert_eq!(show().await.worker_count(), 7);
}

pub(crate) async fn what_has_no_version_is_read_in_full(db: TestDatabase) {
    let pair = Pair::new(db).await;
    let writer = &pair.writer;
    let template = writer.create_template(&samples::template("p1", "small")).await.expect("a template");
    let view = create(writer, samples::new_cluster(&template, "p1", "first")).await;
    let other = create(writer, samples::new_cluster(&template, "p1", "second")).await;
    pair.agree("two clusters").await;
    let id = view.cluster.serial;
    behind_our_back(writer, &format!("DELETE FROM jeroboam_cluster_version WHERE id = {id}")).await;
    behind_our_back(writer, "UPDATE nodegroup SET node_count = 7 WHERE role = 'worker'").await;
    behind_our_back(writer, &format!("UPDATE nodegroup SET node_count = 2 WHERE cluster_id = '{}'", other.cluster.id))
        .await;
    tokio::time::sleep(Duration::from_millis(5100)).await;
    for _ in 0..2 {
        let (clusters, _) = everything(&pair.reader).await;
        let counts: Vec<_> = clusters.iter().map(|one| one.worker_count()).collect();
        assert_eq!(counts, [7, 2]);
    }
    let (once, twice) = (everything(&pair.reader).await.0, everything(&pair.reader).await.0);
    assert!(!Arc::ptr_eq(&once[0], &twice[0]) && Arc::ptr_eq(&once[1], &twice[1]));
    behind_our_back(writer, &format!("UPDATE nodegroup SET node_count = 3 WHERE cluster_id = '{}'", view.cluster.id))
        .await;
    assert_eq!(everything(&pair.reader).await.0[0].worker_count(), 3);
    // The next write of ours gives it one again.
    let mut view = view;
    view.groups.iter_mut().for_each(|group| group.node_count = 3);
    pair.accept(&view, update(Status::UPDATE_IN_PROGRESS), "an update").await;
}

pub(crate) async fn an_upgrade_gives_versions_to_what_is_there(db: TestDatabase) {
    let pair = Pair::new(db).await;
    let writer = &pair.writer;
    let template = writer.create_template(&samples::template("p1", "small")).await.expect("a template");
    create(writer, samples::new_cluster(&template, "p1", "first")).await;
    create(writer, samples::new_cluster(&template, "p1", "second")).await;
    for sql in [
        "DROP TABLE jeroboam_cluster_version",
        "DROP TABLE jeroboam_template_version",
        "DELETE FROM jeroboam_migration WHERE version = 'm005_versions'",
    ] {
        behind_our_back(writer, sql).await;
    }
    // As the release before left it.
    assert_eq!(writer.check().await.expect("a report").pending, ["m005_versions"]);
    assert_eq!(writer.upgrade().await.expect("upgraded").applied, ["m005_versions"]);
    pair.agree("upgraded").await;
    assert_eq!(writer.upgrade().await.expect("nothing to do").applied, [] as [String; 0]);
    // Broken off after the tables were made, and begun anew.
    behind_our_back(writer, "DELETE FROM jeroboam_migration WHERE version = 'm005_versions'").await;
    behind_our_back(writer, "DELETE FROM jeroboam_template_version").await;
    assert_eq!(writer.upgrade().await.expect("upgraded").applied, ["m005_versions"]);
    pair.agree("upgraded again").await;
}

pub(crate) async fn a_page_is_the_same_whatever_is_remembered_of_it(db: TestDatabase) {
    let pair = Pair::new(db).await;
    let writer = &pair.writer;
    let template = writer.create_template(&samples::template("p1", "small")).await.expect("a template");
    let mut all = Vec::new();
    for name in ["e", "b", "d", "a", "c", "f"] {
        all.push(create(writer, samples::new_cluster(&template, "p1", name)).await);
    }
    for remembered in [vec![], vec![1, 4], vec![0, 1, 2, 3, 4, 5]] {
        for sort_key in ["id", "name"] {
            let (reader, stranger) = (pair.db.bare().await, pair.db.bare().await);
            for &number in &remembered {
                let cluster: &ClusterWithGroups = &all[number];
                let ident = Ident::Id(cluster.cluster.id.uuid());
                reader.shown_cluster(&ident, &Scope::All).await.expect("read").expect("there");
            }
            let mut page = Page { sort_key: sort_key.to_owned(), ..Page::first(4) };
            for _ in 0..2 {
                let listed = reader.shown_clusters(&Scope::All, &page).await.expect("listed");
                assert_eq!(listed, stranger.shown_clusters(&Scope::All, &page).await.expect("listed"));
                page.marker = listed.last().map(|last| last.cluster.id.uuid());
            }
            let name = Ident::cluster("e");
            let shown = reader.shown_cluster(&name, &Scope::Project("p1".into())).await.expect("read");
            assert_eq!(shown.map(|shown| shown.cluster.id), Some(all[0].cluster.id));
            assert_eq!(reader.shown_cluster(&name, &Scope::Project("p2".into())).await.expect("read"), None);
            reader.close().await;
            stranger.close().await;
        }
    }
    create(writer, samples::new_cluster(&template, "p1", "e")).await;
    everything(&pair.reader).await;
    let twice = pair.reader.shown_cluster(&Ident::cluster("e"), &Scope::All).await;
    assert!(matches!(twice, Err(jeroboam_store::StoreError::Ambiguous { what: "cluster" })), "{twice:?}");
    assert_eq!(pair.reader.shown_cluster(&Ident::cluster("e\0"), &Scope::All).await.expect("read"), None);
}

/// Those who ask at the same moment are answered by few statements, and each with what they asked for and may see.
pub(crate) async fn many_at_the_same_moment_are_each_shown_their_own(db: TestDatabase) {
    let pair = Pair::new(db).await;
    let template = pair.writer.create_template(&samples::template("p1", "small")).await.expect("a template");
    let mut clusters = Vec::new();
    for (number, project) in ["p1", "p1", "p2", "p1", "p2"].into_iter().enumerate() {
        let view = create(&pair.writer, samples::new_cluster(&template, project, &format!("c{number}"))).await;
        clusters.push((view.cluster.id, project));
    }
    pair.agree("five clusters").await;
    let mut asking = JoinSet::new();
    for round in 0..200 {
        let (id, project) = clusters[round % clusters.len()];
        let whose = ["p1", "p2"][round % 2];
        let (reader, template) = (pair.reader.clone(), template.id);
        asking.spawn(async move {
            let scope = Scope::Project(whose.into());
            let shown = reader.shown_cluster(&Ident::Id(id.uuid()), &scope).await.expect("read");
            assert_eq!(shown.map(|shown| shown.cluster.id), (whose == project).then_some(id));
            let shown = reader.shown_clusters(&scope, &Page::first(50)).await.expect("listed");
            assert_eq!(shown.len(), if whose == "p1" { 3 } else { 2 });
            let shown = reader.shown_template(&Ident::Id(template.uuid()), &scope).await.expect("read");
            assert_eq!(shown.is_some(), whose == "p1");
            let shown = reader.templates(&scope, &Page::first(50)).await.expect("listed");
            assert_eq!(shown.len(), usize::from(whose == "p1"));
            let nobody = Ident::Id(ClusterId::random().uuid());
            assert_eq!(reader.shown_cluster(&nobody, &scope).await.expect("read"), None);
        });
    }
    while let Some(done) = asking.join_next().await {
        done.expect("each is shown what is theirs");
    }
}
