//! Who may do what, and how refusals are told apart.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use jeroboam_blobs::swift::SwiftAccess;
use jeroboam_blobs::{Blobs as _, Condition, Freshness, Kind};
use jeroboam_model::SystemClock;
use jeroboam_openstack::{Auth, Named, Scope, ServiceType, Session};

use crate::checks::{bytes, read, write};
use crate::places::{Place, real};

fn find(name: &str) -> Option<Place> {
    real().into_iter().find(|place| place.name == name)
}

fn session(place: &mut Place) -> &mut jeroboam_openstack::SessionConfig {
    match &mut place.config.access {
        SwiftAccess::Keystone(session) => session,
        SwiftAccess::Legacy(_) => panic!("Keystone is meant"),
    }
}

/// Nothing of the account is needed: no list of it, no notes at it, no container of our own making.
#[tokio::test]
async fn rights_on_one_container_are_enough() {
    let Some(mut place) = find("swift by a password") else { return };
    let owner = Session::new(session(&mut place).clone(), Arc::new(SystemClock)).unwrap();
    let container = place.config.container.clone();
    let made = owner.request(ServiceType::ObjectStore, Method::PUT, &[&container]);
    let made = made.header(http::HeaderName::from_static("x-container-read"), "*:*,.rlistings");
    made.header(http::HeaderName::from_static("x-container-write"), "*:*").send().await.unwrap();
    if let Auth::Password { user: Named::Name { name, .. }, password, .. } = &mut session(&mut place).auth {
        *name = "bob".to_owned();
        *password = "bobpw".into();
    }
    let swift = place.open();
    swift.probe().await.unwrap();
    let content = bytes(4_000_000, 1);
    write(&swift, "plain", Some(4_000_000), &content).await;
    write(&swift, "large", None, &content).await;
    assert!(read(&swift, "large").await.unwrap() == content);
    swift.put("small", Bytes::from_static(b"x"), Condition::Absent).await.unwrap();
    // Bob may not see the container's keys, so that there are no signed addresses, and no error.
    assert_eq!(swift.presign("plain", Duration::from_secs(60)).await.unwrap(), None);
    swift.delete(&["plain".into(), "large".into(), "small".into()]).await.unwrap();
    assert_eq!(swift.head("small", Freshness::Newest).await.unwrap(), None);
    place.config.container = format!("{container}-other");
    let refused = place.open();
    assert_eq!(refused.probe().await.unwrap_err().kind(), Kind::Refused);
    assert_eq!(refused.put("small", Bytes::new(), Condition::Always).await.unwrap_err().kind(), Kind::Refused);
}

#[tokio::test]
async fn a_trust_that_is_gone_is_told_from_a_wrong_password() {
    let Some(mut place) = find("swift by a trust") else { return };
    if let Auth::Password { scope, .. } = &mut session(&mut place).auth {
        *scope = Scope::Trust("0123456789abcdef0123456789abcdef".to_owned());
    }
    let error = place.open().probe().await.unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(reason.starts_with("trust 0123456789abcdef0123456789abcdef is no longer there"), "{reason}");
    if let Auth::Password { password, .. } = &mut session(&mut place).auth {
        *password = "wrong".into();
    }
    let error = place.open().probe().await.unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.starts_with("identity refused the credentials"), "{reason}");
}

/// Anybody reads from an address until it ends, and nothing but what it is for.
#[tokio::test]
async fn a_signed_address_serves_whoever_has_it() {
    for mut place in real() {
        let mut swift = place.open();
        swift.probe().await.unwrap();
        let content = bytes(3_000_000, 1);
        write(&swift, "blob", Some(3_000_000), &content).await;
        if place.name.starts_with("ceph") {
            // It knows keys of the account alone, and those are for somebody else to write.
            assert_eq!(swift.presign("blob", Duration::from_secs(60)).await.unwrap(), None);
            assert!(!swift.capabilities().presign);
            let owner = Session::new(session(&mut place).clone(), Arc::new(SystemClock)).unwrap();
            let noted = owner.request(ServiceType::ObjectStore, Method::POST, &[]);
            noted.header(http::HeaderName::from_static("x-account-meta-temp-url-key"), "shared").send().await.unwrap();
            swift = place.open_with(|config| config.temp_url.key = Some("shared".into()));
        } else {
            // A key is made where there is none, and signed with when it has stayed for a while.
            swift.presign("blob", Duration::from_secs(60)).await.unwrap();
            place.raw().note_container(&[("jeroboam-key-turned", "1000000000")]).await.unwrap();
            swift = place.open();
        }
        let address = swift.presign("blob", Duration::from_secs(60)).await.unwrap();
        let address = address.unwrap_or_else(|| panic!("{} gives an address", place.name));
        let answer = reqwest::get(&address).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", place.name);
        assert!(answer.bytes().await.unwrap() == content, "{}", place.name);
        let other = address.replace("/blob", "/other");
        assert!(matches!(reqwest::get(&other).await.unwrap().status().as_u16(), 401 | 403), "{}", place.name);
        println!(
            "{}: {} characters of signature",
            place.name,
            address.split("temp_url_sig=").nth(1).unwrap().find('&').unwrap()
        );
        assert!(swift.capabilities().presign);
        swift.delete(&["blob".into()]).await.unwrap();
    }
}

/// Somebody replaces the key that addresses are signed with: the next look finds the new one, and until then nothing is believed that does not work.
#[tokio::test]
async fn keys_come_and_go_without_a_restart() {
    let Some(place) = find("swift with accounts of its own") else { return };
    let swift = place.open();
    write(&swift, "blob", Some(3), &Bytes::from_static(b"abc")).await;
    // Nobody signs with a new key before it has stayed for a while.
    for new in [&swift, &place.open()] {
        assert_eq!(new.presign("blob", Duration::from_secs(60)).await.unwrap(), None);
    }
    place.raw().note_container(&[("jeroboam-key-turned", "1000000000")]).await.unwrap();
    let swift = place.open();
    assert!(swift.presign("blob", Duration::from_secs(60)).await.unwrap().is_some());
    let notes = place.raw().container_notes().await.unwrap().unwrap();
    let key = |name: &str| notes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    assert!(key("temp-url-key").is_some_and(|key| key.len() == 64) && key("temp-url-key-2").is_none());
    // Another process finds the key and makes none.
    assert!(place.open().presign("blob", Duration::from_secs(60)).await.unwrap().is_some());
    assert_eq!(place.raw().container_notes().await.unwrap().unwrap(), notes);
    // Time to turn it: the new one comes to the other place, and addresses of the old one stay good.
    let old = swift.presign("blob", Duration::from_secs(60)).await.unwrap().unwrap();
    let turning = place.open_with(|config| config.temp_url.rotate_after = Some(Duration::from_secs(86_400)));
    let new = turning.presign("blob", Duration::from_secs(60)).await.unwrap().unwrap();
    for address in [&old, &new] {
        assert_eq!(reqwest::get(address).await.unwrap().status(), 200);
    }
    let notes = place.raw().container_notes().await.unwrap().unwrap();
    assert!(notes.iter().any(|(name, value)| name == "temp-url-key-2" && value.len() == 64));
    swift.delete(&["blob".into()]).await.unwrap();
}
