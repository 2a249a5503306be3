//! Which machines go first when a group shrinks by named nodes.

use crate::observed::{MachineSeen, Observed};
use jeroboam_model::{NodeGroupId, Removal};

/// Names that fit no machine of their group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no machine of the node group is called {}", .0.join(", "))]
pub struct UnknownNodes(pub Vec<String>);

/// The names of the machines to mark so that Cluster API removes them before others.
///
/// A node may be named by the id of its server, by its machine's or by its node's name. A machine that is being removed
/// already counts as found and is not marked again.
#[must_use]
pub fn machines_to_remove<'a>(observed: &'a Observed, removals: &[Removal]) -> Vec<&'a MachineSeen> {
    let meant = |machine: &MachineSeen| removals.iter().any(|removal| is(machine, removal));
    observed.machines.iter().filter(|machine| !machine.meta.deleting && meant(machine)).collect()
}

/// Whether a machine is the one that a removal names.
fn is(machine: &MachineSeen, removal: &Removal) -> bool {
    let of_group =
        |group: NodeGroupId| machine.meta.nodegroup.as_deref().is_none_or(|label| label.parse() == Ok(group));
    let name = removal.node.trim();
    let same_server = machine.server().is_some_and(|server| server.eq_ignore_ascii_case(name));
    let same_node = machine.node.as_deref() == Some(name);
    of_group(removal.group) && !name.is_empty() && (same_server || same_node || machine.meta.name == name)
}

impl UnknownNodes {
    /// Refuses names that fit no machine of their group.
    pub fn check(observed: &Observed, removals: &[Removal]) -> Result<(), Self> {
        let unknown = |removal: &&Removal| !observed.machines.iter().any(|machine| is(machine, removal));
        let names: Vec<_> = removals.iter().filter(unknown).map(|removal| removal.node.clone()).collect();
        if names.is_empty() { Ok(()) } else { Err(Self(names)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Meta;

    fn machine(name: &str, group: NodeGroupId, server: &str, node: &str) -> MachineSeen {
        MachineSeen {
            meta: Meta { name: name.into(), nodegroup: Some(group.to_string()), ..Meta::default() },
            provider_id: Some(format!("openstack:///{server}")),
            node: Some(node.into()),
            ..MachineSeen::default()
        }
    }

    #[test]
    fn a_node_is_found_by_server_machine_or_node_name_within_its_group() {
        let (ours, theirs) = (NodeGroupId::random(), NodeGroupId::random());
        let mut leaving = machine("m-3", ours, "s-3", "n-3");
        leaving.meta.deleting = true;
        let observed = Observed {
            machines: vec![machine("m-1", ours, "s-1", "n-1"), machine("m-2", theirs, "s-2", "n-2"), leaving],
            ..Observed::default()
        };
        for (node, expected) in [
            ("s-1", vec!["m-1"]),
            ("S-1", vec!["m-1"]),
            ("m-1", vec!["m-1"]),
            (" n-1 ", vec!["m-1"]),
            ("s-2", vec![]),
            ("s-3", vec![]),
            ("", vec![]),
            ("-1", vec![]),
        ] {
            let found = machines_to_remove(&observed, &[Removal { group: ours, node: node.into() }]);
            let names: Vec<_> = found.iter().map(|machine| machine.meta.name.as_str()).collect();
            assert_eq!(names, expected, "{node:?}");
        }
    }

    #[test]
    fn names_that_fit_nothing_are_told_and_leaving_machines_are_not_among_them() {
        let group = NodeGroupId::random();
        let mut leaving = machine("m-3", group, "s-3", "n-3");
        leaving.meta.deleting = true;
        let observed = Observed { machines: vec![leaving], ..Observed::default() };
        let removals = ["s-3", "s-9", ""].map(|node| Removal { group, node: node.into() });
        assert_eq!(UnknownNodes::check(&observed, &removals), Err(UnknownNodes(vec!["s-9".into(), String::new()])));
        assert_eq!(UnknownNodes::check(&observed, &removals[..1]), Ok(()));
    }
}
