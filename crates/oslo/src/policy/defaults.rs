//! Magnum 23's rules, as they hold where no policy file says otherwise.

use std::fmt::Write as _;

use super::credentials::TokenScope;

/// A rule with its default.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What policy files call it.
    pub name: &'static str,
    /// The default, in the policy language.
    pub check: &'static str,
    /// What it was before; also allowed where `enforce_new_defaults` is off.
    pub deprecated: Option<Deprecated>,
    /// Whether only a project's token may pass.
    pub project_only: bool,
    /// What it guards.
    pub guards: &'static str,
}

/// The default a rule used to have.
#[derive(Clone, Copy, Debug)]
pub struct Deprecated {
    /// The name under which a policy file may still set it.
    pub name: &'static str,
    /// The former default.
    pub check: &'static str,
}

impl Rule {
    /// Whether a token of this scope may pass at all.
    pub(super) fn admits(&self, scope: TokenScope) -> bool {
        !self.project_only || scope == TokenScope::Project
    }
}

// Magnum: the names of deprecated rules carry the prefix `rule:` (magnum/common/policies/base.py), so an
// `admin_or_owner` in a policy file does not replace the newer rules.
const OWNER: Option<Deprecated> =
    Some(Deprecated { name: "rule:admin_or_owner", check: "is_admin:True or project_id:%(project_id)s" });
const USER: Option<Deprecated> =
    Some(Deprecated { name: "rule:admin_or_user", check: "((rule:context_is_admin) or (rule:is_user))" });

const ADMIN: &str = "rule:context_is_admin";
const MEMBER: &str = "rule:admin_or_project_member";
const READER: &str = "rule:admin_or_project_reader";
const MEMBER_NO_TRUSTEE: &str = "rule:admin_or_project_member_deny_cluster_user";
const READER_NO_TRUSTEE: &str = "rule:admin_or_project_reader_deny_cluster_user";

const fn base(name: &'static str, check: &'static str, deprecated: Option<Deprecated>) -> Rule {
    Rule { name, check, deprecated, project_only: false, guards: "" }
}

const fn project(name: &'static str, check: &'static str, guards: &'static str) -> Rule {
    Rule { name, check, deprecated: None, project_only: true, guards }
}

const fn admin(name: &'static str, guards: &'static str) -> Rule {
    Rule { name, check: ADMIN, deprecated: None, project_only: false, guards }
}

const RULES: &[Rule] = &[
    base("context_is_admin", "role:admin", None),
    base("admin_or_owner", "is_admin:True or project_id:%(project_id)s", None),
    base("admin_or_user", "is_admin:True or user_id:%(user_id)s", None),
    base("is_user", "user_id:%(user_id)s", None),
    base("project_member", "role:member and project_id:%(project_id)s", None),
    base("project_reader", "role:reader and project_id:%(project_id)s", None),
    base("admin_or_project_reader", "(rule:context_is_admin) or (rule:project_reader)", OWNER),
    base("admin_or_project_member", "(rule:context_is_admin) or (rule:project_member)", OWNER),
    base("admin_or_project_member_user", "(rule:context_is_admin) or ((rule:project_member) and (rule:is_user))", USER),
    base(
        "admin_or_project_member_user_or_cluster_user",
        "(rule:context_is_admin) or ((rule:project_member) and (rule:is_user))",
        USER,
    ),
    base("project_member_deny_cluster_user", "(rule:project_member)", OWNER),
    base("admin_or_project_member_deny_cluster_user", "(rule:context_is_admin) or (rule:project_member)", OWNER),
    base("project_reader_deny_cluster_user", "(rule:project_reader)", OWNER),
    base("admin_or_project_reader_deny_cluster_user", "(rule:context_is_admin) or (rule:project_reader)", OWNER),
    base("admin_or_project_reader_user", "(rule:context_is_admin) or ((rule:project_reader) and (rule:is_user))", USER),
    project("certificate:create", "rule:admin_or_project_member_user", "POST /v1/certificates"),
    project("certificate:get", "rule:admin_or_project_reader_user", "GET /v1/certificates/{cluster}"),
    project("certificate:rotate_ca", MEMBER, "PATCH /v1/certificates/{cluster}"),
    project("cluster:create", MEMBER_NO_TRUSTEE, "POST /v1/clusters"),
    project("cluster:delete", MEMBER_NO_TRUSTEE, "DELETE /v1/clusters/{cluster}"),
    admin("cluster:delete_all_projects", "DELETE /v1/clusters/{cluster} of any project"),
    project("cluster:detail", READER_NO_TRUSTEE, "GET /v1/clusters/detail"),
    admin("cluster:detail_all_projects", "GET /v1/clusters/detail of any project"),
    project("cluster:get", READER_NO_TRUSTEE, "GET /v1/clusters/{cluster}"),
    admin("cluster:get_one_all_projects", "GET /v1/clusters/{cluster} of any project"),
    project("cluster:get_all", READER_NO_TRUSTEE, "GET /v1/clusters"),
    admin("cluster:get_all_all_projects", "GET /v1/clusters of any project"),
    project("cluster:update", MEMBER_NO_TRUSTEE, "PATCH /v1/clusters/{cluster}"),
    project(
        "cluster:update_health_status",
        "rule:admin_or_project_member_user_or_cluster_user",
        "PATCH /v1/clusters/{cluster} of its health",
    ),
    admin("cluster:update_all_projects", "PATCH /v1/clusters/{cluster} of any project"),
    project("cluster:resize", MEMBER_NO_TRUSTEE, "POST /v1/clusters/{cluster}/actions/resize"),
    project("cluster:upgrade", MEMBER_NO_TRUSTEE, "POST /v1/clusters/{cluster}/actions/upgrade"),
    admin("cluster:upgrade_all_projects", "POST /v1/clusters/{cluster}/actions/upgrade of any project"),
    project("clustertemplate:create", MEMBER_NO_TRUSTEE, "POST /v1/clustertemplates"),
    project("clustertemplate:delete", MEMBER, "DELETE /v1/clustertemplates/{template}"),
    admin("clustertemplate:delete_all_projects", "DELETE /v1/clustertemplates/{template} of any project"),
    admin("clustertemplate:detail_all_projects", "GET /v1/clustertemplates/detail of any project"),
    project("clustertemplate:detail", READER_NO_TRUSTEE, "GET /v1/clustertemplates/detail"),
    project("clustertemplate:get", READER_NO_TRUSTEE, "GET /v1/clustertemplates/{template}"),
    admin("clustertemplate:get_one_all_projects", "GET /v1/clustertemplates/{template} of any project"),
    project("clustertemplate:get_all", READER_NO_TRUSTEE, "GET /v1/clustertemplates"),
    admin("clustertemplate:get_all_all_projects", "GET /v1/clustertemplates of any project"),
    project("clustertemplate:update", MEMBER, "PATCH /v1/clustertemplates/{template}"),
    admin("clustertemplate:update_all_projects", "PATCH /v1/clustertemplates/{template} of any project"),
    admin("clustertemplate:publish", "POST or PATCH of a template with public or hidden"),
    project("credential:rotate", "rule:project_member_deny_cluster_user", "PATCH /v1/credentials/{cluster}"),
    project("federation:create", MEMBER_NO_TRUSTEE, "POST /v1/federations"),
    project("federation:delete", MEMBER_NO_TRUSTEE, "DELETE /v1/federations/{federation}"),
    project("federation:detail", READER_NO_TRUSTEE, "GET /v1/federations/detail"),
    project("federation:get", READER_NO_TRUSTEE, "GET /v1/federations/{federation}"),
    project("federation:get_all", READER_NO_TRUSTEE, "GET /v1/federations"),
    project("federation:update", MEMBER_NO_TRUSTEE, "PATCH /v1/federations/{federation}"),
    admin("magnum-service:get_all", "GET /v1/mservices"),
    admin("quota:create", "POST /v1/quotas"),
    admin("quota:delete", "DELETE /v1/quotas/{project}/{resource}"),
    project("quota:get", READER, "GET /v1/quotas/{project}/{resource}"),
    admin("quota:get_all", "GET /v1/quotas"),
    admin("quota:update", "PATCH /v1/quotas/{project}/{resource}"),
    project("stats:get_all", READER, "GET /v1/stats"),
    project("nodegroup:get", READER, "GET /v1/clusters/{cluster}/nodegroups/{nodegroup}"),
    project("nodegroup:get_all", READER, "GET /v1/clusters/{cluster}/nodegroups"),
    admin("nodegroup:get_all_all_projects", "GET /v1/clusters/{cluster}/nodegroups of any project"),
    admin("nodegroup:get_one_all_projects", "GET /v1/clusters/{cluster}/nodegroups/{nodegroup} of any project"),
    project("nodegroup:create", MEMBER, "POST /v1/clusters/{cluster}/nodegroups"),
    project("nodegroup:delete", MEMBER, "DELETE /v1/clusters/{cluster}/nodegroups/{nodegroup}"),
    project("nodegroup:update", MEMBER, "PATCH /v1/clusters/{cluster}/nodegroups/{nodegroup}"),
];

/// All rules, base rules first.
#[must_use]
pub const fn rules() -> &'static [Rule] {
    RULES
}

/// A policy file that says what holds anyway, every line commented out.
#[must_use]
pub fn policy_sample() -> String {
    let mut text = String::from(
        "# Rules of the API. What stands here commented out is the default; uncomment a line to change it.\n",
    );
    for rule in RULES {
        let scope = if rule.project_only { " (project tokens only)" } else { "" };
        let guards = if rule.guards.is_empty() { "used by other rules" } else { rule.guards };
        let _ = write!(text, "\n# {guards}{scope}\n");
        if let Some(deprecated) = rule.deprecated {
            let _ = writeln!(text, "# With enforce_new_defaults = False also: {}", deprecated.check);
            let _ = writeln!(text, "# Formerly \"{}\".", deprecated.name);
        }
        let _ = writeln!(text, "#\"{}\": \"{}\"", rule.name, rule.check);
    }
    text
}
