//! What roles in a project allow: the table of roles, and which repositories are a project's.

use jeroboam_openstack::TokenInfo;

use crate::access::Action;
use crate::auth::permissions::{Grant, Permissions, Place};
use crate::config::{KeystoneConfig, Namespace, Prefix};

/// What somebody with this token may do.
pub(super) fn permissions(info: &TokenInfo, config: &KeystoneConfig, table: &[Namespace]) -> Permissions {
    let has =
        |roles: &[String]| info.roles.iter().any(|role| roles.iter().any(|known| known.eq_ignore_ascii_case(role)));
    let project = info.project.as_ref().map(jeroboam_model::ProjectId::as_str);
    let everywhere = info.system || project.is_some_and(|id| config.all_projects.iter().any(|known| known == id));
    if everywhere && has(&config.all) {
        return Permissions::everything();
    }
    let Some(project) = project else { return Permissions::default() };
    let ways = [(&config.pull, Action::Pull), (&config.push, Action::Push), (&config.delete, Action::Delete)];
    let actions: Vec<Action> = ways.into_iter().filter(|(roles, _)| has(roles)).map(|(_, action)| action).collect();
    if actions.is_empty() {
        return Permissions::default();
    }
    let given = table.iter().filter(|namespace| namespace.project == project).map(|namespace| namespace.prefix.clone());
    let own = config.namespaces.own(project);
    let grant = |prefix: Prefix| Grant::new(Place::Prefix(prefix), actions.clone());
    Permissions { grants: given.chain(own).map(grant).collect(), catalog: false }
}
