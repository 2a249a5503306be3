//! What a request shows of who sends it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::SecretString;

/// Longest user name that is looked at.
const LONGEST_NAME: usize = 512;

/// `Authorization`, read.
#[derive(Clone, Debug)]
pub(super) enum Credentials {
    /// There is none.
    None,
    /// A name and a password.
    Basic(String, SecretString),
    /// A token.
    Bearer(SecretString),
    /// Something that cannot be read.
    Unreadable,
}

impl Credentials {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Self::None };
        if values.next().is_some() {
            return Self::Unreadable;
        }
        let Some((scheme, rest)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
            return Self::Unreadable;
        };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            return Self::Bearer(rest.into());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return basic(rest).unwrap_or(Self::Unreadable);
        }
        Self::Unreadable
    }
}

fn basic(text: &str) -> Option<Credentials> {
    let decoded = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    let fine = !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(char::is_control);
    fine.then(|| Credentials::Basic(name.to_owned(), password.into()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use secrecy::ExposeSecret;

    use super::*;

    fn shown(values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).expect("a value"));
        }
        match Credentials::of(&headers) {
            Credentials::None => "none".to_owned(),
            Credentials::Basic(name, password) => format!("{name} {}", password.expose_secret()),
            Credentials::Bearer(token) => token.expose_secret().to_owned(),
            Credentials::Unreadable => "unreadable".to_owned(),
        }
    }

    #[test]
    fn headers_are_read() {
        let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (values, read) in [
            (vec![], "none"),
            (vec![encoded("a:b:c")], "a b:c"),
            (vec![encoded("user@domain/project:p")], "user@domain/project p"),
            (vec![encoded("a")], "unreadable"),
            (vec![encoded(":p")], "unreadable"),
            (vec![encoded("a\n:p")], "unreadable"),
            (vec!["basic YTpi".to_owned()], "a b"),
            (vec!["Bearer x.y.z".to_owned()], "x.y.z"),
            (vec!["Bearer ".to_owned()], "unreadable"),
            (vec!["Digest x".to_owned()], "unreadable"),
            (vec!["Basic ?".to_owned()], "unreadable"),
            (vec!["Bearer a".to_owned(), "Bearer b".to_owned()], "unreadable"),
        ] {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            assert_eq!(shown(&values), read, "{values:?}");
        }
    }
}
