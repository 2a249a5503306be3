//! Names that are made here: for what was given none, and for the objects in the management cluster.
//!
//! Randomness is an argument: the same seed gives the same name.

const GREEK: [&str; 24] = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
];

/// Longest name of a cluster's objects: everything that Cluster API derives from it stays below 63 characters.
const LONGEST_STACK: usize = 40;
const SUFFIX: usize = 5;

/// `<greek>-<1..24>-<kind>`, as Magnum calls what was given no name. Not unique.
pub(crate) fn generated(seed: u128, kind: &str) -> String {
    let letter = GREEK[(seed % 24) as usize];
    let number = seed / 24 % 24 + 1;
    format!("{letter}-{number}-{kind}")
}

/// The name of a cluster's objects: readable, a DNS label, and different for every cluster.
pub(crate) fn stack_id(cluster_name: Option<&str>, seed: u128) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = cluster_name.unwrap_or_default().chars().map(plain).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name = name.get(..LONGEST_STACK - SUFFIX - 1).unwrap_or(name).trim_end_matches('-');
    let name = if name.is_empty() { "kube" } else { name };
    format!("{name}-{}", suffix(seed))
}

fn suffix(mut seed: u128) -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut letter = || {
        let picked = letters[(seed % 36) as usize];
        seed /= 36;
        char::from(picked)
    };
    (0..SUFFIX).map(|_| letter()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_without_a_name_gets_a_greek_one() {
        assert_eq!(generated(0, "cluster"), "alpha-1-cluster");
        assert_eq!(generated(24 * 24 - 1, "template"), "omega-24-template");
        assert_eq!(generated(24 * 24, "cluster"), "alpha-1-cluster");
    }

    #[test]
    fn names_of_objects_are_short_dns_labels() {
        let long = "A.very_long-NAME".repeat(15);
        for (name, want) in [
            (Some("Prod_1.eu"), "prod-1-eu-"),
            (Some("7up"), "up-"),
            (Some("a..."), "a-"),
            (Some("..."), "kube-"),
            (None, "kube-"),
            (Some(long.as_str()), "a-very-long-name"),
        ] {
            let id = stack_id(name, 0x1234_5678_9abc_def0);
            assert!(id.starts_with(want), "{name:?} became {id}");
            assert!(id.len() <= 40, "{id}");
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{id}");
            assert!(id.as_bytes()[0].is_ascii_lowercase() && !id.ends_with('-'), "{id}");
        }
        assert_ne!(stack_id(Some("a"), 1), stack_id(Some("a"), 2));
    }
}
