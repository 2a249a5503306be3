//! Names under which users of OpenStack log in.

use jeroboam_openstack::{Auth, DomainRef, Named, Scope};
use secrecy::SecretString;

/// How somebody logs in.
#[derive(Clone, Debug)]
pub(super) enum LogIn {
    /// With credentials that Keystone takes.
    With(Auth),
    /// With a token that they have.
    Token(SecretString),
}

/// What begins the name of an application credential.
const CREDENTIAL: &str = "applicationcredential-";
/// The name that goes with a token in place of a password.
const TOKEN: &str = "$token";
/// What begins the name of a trust, where that of a project would stand.
const TRUST: &str = "$trust-";

/// Reads `user@domain/project@domain`, `user@domain/project`, `user@domain/$trust-ID`, `applicationcredential-ID` or `$token`; otherwise none.
/// A user without a domain is of the default domain, a project without one of the user's.
pub(super) fn parse(name: &str, password: &SecretString) -> Option<LogIn> {
    if name == TOKEN {
        return Some(LogIn::Token(password.clone()));
    }
    if let Some(id) = name.strip_prefix(CREDENTIAL) {
        let credential = || Auth::ApplicationCredential { id: id.to_owned(), secret: password.clone() };
        return is_id(id).then(|| LogIn::With(credential()));
    }
    let (user, project) = name.split_once('/')?;
    let (user, user_domain) = in_domain(user, DomainRef::default())?;
    let scope = match project.strip_prefix(TRUST) {
        Some(id) if is_id(id) => Scope::Trust(id.to_owned()),
        Some(_) => return None,
        None => {
            let (name, domain) = in_domain(project, user_domain.clone())?;
            Scope::Project(Named::Name { name, domain })
        }
    };
    let user = Named::Name { name: user, domain: user_domain };
    Some(LogIn::With(Auth::Password { user, password: password.clone(), scope }))
}

/// `name@domain`; the name may have an `@` itself, as addresses of mail do.
fn in_domain(text: &str, default: DomainRef) -> Option<(String, DomainRef)> {
    let (name, domain) = match text.rsplit_once('@') {
        Some((name, domain)) if !domain.is_empty() => (name, DomainRef::Name(domain.to_owned())),
        Some(_) => return None,
        None => (text, default),
    };
    (!name.is_empty()).then(|| (name.to_owned(), domain))
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(domain: &DomainRef) -> &str {
        match domain {
            DomainRef::Id(text) | DomainRef::Name(text) => text,
        }
    }

    #[test]
    fn names_are_read() {
        for (name, read) in [
            ("demo@Default/demo@Other", "demo in Default for demo in Other"),
            ("demo@Default/demo", "demo in Default for demo in Default"),
            ("demo/demo", "demo in default for demo in default"),
            ("ada@example.org@Corp/web", "ada@example.org in Corp for web in Corp"),
            ("trustee@magnum/$trust-0123abcd", "trustee in magnum for trust 0123abcd"),
            ("applicationcredential-0123abcd", "credential 0123abcd"),
            ("$token", "token"),
            ("demo", "none"),
            ("demo@Default", "none"),
            ("@Default/demo", "none"),
            ("demo@/demo", "none"),
            ("demo@Default/", "none"),
            ("applicationcredential-../x", "none"),
            ("t@m/$trust-", "none"),
        ] {
            let text = match parse(name, &"p".into()) {
                None => "none".to_owned(),
                Some(LogIn::Token(_)) => "token".to_owned(),
                Some(LogIn::With(Auth::ApplicationCredential { id, .. })) => format!("credential {id}"),
                Some(LogIn::With(Auth::Password { user: Named::Name { name, domain }, scope, .. })) => {
                    let scope = match &scope {
                        Scope::Trust(id) => format!("trust {id}"),
                        Scope::Project(Named::Name { name, domain }) => format!("{name} in {}", shown(domain)),
                        other => format!("{other:?}"),
                    };
                    format!("{name} in {} for {scope}", shown(&domain))
                }
                Some(other) => format!("{other:?}"),
            };
            assert_eq!(text, read, "{name}");
        }
    }
}
