//! What the store promises, on every engine. `JEROBOAM_ENGINES=sqlite` leaves the servers out.

mod adoption;
mod clusters;
mod failures;
mod leases;
mod pages;
mod quota;
mod records;
mod requests;
mod rows;
mod schema;
mod secrets;
mod silence;
mod templates;
mod versions;

use jeroboam_store::testing::{Engine, TestDatabase};

/// Every test once on each engine, each time on an empty database.
macro_rules! on_all_engines {
    ($($module:ident::$test:ident),+ $(,)?) => {
        on_all_engines!(sqlite Sqlite $($module::$test),+);
        on_all_engines!(mariadb MariaDb $($module::$test),+);
        on_all_engines!(postgresql PostgreSql $($module::$test),+);
    };
    ($name:ident $engine:ident $($module:ident::$test:ident),+) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::run(super::Engine::$engine, super::$module::$test).await;
                }
            )+
        }
    };
}

async fn run(engine: Engine, test: impl AsyncFnOnce(TestDatabase)) {
    if engine.is_wanted() {
        test(TestDatabase::new(engine).await).await;
    }
}

on_all_engines!(
    adoption::magnums_tables_are_left_as_they_are,
    adoption::an_older_magnum_gets_the_two_columns_and_loses_them_again,
    adoption::another_revision_is_refused_by_name,
    adoption::columns_that_somebody_changed_are_refused_by_name,
    adoption::nothing_is_adopted_while_a_conductor_reports,
    adoption::every_row_that_is_not_served_is_named,
    adoption::what_is_unfinished_goes_back_as_a_failure_and_is_taken_up_again,
    adoption::our_tables_go_when_that_is_wanted,
    adoption::a_record_goes_alone_and_only_where_it_is_not_ours,
    clusters::a_cluster_comes_back_as_it_was_written,
    clusters::a_cluster_is_found_by_id_number_and_name_within_its_scope,
    clusters::a_name_that_two_clusters_have_is_ambiguous,
    clusters::a_cluster_without_its_template_is_still_shown,
    clusters::text_that_the_database_cannot_hold_is_a_clear_error,
    clusters::each_accepted_cluster_is_announced,
    clusters::processes_report_and_are_listed,
    failures::dead_connections_are_replaced_unnoticed,
    failures::writers_of_two_processes_wait_for_each_other,
    failures::a_call_that_is_given_up_leaves_nothing_behind,
    leases::of_twenty_claims_one_succeeds,
    leases::a_lost_lease_writes_nothing,
    leases::a_renewed_lease_is_not_taken,
    leases::a_wake_during_the_run_is_not_lost,
    leases::what_is_due_comes_oldest_first,
    leases::a_clock_that_was_far_ahead_keeps_no_cluster_from_being_worked_on,
    pages::every_column_orders_clusters,
    pages::every_column_orders_templates,
    pages::every_column_orders_node_groups,
    pages::a_page_begins_only_after_what_may_be_seen,
    quota::fifty_creates_at_once_make_exactly_as_many_as_allowed,
    quota::a_projects_own_quota_goes_before_the_default,
    quota::a_quota_is_set_changed_listed_and_taken_away,
    quota::what_there_is_is_counted_by_project_and_in_all,
    quota::federations_of_others_are_out_of_sight,
    records::reasons_are_kept_also_where_the_tables_have_less_room,
    records::what_was_seen_is_written_once,
    records::a_newer_request_refuses_the_record,
    records::a_cluster_that_is_gone_leaves_no_row,
    records::the_last_cluster_of_a_project_is_told_that_it_is,
    records::our_rows_follow_a_cluster_that_somebody_else_removed,
    requests::of_requests_at_once_one_is_accepted,
    requests::an_accepted_request_writes_rows_and_work,
    requests::nodes_that_were_named_are_forgotten_when_their_group_grows,
    requests::reports_make_no_request_fail,
    requests::a_request_for_an_old_cluster_begins_its_work,
    requests::a_group_name_is_taken_once,
    requests::health_is_written_in_the_same_state_only,
    rows::a_bad_row_is_named,
    rows::nulls_of_old_rows_read_as_magnum_reads_them,
    schema::upgrades_can_be_repeated,
    schema::upgrades_at_once_agree,
    schema::tables_are_changed_for_longer_than_a_request_may_take,
    schema::every_write_passes_the_fault_hook_twice,
    secrets::a_secret_opens_with_its_key_alone,
    secrets::without_a_key_no_secret_is_kept,
    secrets::a_credential_is_pending_until_its_cluster_is_committed,
    secrets::a_credential_that_is_being_revoked_is_taken_over_by_nobody,
    secrets::of_a_cluster_and_a_revocation_at_once_one_gets_the_credential,
    silence::a_connection_that_goes_silent_ends_in_a_clear_error,
    templates::a_template_comes_back_as_it_was_written,
    templates::a_template_id_is_taken_once,
    templates::templates_are_seen_by_their_project_and_public_ones_by_all,
    templates::a_name_that_two_visible_templates_have_is_ambiguous,
    templates::a_template_is_changed_only_from_what_it_is,
    templates::a_template_gets_no_follower_while_it_is_changed,
    templates::a_template_that_a_cluster_follows_stays,
    versions::what_a_request_writes_is_shown_at_once,
    versions::what_a_reconciler_writes_is_shown_at_once,
    versions::what_is_written_of_templates_is_shown_at_once,
    versions::a_database_that_was_away_shows_what_became_of_it,
    versions::what_others_write_is_shown_within_seconds,
    versions::what_has_no_version_is_read_in_full,
    versions::an_upgrade_gives_versions_to_what_is_there,
    versions::a_page_is_the_same_whatever_is_remembered_of_it,
    versions::many_at_the_same_moment_are_each_shown_their_own,
);

/// What the tests begin with: a template, and a cluster made from it.
async fn one_cluster(
    db: &TestDatabase,
) -> (jeroboam_store::Store, jeroboam_model::ClusterTemplate, jeroboam_model::ClusterWithGroups) {
    use jeroboam_store::samples;
    let store = db.store().await;
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let view = create(&store, samples::new_cluster(&template, "p1", "first")).await;
    (store, template, view)
}

async fn create(store: &jeroboam_store::Store, new: jeroboam_store::NewCluster) -> jeroboam_model::ClusterWithGroups {
    match store.create_cluster(new, 1000).await.expect("created") {
        jeroboam_store::Creation::Created(view) => *view,
        other => panic!("{other:?}"),
    }
}
