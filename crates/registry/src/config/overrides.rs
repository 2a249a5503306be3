//! `REGISTRY_*` variables in place of values of the file, by distribution's rules.
//!
//! An underscore steps into a section. Names of fixed sections are found without regard to case, and a variable that names none is passed by
//! with a word about it; in a section whose names are anybody's (the parameters of a driver), one that is not there is made in lower case. A value
//! is YAML. `REGISTRY_STORAGE=swift` chooses a driver and forgets the other; what is more specific is applied after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keys;
use super::remarks::Remark;
use super::tree::{BadYaml, Node, Place, Value};

const PREFIX: &str = "REGISTRY_";

/// Applies variables to the file's tree, in the order of their names.
pub(super) fn apply(
    root: &mut Node,
    environment: &BTreeMap<String, String>,
    remarks: &mut Vec<Remark>,
) -> Result<(), BadYaml> {
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let steps: Vec<&str> = rest.split('_').collect();
        let variable: Arc<str> = name.as_str().into();
        let mut value = Node::parse(text, Some(&variable))?;
        if matches!(rest, "STORAGE" | "AUTH") {
            choose(&mut value);
        }
        if !put(root, &mut Vec::new(), &steps, value) {
            let place = Place::Variable(variable);
            remarks.push(Remark::warning(place, "names nothing that can be set, and is passed by"));
        }
    }
    Ok(())
}

/// `swift` is short for a section `swift` without anything in it.
pub(super) fn choose(node: &mut Node) {
    if let Value::Scalar(driver) = &node.value {
        let empty = Node { value: Value::Map(Vec::new()), place: node.place.clone() };
        node.value = Value::Map(vec![(driver.clone(), empty)]);
    }
}

/// Whether there is a place for it.
fn put(node: &mut Node, path: &mut Vec<String>, steps: &[&str], value: Node) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        *node = value;
        return true;
    };
    if matches!(node.value, Value::Null) {
        *node = Node { value: Value::Map(Vec::new()), place: value.place.clone() };
    }
    // distribution 3: a number steps into a list, and the one after the last makes an item.
    if let Value::List(items) = &mut node.value {
        let Some(at) = step.parse::<usize>().ok().filter(|at| *at <= items.len()) else { return false };
        if at == items.len() {
            items.push(Node { value: Value::Null, place: value.place.clone() });
        }
        path.push("[]".to_owned());
        return put(&mut items[at], path, rest, value);
    }
    let (open, lenient) = (keys::is_open(path), keys::is_lenient(path));
    let Value::Map(entries) = &mut node.value else { return false };
    let same = |known: &str| known.to_uppercase() == *step || (lenient && keys::plain(known) == keys::plain(step));
    let found = entries.iter().position(|(known, _)| same(known));
    let name = match found {
        Some(at) => entries[at].0.clone(),
        None if open => step.to_lowercase(),
        None => match keys::children(path).into_iter().find(|known| same(known)) {
            Some(known) => known.to_owned(),
            None => return false,
        },
    };
    let at = found.unwrap_or_else(|| {
        entries.push((name.clone(), Node { value: Value::Null, place: value.place.clone() }));
        entries.len() - 1
    });
    path.push(name);
    put(&mut entries[at].1, path, rest, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(file: &str, variables: &[(&str, &str)]) -> (Node, Vec<String>) {
        let mut root = Node::parse(file, None).expect("a file");
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut remarks = Vec::new();
        apply(&mut root, &environment, &mut remarks).expect("variables");
        (root, remarks.iter().map(ToString::to_string).collect())
    }

    fn at<'a>(node: &'a Node, path: &str) -> Option<&'a str> {
        let found = path.split('.').try_fold(node, |node, name| node.get(name))?;
        match &found.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn an_underscore_steps_into_a_section() {
        let (root, remarks) = applied(
            "version: 0.1\nhttp: {addr: ':5000'}\nstorage: {filesystem: {RootDirectory: /a}}\n",
            &[
                ("REGISTRY_HTTP_ADDR", "127.0.0.1:1"),
                ("REGISTRY_HTTP_TLS_CERTIFICATE", "/c"),
                ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/b"),
                ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
                ("REGISTRY_HTTP_HEADERS_X-FRAME", "[a, b]"),
                ("REGISTRY_NO_SUCH", "1"),
                ("REGISTRY_HTTP_ADR", "1"),
                ("REGISTRYHTTP", "1"),
                ("HOME", "/"),
            ],
        );
        assert_eq!(at(&root, "http.addr"), Some("127.0.0.1:1"));
        assert_eq!(at(&root, "http.tls.certificate"), Some("/c"));
        assert_eq!(at(&root, "storage.filesystem.RootDirectory"), Some("/b"));
        assert_eq!(at(&root, "storage.delete.enabled"), Some("true"));
        assert!(root.get("http").and_then(|http| http.get("headers")).and_then(|all| all.get("x-frame")).is_some());
        assert_eq!(
            remarks,
            [
                "REGISTRY_HTTP_ADR: names nothing that can be set, and is passed by",
                "REGISTRY_NO_SUCH: names nothing that can be set, and is passed by"
            ]
        );
    }

    #[test]
    fn choosing_a_driver_forgets_the_other_and_keeps_what_is_more_specific() {
        let (root, _) = applied(
            "storage: {filesystem: {rootdirectory: /a}, delete: {enabled: true}}\n",
            &[("REGISTRY_STORAGE_SWIFT_USERNAME", "u"), ("REGISTRY_STORAGE", "swift")],
        );
        let storage = root.get("storage").expect("a section");
        assert_eq!(storage.entries().len(), 1);
        assert_eq!(at(storage, "swift.username"), Some("u"));
    }

    #[test]
    fn a_value_is_yaml_and_may_be_a_whole_section() {
        let (root, _) =
            applied("{}", &[("REGISTRY_HTTP", "{addr: ':1', secret: s}"), ("REGISTRY_HTTP_SECRET", "'0123'")]);
        assert_eq!([at(&root, "http.addr"), at(&root, "http.secret")], [Some(":1"), Some("0123")]);
        let environment = [("REGISTRY_HTTP".to_owned(), "{".to_owned())].into();
        let bad = apply(&mut Node::parse("{}", None).expect("a file"), &environment, &mut Vec::new());
        assert!(bad.expect_err("no YAML").to_string().starts_with("REGISTRY_HTTP: "));
    }

    #[test]
    fn our_own_names_are_found_however_they_are_spelled() {
        let (root, remarks) = applied(
            "jeroboam: {insecure_open: false}\n",
            &[("REGISTRY_JEROBOAM_INSECUREOPEN", "true"), ("REGISTRY_JEROBOAM_GC_ENABLED", "yes")],
        );
        assert_eq!(
            [at(&root, "jeroboam.insecure_open"), at(&root, "jeroboam.gc.enabled")],
            [Some("true"), Some("yes")]
        );
        assert!(remarks.is_empty());
    }
}
