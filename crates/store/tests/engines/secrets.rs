use std::time::Duration;

use jeroboam_model::{Operation, Status};
use jeroboam_store::testing::{TestDatabase, texts};
use jeroboam_store::{Acceptance, Creation, PendingCredential, Store, StoreConfig, StoreError, samples};
use secrecy::ExposeSecret;

use super::{create, one_cluster};

pub(crate) async fn a_secret_opens_with_its_key_alone(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let sealed = texts(&store, "SELECT sealed FROM jeroboam_secret").await;
    assert!(sealed.iter().flatten().all(|text| !text.contains("clouds")), "{sealed:?}");
    let other = "//////////////////////////////////////////8=";
    let other = Store::connect(&StoreConfig { key: Some(other.into()), ..db.config() }).await.expect("a store");
    let opened = other.secret(view.cluster.id, "cloud-config").await;
    let Err(error @ StoreError::Sealed(_)) = opened else { panic!("{opened:?}") };
    assert_eq!(
        error.to_string(),
        "a stored secret does not open with the configured key: it was sealed with another one"
    );
    let short = Store::connect(&StoreConfig { key: Some("c2hvcnQ=".into()), ..db.config() }).await;
    assert!(matches!(short, Err(StoreError::Sealed(_))));
}

pub(crate) async fn without_a_key_no_secret_is_kept(db: TestDatabase) {
    let (store, template, view) = one_cluster(&db).await;
    store.close().await;
    let keyless = Store::connect(&StoreConfig { key: None, ..db.config() }).await.expect("a store");
    assert!(matches!(keyless.secret(view.cluster.id, "cloud-config").await, Err(StoreError::Sealed(_))));
    assert!(keyless.secret(view.cluster.id, "other").await.expect("nothing to open").is_none());
    let refused = keyless.create_cluster(samples::new_cluster(&template, "p1", "second"), 10).await;
    assert!(matches!(refused, Err(StoreError::Sealed(_))), "{refused:?}");
    let mut plain = samples::new_cluster(&template, "p1", "second");
    plain.secrets.clear();
    create(&keyless, plain).await;
}

pub(crate) async fn a_credential_is_pending_until_its_cluster_is_committed(db: TestDatabase) {
    let store = db.store().await;
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let mut new = samples::new_cluster(&template, "p1", "first");
    let noted = samples::noon();
    let mut pending = PendingCredential {
        name: "jeroboam-first".to_owned(),
        cluster: new.cluster.id,
        project: "p1".into(),
        user: "user-1".into(),
        id: None,
        secret: None,
        noted,
    };
    let later = noted + Duration::from_secs(1);
    store.note_credential(&pending).await.expect("noted");
    assert!(store.pending_credentials(noted).await.expect("read").is_empty(), "it is too young");
    let read = store.pending_credentials(later).await.expect("read").remove(0);
    assert_eq!((read.id.as_deref(), read.secret.is_none(), read.noted), (None, true, noted));

    (pending.id, pending.secret) = (Some("ac-1".to_owned()), Some("s3cret".into()));
    assert!(store.complete_credential(&pending).await.expect("completed"));
    let read = store.pending_credentials(later).await.expect("read").remove(0);
    assert_eq!((read.id.as_deref(), read.cluster, read.user.as_str()), (Some("ac-1"), new.cluster.id, "user-1"));
    assert_eq!(read.secret.as_ref().map(ExposeSecret::expose_secret), Some("s3cret"));

    new.credential = Some(pending.name.clone());
    assert_eq!(store.create_cluster(new.clone(), 0).await.expect("refused"), Creation::OverQuota { limit: 0 });
    assert_eq!(store.pending_credentials(later).await.expect("read").len(), 1, "it is nobody's yet");
    create(&store, new).await;
    assert!(store.pending_credentials(later).await.expect("read").is_empty());

    pending.name = "jeroboam-second".to_owned();
    store.note_credential(&pending).await.expect("noted");
    store.forget_credential("jeroboam-second").await.expect("struck out");
    assert!(store.pending_credentials(later).await.expect("read").is_empty());
}

fn noted(cluster: jeroboam_model::ClusterId, name: &str) -> PendingCredential {
    let (project, user, noted) = ("p1".into(), "user-1".into(), samples::noon());
    PendingCredential { name: name.to_owned(), cluster, project, user, id: None, secret: None, noted }
}

pub(crate) async fn a_credential_that_is_being_revoked_is_taken_over_by_nobody(db: TestDatabase) {
    let (store, template, view) = one_cluster(&db).await;
    let mut new = samples::new_cluster(&template, "p1", "late");
    let mut pending = noted(new.cluster.id, "late");
    store.note_credential(&pending).await.expect("noted");
    for round in ["first", "again"] {
        assert!(store.condemn_credential("late").await.expect("marked"), "{round}");
    }
    pending.id = Some("ac-1".to_owned());
    assert!(!store.complete_credential(&pending).await.expect("an answer"), "it was made too late");
    new.credential = Some("late".to_owned());
    let change = Acceptance {
        credential: Some("late".to_owned()),
        ..Acceptance::of(Operation::Delete, Status::DELETE_IN_PROGRESS, samples::noon())
    };
    for forgotten in [false, true] {
        if forgotten {
            store.forget_credential("late").await.expect("struck out");
        }
        let made = store.create_cluster(new.clone(), 10).await.expect("an answer");
        assert_eq!(made, Creation::CredentialRevoked, "forgotten: {forgotten}");
        assert_eq!(store.accept(&view, change.clone()).await.expect("an answer"), None, "forgotten: {forgotten}");
        assert_eq!(store.cluster_count(&"p1".into()).await.expect("counted"), 1, "forgotten: {forgotten}");
        let read = store.pending_credentials(samples::noon()).await.expect("read");
        let read: Vec<_> = read.into_iter().map(|left| (left.name, left.id)).collect();
        let want = [("late".to_owned(), None)];
        assert_eq!(read, want[usize::from(forgotten)..], "whoever died while revoking it is followed by another");
    }
    assert!(!store.condemn_credential("late").await.expect("an answer"), "it is forgotten");
    assert!(!store.complete_credential(&pending).await.expect("an answer"));
}

pub(crate) async fn of_a_cluster_and_a_revocation_at_once_one_gets_the_credential(db: TestDatabase) {
    let (store, template, _) = one_cluster(&db).await;
    let other = db.bare().await;
    for round in 0..20 {
        let name = format!("c{round}");
        let mut new = samples::new_cluster(&template, "p1", &name);
        store.note_credential(&noted(new.cluster.id, &name)).await.expect("noted");
        new.credential = Some(name.clone());
        let (made, condemned) = tokio::join!(store.create_cluster(new, 1000), other.condemn_credential(&name));
        let (made, condemned) = (made.expect("an answer"), condemned.expect("an answer"));
        assert_eq!(made == Creation::CredentialRevoked, condemned, "{name}");
    }
}
