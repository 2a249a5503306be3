use jeroboam_model::{Scope, Timestamp};
use jeroboam_store::testing::{TestDatabase, texts};
use jeroboam_store::{Ident, StoreError, TemplateDeletion, TemplateUpdate, samples};

pub(crate) async fn a_template_comes_back_as_it_was_written(db: TestDatabase) {
    let store = db.store().await;
    let new = samples::template("p1", "small");
    let made = store.create_template(&new).await.expect("created");
    assert!(made.serial > 0);
    assert_eq!(jeroboam_model::ClusterTemplate { serial: 0, ..made.clone() }, new);
    assert_eq!(store.template_unfiltered(new.id).await.expect("read"), Some(made.clone()));
    let serial = Ident::template_for_create(&made.serial.to_string());
    assert_eq!(store.template(&serial, &Scope::All).await.expect("read"), Some(made));
    assert_eq!(store.template(&Ident::Serial(i64::MAX), &Scope::All).await.expect("read"), None);
    let labels = texts(&store, "SELECT labels FROM cluster_template").await;
    assert_eq!(labels, [Some(r#"{"gr\u00f6\u00dfe": "\ud83d\ude00", "kube_tag": "v1.33.4"}"#.to_owned())]);
}

pub(crate) async fn a_template_id_is_taken_once(db: TestDatabase) {
    let store = db.store().await;
    let new = samples::template("p1", "small");
    store.create_template(&new).await.expect("created");
    let again = store.create_template(&new).await;
    assert!(matches!(again, Err(StoreError::Duplicate { what: "cluster template" })), "{again:?}");
}

pub(crate) async fn templates_are_seen_by_their_project_and_public_ones_by_all(db: TestDatabase) {
    let store = db.store().await;
    for (project, name, public, hidden) in [
        ("p1", "own", false, false),
        ("p1", "own-hidden", false, true),
        ("p2", "other", false, false),
        ("p2", "other-public", true, false),
        ("p2", "other-public-hidden", true, true),
    ] {
        let template = jeroboam_model::ClusterTemplate { public, hidden, ..samples::template(project, name) };
        store.create_template(&template).await.expect("created");
    }
    for (scope, expected) in [
        (Scope::All, &["own", "own-hidden", "other", "other-public", "other-public-hidden"][..]),
        (Scope::Project("p1".into()), &["own", "own-hidden", "other-public"]),
        (Scope::Project("p3".into()), &["other-public"]),
        (Scope::User("user-2".into()), &["other-public"]),
    ] {
        let listed = store.templates(&scope, &jeroboam_model::Page::first(10)).await.expect("listed");
        let names: Vec<_> = listed.iter().filter_map(|template| template.name.as_deref()).collect();
        assert_eq!(names, expected, "{scope:?}");
        for template in listed {
            let name = Ident::template(template.name.as_deref().unwrap_or_default());
            assert_eq!(store.template(&name, &scope).await.expect("read").as_ref(), Some(&*template));
            assert_eq!(store.shown_template(&name, &scope).await.expect("read"), Some(template));
        }
    }
    for name in ["nobody's", "😀", "nul\0"] {
        assert_eq!(store.template(&Ident::template(name), &Scope::All).await.expect(name), None);
    }
    let hidden = store.template(&Ident::template("own-hidden"), &Scope::Project("p2".into())).await;
    assert_eq!(hidden.expect("read"), None);
}

pub(crate) async fn a_name_that_two_visible_templates_have_is_ambiguous(db: TestDatabase) {
    let store = db.store().await;
    let public = jeroboam_model::ClusterTemplate { public: true, ..samples::template("p2", "same") };
    store.create_template(&public).await.expect("created");
    store.create_template(&samples::template("p1", "same")).await.expect("created");
    let found = store.template(&Ident::template("same"), &Scope::Project("p1".into())).await;
    assert!(matches!(found, Err(StoreError::Ambiguous { what: "cluster template" })), "{found:?}");
    let found = store.template(&Ident::template("same"), &Scope::Project("p3".into())).await;
    assert_eq!(found.expect("read").map(|template| template.id), Some(public.id));
}

pub(crate) async fn a_template_is_changed_only_from_what_it_is(db: TestDatabase) {
    let store = db.store().await;
    let was = store.create_template(&samples::template("p1", "small")).await.expect("created");
    let now = jeroboam_model::ClusterTemplate { name: Some("big".to_owned()), public: true, ..was.clone() };
    assert_eq!(store.update_template(&was, &now, false).await.expect("written"), TemplateUpdate::Written);
    let again = store.update_template(&was, &was, true).await.expect("refused");
    assert_eq!(again, TemplateUpdate::Moved, "it is not that any more");
    let read = store.template_unfiltered(was.id).await.expect("read").expect("there");
    assert!(read.updated_at > Some(Timestamp::UNIX_EPOCH));
    assert_eq!(jeroboam_model::ClusterTemplate { updated_at: None, ..read.clone() }, now);
    let back = jeroboam_model::ClusterTemplate { public: false, ..read.clone() };
    assert_eq!(store.update_template(&read, &back, false).await.expect("written"), TemplateUpdate::Written);
}

/// A cluster that is made from a template and a change that it could not bear: one of the two comes first, and the other sees it.
pub(crate) async fn a_template_gets_no_follower_while_it_is_changed(db: TestDatabase) {
    let store = db.store().await;
    for round in 0..8 {
        let was = store.create_template(&samples::template("p1", &format!("raced-{round}"))).await.expect("created");
        let now = jeroboam_model::ClusterTemplate { apiserver_port: Some(7443), ..was.clone() };
        let new = samples::new_cluster(&was, "p1", &format!("raced-{round}"));
        let (made, changed) = tokio::join!(store.create_cluster(new, 100), store.update_template(&was, &now, false));
        assert!(matches!(made.expect("made"), jeroboam_store::Creation::Created(_)));
        let read = store.template_unfiltered(was.id).await.expect("read").expect("there");
        match changed.expect("decided") {
            TemplateUpdate::Written => assert_eq!(read.apiserver_port, now.apiserver_port),
            TemplateUpdate::InUse => assert_eq!(read.apiserver_port, was.apiserver_port),
            TemplateUpdate::Moved => panic!("nobody else changed it"),
        }
        let named = jeroboam_model::ClusterTemplate { name: Some(format!("named-{round}")), ..read.clone() };
        let late = jeroboam_model::ClusterTemplate { apiserver_port: Some(8443), ..read.clone() };
        assert_eq!(store.update_template(&read, &late, false).await.expect("refused"), TemplateUpdate::InUse);
        assert_eq!(store.update_template(&read, &named, true).await.expect("written"), TemplateUpdate::Written);
    }
}

pub(crate) async fn a_template_that_a_cluster_follows_stays(db: TestDatabase) {
    let (store, template, _) = super::one_cluster(&db).await;
    assert_eq!(store.delete_template(&template).await.expect("refused"), TemplateDeletion::InUse);
    let free = store.create_template(&samples::template("p1", "free")).await.expect("created");
    assert_eq!(store.delete_template(&free).await.expect("deleted"), TemplateDeletion::Deleted);
    assert_eq!(store.delete_template(&free).await.expect("deleted"), TemplateDeletion::Gone);
    let orphan = store.create_cluster(samples::new_cluster(&free, "p1", "late"), 10).await.expect("refused");
    assert_eq!(orphan, jeroboam_store::Creation::NoTemplate);
}
