//! Certificates outside our own database: made with a cluster, or not made at all.

use jeroboam_certificates::{CertificatesConfig, Kind as Place};
use jeroboam_model::{Page, Timestamp};
use jeroboam_service::{Kind, Listing, NewCluster, ServiceConfig};

use crate::bed::{Bed, refused};

fn in_barbican(config: &mut ServiceConfig) {
    config.certificates = CertificatesConfig { kind: Place::Barbican, ..CertificatesConfig::default() };
}

#[tokio::test]
async fn a_clusters_certificates_are_kept_where_the_operator_says() {
    let bed = Bed::with(in_barbican).await;
    let made = bed.cluster(|new| new.name = Some("prod".to_owned())).await.cluster;
    let references: Vec<_> = made.certificates.iter().collect();
    assert_eq!(references.len(), 4);
    assert!(references.iter().all(|one| one.key_pair().is_none() && one.container().is_some()), "{references:?}");
    let names: Vec<_> = {
        let things = bed.cloud.things();
        let containers = references.iter().map(|one| things.kept[one.as_str()]["name"].clone());
        containers.collect()
    };
    assert_eq!(names, ["prod", "Magnum-Conductor", "prod", "prod"]);
    for kind in [None, Some("etcd"), Some("front-proxy")] {
        let shown = bed.service.certificates().authority(&bed.ann(), "prod", kind).await.expect("authority");
        assert!(shown.pem.starts_with("-----BEGIN CERTIFICATE-----"), "{kind:?}");
    }
}

#[tokio::test]
async fn without_its_certificates_there_is_no_cluster_and_nothing_is_left() {
    for (failing, kind) in [
        (("/keys/v1/secrets", 503), Kind::Unavailable),
        (("/keys/v1/containers", 503), Kind::Unavailable),
        (("/keys/v1/containers", 403), Kind::Internal),
    ] {
        let bed = Bed::with(in_barbican).await;
        let template = bed.template(|_| {}).await;
        bed.cloud.things().failing = Some(failing);
        let new = NewCluster { template: template.id.to_string(), ..NewCluster::default() };
        let (found, words) = refused(bed.service.clusters().create(&bed.ann(), new).await);
        assert_eq!(found, kind, "{failing:?}: {words}");
        assert_eq!(words.contains("key manager service"), kind == Kind::Unavailable, "{words}");
        {
            let things = bed.cloud.things();
            assert!(things.credentials.is_empty(), "the credential is taken back");
            assert!(things.kept.is_empty(), "{failing:?}: {:?}", things.kept.keys());
        }
        let left = bed.service.clusters().list(&bed.ann(), Listing::Short, &Page::first(10)).await.expect("list");
        assert!(left.is_empty());
    }
}

#[tokio::test]
async fn a_request_that_is_held_up_until_its_credential_is_taken_for_a_left_one_makes_nothing() {
    for (held_up_at, forgotten) in [
        ("/application_credentials", false),
        ("/application_credentials", true),
        ("/keys/v1/secrets", false),
        ("/keys/v1/secrets", true),
    ] {
        let bed = Bed::with(in_barbican).await;
        let template = bed.template(|_| {}).await;
        let store = bed.store.clone();
        // Whoever revokes it is still at it, or has done so and found none at Keystone.
        let revoking = async move {
            let left = store.pending_credentials(Timestamp::MAX).await.expect("read");
            assert_eq!(left.len(), 1);
            assert!(store.condemn_credential(&left[0].name).await.expect("marked"));
            if forgotten {
                store.forget_credential(&left[0].name).await.expect("struck out");
            }
        };
        bed.cloud.things().meanwhile = Some((held_up_at, Box::pin(revoking)));
        let new = NewCluster { template: template.id.to_string(), ..NewCluster::default() };
        let refusal = refused(bed.service.clusters().create(&bed.ann(), new).await);
        let words = "The service could not answer in time, please try again later.";
        assert_eq!(refusal, (Kind::Unavailable, words.to_owned()), "{held_up_at}, forgotten: {forgotten}");
        {
            let things = bed.cloud.things();
            assert!(things.meanwhile.is_none(), "nothing was held up at {held_up_at}");
            assert!(things.credentials.is_empty(), "{held_up_at}, forgotten: {forgotten}");
            assert!(things.kept.is_empty(), "{:?}", things.kept.keys());
        }
        assert!(bed.store.pending_credentials(Timestamp::MAX).await.expect("read").is_empty());
        let left = bed.service.clusters().list(&bed.ann(), Listing::Short, &Page::first(10)).await.expect("list");
        assert!(left.is_empty());
    }
}
