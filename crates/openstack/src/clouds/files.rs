//! Finds and merges the files.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Lookup;
use crate::Error;

const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// All clouds of the first `clouds.yaml`, with the secrets of the first `secure.yaml` laid over them.
pub(super) fn clouds(lookup: &Lookup) -> Result<BTreeMap<String, Value>, Error> {
    let mut clouds = section(lookup, "OS_CLIENT_CONFIG_FILE", "clouds", "clouds")?;
    for (name, secret) in section(lookup, "OS_CLIENT_SECURE_FILE", "secure", "clouds")? {
        merge(clouds.entry(name).or_insert(Value::Null), secret);
    }
    Ok(clouds)
}

/// A cloud's settings over those of its `profile` in `clouds-public.yaml`.
pub(super) fn with_profile(cloud: Value, lookup: &Lookup) -> Result<Value, Error> {
    let profile = cloud.get("profile").or_else(|| cloud.get("cloud")).and_then(Value::as_str);
    let Some(profile) = profile else { return Ok(cloud) };
    let mut public = section(lookup, "OS_CLIENT_VENDOR_FILE", "clouds-public", "public-clouds")?;
    let Some(mut base) = public.remove(profile) else {
        return Err(Error::Settings(format!("profile {profile} is in no clouds-public.yaml")));
    };
    merge(&mut base, cloud);
    Ok(base)
}

fn section(lookup: &Lookup, variable: &str, stem: &str, key: &str) -> Result<BTreeMap<String, Value>, Error> {
    let named = lookup.variable(variable).map(PathBuf::from);
    let usual =
        lookup.directories().into_iter().flat_map(|dir| ENDINGS.map(|ending| dir.join(format!("{stem}.{ending}"))));
    for path in named.into_iter().chain(usual) {
        let Some(mut file) = read(&path)? else { continue };
        let clouds = file.get_mut(key).map(Value::take);
        return match clouds {
            None | Some(Value::Null) => Ok(BTreeMap::new()),
            Some(Value::Object(clouds)) => Ok(clouds.into_iter().map(|(name, cloud)| (name, normal(cloud))).collect()),
            Some(_) => Err(Error::Settings(format!("{key} in {} is no mapping", path.display()))),
        };
    }
    Ok(BTreeMap::new())
}

fn read(path: &Path) -> Result<Option<Value>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(Error::Settings(format!("{} can not be read: {error}", path.display()))),
    };
    if text.trim().is_empty() {
        return Ok(Some(Value::Null));
    }
    // The parser's own message shows the line, and with it perhaps a password.
    serde_saphyr::from_str(&text).map(Some).map_err(|error| {
        let line = error.location().map(|at| format!(" at line {}", at.line())).unwrap_or_default();
        Error::Settings(format!("{} is not valid YAML{line}", path.display()))
    })
}

/// Keys with underscores only: `auth-url` is `auth_url`.
fn normal(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let pairs = map.into_iter().map(|(key, value)| (key.replace('-', "_"), normal(value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Lays `over` onto `base`, mapping by mapping.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
