//! Whom a client's certificate is about, as rules name them.
//!
//! An authority signs what it is asked for, so that a value may contain anything: what separates the parts of a name is escaped in it, and a common name is
//! taken from its own place, never found in the text.

use std::fmt::Write as _;

use x509_parser::certificate::X509Certificate;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer as _, X509Name};
use x509_parser::x509::AttributeTypeAndValue;

use crate::auth::Subject;

/// The subject of a certificate; none where it cannot be read.
pub(super) fn of(certificate: &[u8]) -> Option<Subject> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let name = parsed.subject();
    let parts: Vec<String> =
        name.iter_rdn().map(|part| part.iter().map(shown).collect::<Vec<_>>().join(" + ")).collect();
    Some(Subject { whole: parts.join(", ").into(), common: common(name).map(Into::into) })
}

/// One that has several is called by none of them: whoever signed it may have looked at another than we would.
fn common<'a>(name: &'a X509Name<'_>) -> Option<&'a str> {
    let mut names = name.iter_common_name();
    let only = names.next().filter(|_| names.next().is_none())?;
    only.as_str().ok()
}

fn shown(attribute: &AttributeTypeAndValue<'_>) -> String {
    let name = match oid2abbrev(attribute.attr_type(), oid_registry()) {
        Ok(name) => name.to_owned(),
        Err(_) => attribute.attr_type().to_id_string(),
    };
    let value = match attribute.as_str() {
        Ok(text) => escaped(text),
        // Text of another kind, and what is none.
        Err(_) => attribute.as_slice().iter().fold("#".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    };
    format!("{name}={value}")
}

fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut written = String::new();
    for (at, letter) in text.chars().enumerate() {
        match letter {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => written.extend(['\\', letter]),
            ' ' | '#' if at == 0 => written.extend(['\\', letter]),
            ' ' if at == last => written.push_str("\\ "),
            letter if letter.is_control() => {
                for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(written, "\\{byte:02x}");
                }
            }
            letter => written.push(letter),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn subject(parts: &[(DnType, &str)]) -> Subject {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        of(params.self_signed(&key).expect("a certificate").der()).expect("a subject")
    }

    #[test]
    fn a_comma_in_a_value_makes_nobody_somebody_else() {
        let ada = subject(&[(DnType::CountryName, "NL"), (DnType::CommonName, "ada")]);
        assert_eq!((&*ada.whole, ada.common.as_deref()), ("C=NL, CN=ada", Some("ada")));
        let forged = subject(&[(DnType::OrganizationName, "x, CN=admin")]);
        assert_eq!((&*forged.whole, forged.common), ("O=x\\, CN\\=admin", None));
        let both = subject(&[(DnType::OrganizationName, "x, CN=admin"), (DnType::CommonName, "bob, CN=admin")]);
        assert_eq!(both.common.as_deref(), Some("bob, CN=admin"));
        assert_eq!(&*both.whole, "O=x\\, CN\\=admin, CN=bob\\, CN\\=admin");
    }

    #[test]
    fn what_has_a_meaning_is_escaped() {
        for (text, wanted) in [
            ("plain text", "plain text"),
            (" a ", "\\ a\\ "),
            ("#1", "\\#1"),
            ("a#", "a#"),
            ("a+b;\\\"<>", "a\\+b\\;\\\\\\\"\\<\\>"),
            ("a\0", "a\\00"),
            ("", ""),
            (" ", "\\ "),
        ] {
            assert_eq!(escaped(text), wanted, "{text:?}");
        }
    }
}
