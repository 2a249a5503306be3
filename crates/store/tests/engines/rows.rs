use jeroboam_model::{Labels, Page, Scope, Status, Timestamp};
use jeroboam_store::testing::{TestDatabase, execute};
use jeroboam_store::{Ident, StoreError, StoreErrorKind};

use super::one_cluster;

pub(crate) async fn a_bad_row_is_named(db: TestDatabase) {
    let (store, template, view) = one_cluster(&db).await;
    let (cluster, group) = (view.cluster.id.to_string(), view.groups[0].id.to_string());
    let template = template.id.to_string();
    for (table, column, value, id) in [
        ("cluster", "status", "'BORED'", &cluster),
        ("cluster", "status", "NULL", &cluster),
        ("cluster", "labels", "'[1]'", &cluster),
        ("cluster", "labels", "'{'", &cluster),
        ("cluster", "health_status", "'FINE'", &cluster),
        ("cluster", "health_status_reason", "'no'", &cluster),
        ("cluster", "project_id", "NULL", &cluster),
        ("cluster", "cluster_template_id", "'7'", &cluster),
        ("nodegroup", "status", "''", &group),
        ("nodegroup", "labels", "'7'", &group),
        ("nodegroup", "node_addresses", "'{}'", &group),
        ("nodegroup", "node_taints", "'[{\"key\": \"a\", \"effect\": \"Never\"}]'", &group),
        ("cluster_template", "labels", "'7'", &template),
        ("cluster_template", "server_type", "'toaster'", &template),
    ] {
        execute(&store, &format!("CREATE TABLE saved AS SELECT {column} AS x FROM {table} WHERE uuid = '{id}'")).await;
        execute(&store, &format!("UPDATE {table} SET {column} = {value} WHERE uuid = '{id}'")).await;
        let answers = match (table, column) {
            ("cluster_template", "server_type") => {
                vec![store.templates(&Scope::All, &Page::first(9)).await.map(|listed| listed.len())]
            }
            _ => vec![
                store.cluster(&Ident::Id(view.cluster.id.uuid()), &Scope::All).await.map(|read| read.iter().count()),
                store.clusters(&Scope::All, &Page::first(9)).await.map(|listed| listed.len()),
            ],
        };
        for answer in answers {
            let Err(error) = answer else { panic!("{table}.{column} = {value} was read") };
            assert_eq!(error.kind(), StoreErrorKind::Internal);
            let StoreError::BadRow { table: in_table, column: in_column, id: in_row, .. } = &error else {
                panic!("{table}.{column} = {value}: {error:?}")
            };
            assert_eq!((*in_table, *in_column, in_row), (table, column, id));
        }
        let found = store.unreadable().await.expect("looked at");
        assert!(
            found.iter().any(|bad| bad.to_string().starts_with(&format!("row {id} of {table} has a bad {column}: ")))
        );
        execute(&store, &format!("UPDATE {table} SET {column} = (SELECT x FROM saved) WHERE uuid = '{id}'")).await;
        execute(&store, "DROP TABLE saved").await;
    }
    assert!(store.unreadable().await.expect("looked at").is_empty());
    assert_eq!(store.clusters(&Scope::All, &Page::first(9)).await.expect("all is well again"), [view]);
}

pub(crate) async fn nulls_of_old_rows_read_as_magnum_reads_them(db: TestDatabase) {
    let (store, template, view) = one_cluster(&db).await;
    let some = "uuid, name, cluster_template_id, project_id, status";
    for (table, keep) in [
        ("cluster", some),
        ("nodegroup", "uuid, name, cluster_id, project_id"),
        ("cluster_template", "uuid, name, project_id"),
    ] {
        let rest = format!("CREATE TABLE saved AS SELECT {keep} FROM {table}");
        execute(&store, &rest).await;
        execute(&store, &format!("DELETE FROM {table}")).await;
        execute(&store, &format!("INSERT INTO {table} ({keep}) SELECT {keep} FROM saved")).await;
        execute(&store, "DROP TABLE saved").await;
    }
    let read = store.cluster(&Ident::cluster("first"), &Scope::All).await.expect("read").expect("there");
    assert_eq!((read.cluster.id, read.cluster.status), (view.cluster.id, Status::CREATE_IN_PROGRESS));
    assert_eq!((&read.cluster.labels, read.cluster.health_status_reason.len()), (&Labels::default(), 0));
    assert_eq!((read.cluster.created_at, read.cluster.updated_at), (Timestamp::UNIX_EPOCH, None));
    assert!(read.cluster.floating_ip_enabled && !read.cluster.master_lb_enabled);
    assert_eq!(read.groups.len(), 2);
    for group in &read.groups {
        assert_eq!((group.node_count, group.min_node_count, group.max_node_count), (0, 0, None));
        assert_eq!((group.role.as_str(), group.status), ("worker", Status::CREATE_IN_PROGRESS));
        assert_eq!((group.node_labels.len(), group.node_taints.len(), group.node_addresses.len()), (0, 0, 0));
    }
    let read = store.template_unfiltered(template.id).await.expect("read").expect("there");
    assert!(read.floating_ip_enabled && !read.public && !read.hidden && !read.master_lb_enabled);

    // Magnum: very old rows hold labels that are no texts; the reference of another certificate store is a URL.
    execute(
        &store,
        "UPDATE cluster SET labels = '{\"a\": true, \"b\": 1, \"c\": null}', ca_cert_ref = 'http://b/v1/containers/x'",
    )
    .await;
    let read = store.cluster(&Ident::cluster("first"), &Scope::All).await.expect("read").expect("there");
    assert_eq!(read.cluster.labels, [("a", "True"), ("b", "1"), ("c", "None")].into_iter().collect());
    assert_eq!(read.cluster.certificates.ca, Some("http://b/v1/containers/x".into()));
}
