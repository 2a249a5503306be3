//! Deleting a cluster whose application credential no longer works: the caller's token makes another.

use jeroboam_model::{Clock as _, Operation, Status, secrets};
use secrecy::ExposeSecret as _;

use crate::bed::Bed;

/// Somebody who calls.
type Person = fn(&Bed) -> jeroboam_model::Caller;

/// Id and owner of the credential that the cluster has now.
async fn credential(bed: &Bed, id: jeroboam_model::ClusterId) -> (Option<String>, Option<String>) {
    let read = async |name: &str| {
        let secret = bed.store.secret(id, name).await.expect("read");
        secret.map(|secret| secret.expose_secret().to_owned())
    };
    (read(secrets::APPLICATION_CREDENTIAL_ID).await, read(secrets::APPLICATION_CREDENTIAL_USER).await)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn a_revoked_credential_is_replaced_with_every_request_that_finds_it_so() {
    let bed = Bed::new().await;
    let id = bed.running().await.cluster.id;
    let (ident, made) = (id.to_string(), credential(&bed, id).await.0.expect("a credential"));
    let bob = bed.caller("bob", "blue", &["member"]);
    let revision = async || bed.store.work(id).await.expect("store").expect("work").revision;

    bed.cloud.things().credentials.clear();
    bed.service.clusters().delete(&bob, &ident).await.expect("deleted");
    let second = credential(&bed, id).await;
    assert!(second.0.as_ref().is_some_and(|id| *id != made && bed.cloud.things().credentials.contains_key(id)));
    assert_eq!(second.1, some("bob"), "it is the one's who made it");
    assert_eq!(bed.store.work(id).await.expect("store").expect("work").operation, Operation::Delete);

    let before = revision().await;
    bed.service.clusters().delete(&bob, &ident).await.expect("deleted");
    assert_eq!((revision().await, credential(&bed, id).await), (before, second.clone()), "this one works");

    bed.cloud.things().credentials.clear();
    bed.service.clusters().delete(&bed.ann(), &ident).await.expect("deleted");
    let third = credential(&bed, id).await;
    assert_eq!((revision().await, third.1), (before + 1, some("ann")));
    assert_ne!(third.0, second.0);

    // Those that were given up are looked for some day; the one that is in use is nobody's but the cluster's.
    let later = bed.clock.now() + std::time::Duration::from_secs(1);
    let noted = bed.store.pending_credentials(later).await.expect("read");
    let mut noted: Vec<_> = noted.into_iter().map(|left| (left.id, left.user.to_string())).collect();
    noted.sort();
    assert_eq!(noted, [(some(&made), "ann".to_owned()), (second.0, "bob".to_owned())]);
}

#[tokio::test]
async fn a_deletion_is_accepted_also_where_no_credential_can_be_made() {
    let restricted = |bed: &Bed| {
        let mut caller = bed.ann();
        caller.token = "restricted/ann/blue/member".to_owned().into();
        caller.application_credential = true;
        caller
    };
    type Failing = Option<(&'static str, u16)>;
    let cases: [(&str, Person, Failing); 3] = [
        ("of another project", Bed::admin, None),
        ("while Keystone is away", Bed::ann, Some(("/v3/auth", 503))),
        ("while Keystone makes none", Bed::ann, Some(("application_credentials", 403))),
    ];
    for (name, caller, failing) in cases {
        let bed = Bed::new().await;
        let id = bed.running().await.cluster.id;
        let before = credential(&bed, id).await;
        bed.cloud.things().credentials.clear();
        bed.cloud.things().failing = failing;
        bed.service
            .clusters()
            .delete(&caller(&bed), &id.to_string())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(bed.read(id).await.cluster.status, Status::DELETE_IN_PROGRESS, "{name}");
        assert_eq!(credential(&bed, id).await, before, "{name}");
    }
    let bed = Bed::new().await;
    let id = bed.running().await.cluster.id;
    bed.cloud.things().credentials.clear();
    bed.service.clusters().delete(&restricted(&bed), &id.to_string()).await.expect("deleted");
    assert_eq!(bed.read(id).await.cluster.status, Status::DELETE_IN_PROGRESS);
    let later = bed.clock.now() + std::time::Duration::from_secs(1);
    assert!(bed.store.pending_credentials(later).await.expect("read").is_empty(), "nothing was made");
}
