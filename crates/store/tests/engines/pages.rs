use jeroboam_model::{ClusterTemplate, Page, Scope, SortDirection};
use jeroboam_store::testing::{TestDatabase, execute};
use jeroboam_store::{Acceptance, Store, StoreError, StoreErrorKind, samples};
use uuid::Uuid;

use super::{create, one_cluster};

const CLUSTER_KEYS: &str = "created_at updated_at id uuid name cluster_template_id api_address stack_id project_id user_id \
    status status_reason create_timeout discovery_url ca_cert_ref magnum_cert_ref coe_version container_version keypair \
    docker_volume_size labels master_flavor_id flavor_id health_status health_status_reason fixed_network fixed_subnet \
    floating_ip_enabled master_lb_enabled etcd_ca_cert_ref front_proxy_ca_cert_ref";

const TEMPLATE_KEYS: &str = "created_at updated_at id uuid name flavor_id keypair_id image_id external_network_id dns_nameserver \
    apiserver_port project_id user_id fixed_network master_flavor_id docker_volume_size cluster_distro coe http_proxy \
    https_proxy no_proxy network_driver labels tls_disabled public registry_enabled volume_driver server_type \
    insecure_registry docker_storage_driver fixed_subnet master_lb_enabled floating_ip_enabled hidden tags driver";

const GROUP_KEYS: &str = "created_at updated_at id uuid name cluster_id project_id docker_volume_size labels flavor_id image_id \
    node_addresses node_count max_node_count min_node_count role is_default stack_id status status_reason version \
    node_labels node_taints";

/// Pages of two, one after the other, must be the whole listing; the other way round, the same backwards.
async fn check(keys: &str, list: impl AsyncFn(Page) -> Result<Vec<Uuid>, StoreError>) {
    for key in keys.split_whitespace() {
        let mut both = Vec::new();
        for direction in [SortDirection::Ascending, SortDirection::Descending] {
            let page = Page { direction, sort_key: key.to_owned(), ..Page::first(100) };
            let whole = list(page.clone()).await.unwrap_or_else(|error| panic!("{key}: {error:?}"));
            let mut paged: Vec<Uuid> = Vec::new();
            loop {
                let part = list(Page { marker: paged.last().copied(), limit: 2, ..page.clone() }).await.expect(key);
                if part.is_empty() {
                    break;
                }
                paged.extend(part);
                assert!(paged.len() <= whole.len(), "{key} {direction:?} repeats itself");
            }
            assert_eq!(paged, whole, "{key} {direction:?}");
            both.push(whole);
        }
        assert!(both[0].len() >= 5);
        assert_eq!(both[0], both[1].iter().rev().copied().collect::<Vec<_>>(), "{key}");
    }
    let bad = list(Page { sort_key: "nope".to_owned(), ..Page::first(1) }).await;
    assert!(matches!(bad, Err(StoreError::BadSortKey(key)) if key == "nope"));
    let injected = list(Page { sort_key: "id; DROP TABLE cluster".to_owned(), ..Page::first(1) }).await;
    assert!(matches!(injected, Err(StoreError::BadSortKey(_))));
}

async fn seven_clusters(db: &TestDatabase) -> (Store, ClusterTemplate) {
    let (store, template, _) = one_cluster(db).await;
    for (number, name) in ["b", "a", "c", "a", "b", "d"].into_iter().enumerate() {
        let mut new = samples::new_cluster(&template, "p1", name);
        new.cluster.stack_id = (number % 2 == 0).then(|| format!("stack-{number}"));
        new.cluster.keypair = (number % 3 == 0).then(|| "key".to_owned());
        new.cluster.docker_volume_size = (number % 2 == 1).then_some(5);
        new.cluster.floating_ip_enabled = number % 2 == 0;
        create(&store, new).await;
    }
    (store, template)
}

pub(crate) async fn every_column_orders_clusters(db: TestDatabase) {
    let (store, _) = seven_clusters(&db).await;
    check(CLUSTER_KEYS, async |page| {
        let listed = store.clusters(&Scope::Project("p1".into()), &page).await?;
        assert!(listed.iter().all(|view| view.groups.len() == 2 && view.template_labels.is_some()));
        Ok(listed.iter().map(|view| view.cluster.id.uuid()).collect())
    })
    .await;
}

pub(crate) async fn every_column_orders_templates(db: TestDatabase) {
    let store = db.store().await;
    for (number, name) in ["b", "a", "c", "a", "b", "d"].into_iter().enumerate() {
        let mut new = samples::template("p1", name);
        new.tags = (number % 2 == 0).then(|| "x".to_owned());
        new.apiserver_port = (number % 3 == 0).then_some(6443);
        new.public = number % 2 == 1;
        store.create_template(&new).await.expect("created");
    }
    execute(&store, "UPDATE cluster_template SET hidden = NULL").await;
    check(TEMPLATE_KEYS, async |page| {
        let listed = store.templates(&Scope::Project("p1".into()), &page).await?;
        Ok(listed.iter().map(|template| template.id.uuid()).collect())
    })
    .await;
}

pub(crate) async fn every_column_orders_node_groups(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let mut change =
        Acceptance::of(jeroboam_model::Operation::Update, jeroboam_model::Status::UPDATE_IN_PROGRESS, samples::noon());
    for (number, name) in ["gpu", "infra", "Big"].into_iter().enumerate() {
        let mut group = samples::group(&view.cluster, name, "infra", i32::try_from(number).expect("small"));
        group.max_node_count = (number > 0).then_some(9);
        change.added_groups.push(group);
    }
    store.accept(&view, change).await.expect("an answer").expect("accepted");
    let id = view.cluster.id;
    check(GROUP_KEYS, async |page| {
        let listed = store.node_groups(id, None, &page).await?;
        Ok(listed.iter().map(|group| group.id.uuid()).collect())
    })
    .await;
    for (role, count) in [("infra", 3), ("master", 1), ("nobody", 0), ("😀", 0), ("\0", 0)] {
        let listed = store.node_groups(id, Some(role), &Page::first(10)).await.expect("listed");
        assert_eq!(listed.len(), count, "{role:?}");
    }
}

pub(crate) async fn a_page_begins_only_after_what_may_be_seen(db: TestDatabase) {
    let (store, template) = seven_clusters(&db).await;
    let other = create(&store, samples::new_cluster(&template, "p2", "other")).await.cluster.id.uuid();
    let after = |marker| Page { marker: Some(marker), ..Page::first(10) };
    let scope = Scope::Project("p1".into());
    for marker in [other, Uuid::nil()] {
        let answer = store.clusters(&scope, &after(marker)).await;
        let Err(error @ StoreError::UnknownMarker(_)) = answer else { panic!("{answer:?}") };
        assert_eq!(error.kind(), StoreErrorKind::BadInput);
    }
    assert!(store.clusters(&Scope::All, &after(other)).await.expect("it is the last").is_empty());
    let answer = store.templates(&scope, &after(Uuid::nil())).await;
    assert!(matches!(answer, Err(StoreError::UnknownMarker(_))), "{answer:?}");
}
