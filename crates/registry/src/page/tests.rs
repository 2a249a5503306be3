use jeroboam_blobs::{Faults, Memory, Operation};
use jeroboam_model::{Clock, SystemClock};
use tower::ServiceExt as _;

use super::*;
use crate::config::{AuthConfig, BuiltinConfig};
use crate::events::Events;
use crate::http::HttpConfig;
use crate::leases::{GRACE, Leases};
use crate::store::StoreConfig;

#[test]
fn addresses_of_pages_are_read() {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let by_digest = format!("/ui/team/app@{digest}");
    let name = || "team/app".parse().expect("a name");
    for (path, page) in [
        ("/", Some(About::Repositories)),
        ("/ui/team/app", Some(About::Repository(name()))),
        ("/ui/team%2Fapp", Some(About::Repository(name()))),
        ("/ui/team/app:1.0", Some(About::Manifest(name(), Reference::Tag("1.0".parse().expect("a tag"))))),
        (by_digest.as_str(), Some(About::Manifest(name(), Reference::Digest(digest.parse().expect("a digest"))))),
        ("/ui/", None),
        ("/ui/UPPER", None),
        ("/ui/team/app@sha256:short", None),
        ("/ui/team/app:", None),
        ("/other", None),
    ] {
        assert_eq!(about(path), page, "{path}");
    }
}

#[tokio::test]
async fn who_may_see_nothing_is_refused_before_anything_is_listed() {
    let blobs = Arc::new(Faults::new(Arc::new(Memory::default())));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
    let store = Arc::new(Store::new(blobs.clone(), clock.clone(), leases, StoreConfig::default()));
    let config = AuthConfig { builtin: Some(BuiltinConfig::default()), ..AuthConfig::default() };
    let closed = Auth::new(config, &HttpConfig::default(), clock).expect("tokens of ours");
    for (auth, status, lists) in [(closed, StatusCode::UNAUTHORIZED, None), (Auth::open(), StatusCode::OK, Some(1))] {
        let registry = Registry::new(store.clone(), auth.clone(), Events::silent(), HttpConfig::default());
        let request = http::Request::get("/").header(http::header::HOST, "reg:5000").body(Body::empty());
        let answer = routes(&registry, &auth, "").oneshot(request.expect("a request")).await.expect("an answer");
        assert_eq!(answer.status(), status);
        assert_eq!(blobs.counts().get(&Operation::List).copied(), lists, "{status}");
    }
}
