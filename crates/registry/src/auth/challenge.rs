//! What a client reads when it has to say who it is.

use http::HeaderValue;

use super::scope::Scope;

/// Whom a client may turn to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A name and a password, shown with each request.
    Basic { realm: String },
    /// A token from there.
    Bearer { realm: String, service: String },
}

/// What was wrong with the token that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is not good.
    Invalid,
    /// It is good for something else.
    Insufficient,
}

impl Way {
    /// The value of `WWW-Authenticate`.
    pub(super) fn challenge(&self, scopes: &[Scope], flaw: Option<Flaw>) -> Option<HeaderValue> {
        let text = match self {
            Self::Basic { realm } => format!("Basic realm={}", quoted(realm)),
            Self::Bearer { realm, service } => {
                let mut text = format!("Bearer realm={},service={}", quoted(realm), quoted(service));
                if !scopes.is_empty() {
                    let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
                    text.push_str(&format!(",scope={}", quoted(&scopes.join(" "))));
                }
                match flaw {
                    Some(Flaw::Invalid) => text.push_str(",error=\"invalid_token\""),
                    Some(Flaw::Insufficient) => text.push_str(",error=\"insufficient_scope\""),
                    None => {}
                }
                text
            }
        };
        HeaderValue::try_from(text).ok()
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_as_clients_read_them() {
        let bearer = Way::Bearer { realm: "https://a/auth/token".to_owned(), service: "a".to_owned() };
        let basic = Way::Basic { realm: "the \"realm\"".to_owned() };
        let scope: Vec<Scope> =
            ["repository:a/b:pull,push", "repository:c:pull"].iter().filter_map(|text| Scope::parse(text)).collect();
        for (way, scopes, flaw, value) in [
            (&basic, scope.as_slice(), Some(Flaw::Invalid), "Basic realm=\"the \\\"realm\\\"\""),
            (&bearer, &[], None, "Bearer realm=\"https://a/auth/token\",service=\"a\""),
            (
                &bearer,
                &scope,
                Some(Flaw::Insufficient),
                "Bearer realm=\"https://a/auth/token\",service=\"a\",scope=\"repository:a/b:pull,push repository:c:pull\",error=\"insufficient_scope\"",
            ),
        ] {
            assert_eq!(way.challenge(scopes, flaw).expect("a value"), value);
        }
        assert_eq!(Way::Basic { realm: "a\nb".to_owned() }.challenge(&[], None), None);
    }
}
