//! What must hold whatever is read as a configuration: the tests try what is kept in `fuzz/seeds`, the fuzzer looks for more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Config, Place, Severity};

/// What stands between the file and the variables in an input.
const VARIABLES: &str = "\n--- variables\n";

/// Reads a file and, behind a line that says so, variables of the environment.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (file, variables) = text.split_once(VARIABLES).unwrap_or((text, ""));
    let variables: BTreeMap<String, String> = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let Ok(read) = Config::read(file, &variables) else { return };
    let again = Config::read(file, &variables).expect("it was read a moment ago");
    assert_eq!(format!("{:?}", read.config), format!("{:?}", again.config), "the same is read in the same way");
    assert_eq!(read.remarks, again.remarks);
    let lines = file.lines().count() + 1;
    for remark in &read.remarks {
        match &remark.place {
            Some(Place::Line(line)) => assert!(*line <= lines, "{remark} is about a line that is not there"),
            Some(Place::Variable(name)) => {
                assert!(variables.contains_key(&**name), "{remark} is about a variable that is not there");
            }
            None => {}
        }
        assert!(!remark.text.is_empty() && !remark.text.ends_with('.'), "{remark} is a fragment");
    }
    let wrong = read.remarks.iter().any(|remark| remark.severity == Severity::Error);
    let used = read.into_config();
    assert_eq!(used.is_err(), wrong, "what is not used has an error that says why");
    let Ok(config) = used else { return };
    // What a variable says counts, whatever the file says.
    let mut more = variables.clone();
    more.retain(|name, _| !name.starts_with("REGISTRY_HTTP"));
    more.insert("REGISTRY_HTTP_DRAINTIMEOUT".to_owned(), "7s".to_owned());
    let changed = Config::read(file, &more).expect("it was read a moment ago").into_config();
    if let Ok(changed) = changed {
        assert_eq!(changed.http.drain, Duration::from_secs(7));
        assert_eq!(format!("{:?}", changed.storage), format!("{:?}", config.storage), "and changes nothing else");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_kept_of_configurations_holds() {
        jeroboam_oci::properties::replay("registry-config", config);
    }

    /// Pieces that a configuration is made of, more or less.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("version: 0.1\n".to_owned()),
            Just("storage: inmemory\n".to_owned()),
            "(storage|http|auth|log|jeroboam|health|notifications): ?\\{[a-z]{1,12}: [a-z0-9:/~\\[\\]{}', ]{0,20}\\}\n",
            "[a-z]{1,10}:\n  [a-zA-Z_]{1,16}: [a-z0-9.:/-]{0,12}\n",
            Just(VARIABLES.to_owned()),
            "REGISTRY_[A-Z0-9_]{1,40}=[a-z0-9{}:, ]{0,12}\n",
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_put_together_the_properties_hold(pieces in proptest::collection::vec(piece(), 0..8)) {
            config(pieces.concat().as_bytes());
        }

        #[test]
        fn whatever_is_written_the_properties_hold(text in "[ -~\n]{0,200}") {
            config(text.as_bytes());
        }
    }

    #[test]
    fn secrets_do_not_print_themselves() {
        let file = "version: 0.1\nstorage: {swift: {container: c, password: opensesame, applicationcredentialsecret: opensesame}}\n\
                    http: {secret: opensesame}\nproxy: {remoteurl: 'http://a', password: opensesame}\n";
        let read = Config::read(file, &BTreeMap::new()).expect("YAML");
        let shown = format!("{read:?}");
        assert!(read.config.is_some() && !shown.contains("opensesame"), "{shown}");
    }
}
