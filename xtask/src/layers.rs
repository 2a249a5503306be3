//! Which crate may know which, and where heavy dependencies live.

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Names of all that it needs to be built; what only its tests need is free.
    pub(crate) needs: Vec<String>,
}

/// Where a crate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Nouns and pure functions: no runtime, no network, no database.
    Nouns,
    /// One far side each.
    FarSides,
    /// What a request means, and what is done about it.
    Work,
    /// Surfaces.
    Surfaces,
    /// Programs.
    Programs,
}

const LEVELS: &[(&str, Level)] = &[
    ("jeroboam-model", Level::Nouns),
    ("jeroboam-oslo", Level::Nouns),
    ("jeroboam-capi", Level::Nouns),
    ("jeroboam-oci", Level::Nouns),
    ("jeroboam-openstack", Level::FarSides),
    ("jeroboam-store", Level::FarSides),
    ("jeroboam-blobs", Level::FarSides),
    ("jeroboam-management", Level::FarSides),
    ("jeroboam-certificates", Level::FarSides),
    ("jeroboam-service", Level::Work),
    ("jeroboam-reconcile", Level::Work),
    ("jeroboam-api", Level::Surfaces),
    ("jeroboam-registry", Level::Surfaces),
    ("jeroboam-cli", Level::Surfaces),
    ("jeroboam", Level::Programs),
    ("jeroboam-bench", Level::Programs),
    ("jeroboam-conformance", Level::Programs),
    ("jeroboam-differential", Level::Programs),
    ("xtask", Level::Programs),
];

/// Crates beside the levels: what they may know, and from which level on they may be known.
const BESIDE: &[(&str, Level, Level)] = &[
    ("jeroboam-telemetry", Level::Nouns, Level::Surfaces),
    ("jeroboam-listen", Level::Nouns, Level::Surfaces),
    ("jeroboam-notify", Level::Nouns, Level::Work),
    ("jeroboam-sandbox", Level::Nouns, Level::Programs),
];

/// Neighbours that may know each other although their level says no: the client uses the API's wire types.
const EXCEPTIONS: &[(&str, &str)] = &[("jeroboam-cli", "jeroboam-api")];

/// Dependencies and the only packages that may name them.
const HOMES: &[(&str, &[&str])] = &[
    ("sea-orm", &["jeroboam-store"]),
    ("sea-orm-migration", &["jeroboam-store"]),
    ("sqlx", &["jeroboam-store"]),
    ("kube", &["jeroboam-management"]),
    ("lapin", &["jeroboam-notify"]),
    ("quick-xml", &["jeroboam-blobs"]),
    ("prometheus-client", &["jeroboam-telemetry", "jeroboam-api", "jeroboam-registry"]),
    ("minijinja", &["jeroboam-registry"]),
    ("regex", &["jeroboam-registry"]),
    ("tracing-subscriber", &["jeroboam-telemetry"]),
    ("clap", &["jeroboam-cli", "jeroboam", "jeroboam-bench", "jeroboam-conformance", "jeroboam-differential", "xtask"]),
    ("axum", &["jeroboam-api", "jeroboam-registry", "jeroboam-sandbox", "jeroboam", "jeroboam-bench"]),
    ("argon2", &["jeroboam-registry"]),
    ("bcrypt", &["jeroboam-registry"]),
    (
        "anyhow",
        &["jeroboam-cli", "jeroboam", "jeroboam-bench", "jeroboam-conformance", "jeroboam-differential", "xtask"],
    ),
];

/// What crates of the lowest level do without.
const NOT_IN_NOUNS: &[&str] =
    &["tokio", "tokio-util", "futures", "http", "hyper", "reqwest", "axum", "tower", "tracing"];

/// What is wrong with the arrows between these packages.
pub(crate) fn complaints(packages: &[Package]) -> Vec<String> {
    packages.iter().flat_map(|package| package.needs.iter().filter_map(|needed| wrong(&package.name, needed))).collect()
}

fn level(name: &str) -> Option<Level> {
    LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
}

fn beside(name: &str) -> Option<(Level, Level)> {
    BESIDE.iter().find(|(known, ..)| *known == name).map(|(_, may_know, known_from)| (*may_know, *known_from))
}

fn is_ours(name: &str) -> bool {
    name.starts_with("jeroboam") || name == "xtask"
}

fn wrong(from: &str, to: &str) -> Option<String> {
    if !is_ours(to) {
        return wrong_dependency(from, to);
    }
    let nowhere = |name: &str| format!("{name} has no level: give it one in xtask/src/layers.rs");
    let highest = match (level(from), beside(from)) {
        (Some(level), _) => level,
        (None, Some((may_know, _))) => {
            let fine = level(to).is_some_and(|to| to <= may_know);
            return (!fine).then(|| format!("{from} needs {to}: it stands beside the levels and knows nouns only"));
        }
        (None, None) => return Some(nowhere(from)),
    };
    if let Some((_, known_from)) = beside(to) {
        return (highest < known_from).then(|| format!("{from} needs {to}, which is for higher levels"));
    }
    let Some(lower) = level(to) else { return Some(nowhere(to)) };
    let excepted = EXCEPTIONS.contains(&(from, to));
    if lower > highest {
        Some(format!("{from} needs {to}: the arrow points up"))
    } else if lower == highest && highest >= Level::Work && !excepted {
        Some(format!("{from} needs {to}: neighbours do not know each other"))
    } else {
        None
    }
}

fn wrong_dependency(from: &str, to: &str) -> Option<String> {
    if level(from) == Some(Level::Nouns) && NOT_IN_NOUNS.contains(&to) {
        return Some(format!("{from} needs {to}: crates of the lowest level do no I/O"));
    }
    let (_, homes) = HOMES.iter().find(|(heavy, _)| *heavy == to)?;
    (!homes.contains(&from)).then(|| format!("{from} needs {to}, whose home is {}", homes.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_down() {
        let up = "jeroboam-store needs jeroboam-service: the arrow points up";
        let heavy = "jeroboam-service needs kube, whose home is jeroboam-management";
        for (from, to, complaint) in [
            ("jeroboam-service", "jeroboam-store", None),
            ("jeroboam-capi", "jeroboam-model", None),
            ("jeroboam-management", "jeroboam-openstack", None),
            ("jeroboam-cli", "jeroboam-api", None),
            ("jeroboam-api", "jeroboam-telemetry", None),
            ("jeroboam", "jeroboam-sandbox", None),
            ("jeroboam-telemetry", "jeroboam-oslo", None),
            ("jeroboam-model", "serde", None),
            ("jeroboam-management", "kube", None),
            ("jeroboam-store", "jeroboam-service", Some(up)),
            ("jeroboam-service", "kube", Some(heavy)),
            (
                "jeroboam-api",
                "jeroboam-cli",
                Some("jeroboam-api needs jeroboam-cli: neighbours do not know each other"),
            ),
            (
                "jeroboam-reconcile",
                "jeroboam-service",
                Some("jeroboam-reconcile needs jeroboam-service: neighbours do not know each other"),
            ),
            ("jeroboam-model", "tokio", Some("jeroboam-model needs tokio: crates of the lowest level do no I/O")),
            (
                "jeroboam-store",
                "jeroboam-telemetry",
                Some("jeroboam-store needs jeroboam-telemetry, which is for higher levels"),
            ),
            (
                "jeroboam-sandbox",
                "jeroboam-store",
                Some("jeroboam-sandbox needs jeroboam-store: it stands beside the levels and knows nouns only"),
            ),
            ("jeroboam-new", "jeroboam-model", Some("jeroboam-new has no level: give it one in xtask/src/layers.rs")),
        ] {
            let package = Package { name: from.to_owned(), needs: vec![to.to_owned()] };
            let expected: Vec<_> = complaint.map(str::to_owned).into_iter().collect();
            assert_eq!(complaints(&[package]), expected);
        }
    }
}
