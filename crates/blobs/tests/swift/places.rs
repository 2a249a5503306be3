//! The Swifts that tests use: one that is pretended, and those that the environment tells of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_blobs::swift::{SegmentSizes, SwiftAccess};
use jeroboam_blobs::{Swift, SwiftConfig};
use jeroboam_model::SystemClock;
use jeroboam_openstack::object_store::{ObjectStore, StoreAccess, StoreConfig};
use jeroboam_openstack::{RetryPolicy, Session, clouds};
use uuid::Uuid;

use crate::pretended::{Pretended, Quirks};

/// A Swift, and the settings that another process would come with.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) config: SwiftConfig,
    /// Held as long as it is used.
    pub(crate) pretended: Option<Pretended>,
}

/// Whose access rules allow one container and nothing else.
const LIMITED: &str = "swift by an application credential for one container";

/// Short segments, so that a few bytes make several.
const SEGMENTS: SegmentSizes = SegmentSizes { first: 1_500_000, each: 2 };

impl Place {
    pub(crate) async fn pretended(quirks: Quirks) -> Self {
        let pretended = Pretended::start(quirks).await;
        let parameters =
            [("authurl", pretended.auth_url().as_str()), ("username", "test:tester"), ("password", "testing")]
                .map(owned);
        let mut place = Self::of(if quirks.gateway { "pretended gateway" } else { "pretended" }, parameters.to_vec());
        place.config.transport.retry =
            RetryPolicy { attempts: 4, base: Duration::from_millis(1), cap: Duration::from_millis(5) };
        place.pretended = Some(pretended);
        place
    }

    fn of(name: &'static str, mut parameters: Vec<(String, String)>) -> Self {
        parameters.push(("container".to_owned(), format!("jeroboam-{}", Uuid::new_v4().simple())));
        let parameters: BTreeMap<String, String> = parameters.into_iter().collect();
        let (mut config, unknown) = SwiftConfig::from_parameters(&parameters, &clouds::Lookup::default()).unwrap();
        assert!(unknown.is_empty());
        config.segments = SEGMENTS;
        Self { name, config, pretended: None }
    }

    /// A process of its own, as far as Swift can tell.
    pub(crate) fn open(&self) -> Swift {
        self.open_with(|_| {})
    }

    pub(crate) fn open_with(&self, change: impl FnOnce(&mut SwiftConfig)) -> Swift {
        let mut config = self.config.clone();
        change(&mut config);
        Swift::new(config, Arc::new(SystemClock)).unwrap()
    }

    /// The container as it is, without any thought of files and segments.
    pub(crate) fn raw(&self) -> ObjectStore {
        let clock: Arc<dyn jeroboam_model::Clock> = Arc::new(SystemClock);
        let access = match &self.config.access {
            SwiftAccess::Keystone(session) => {
                StoreAccess::Session(Session::new((**session).clone(), Arc::clone(&clock)).unwrap())
            }
            SwiftAccess::Legacy(legacy) => StoreAccess::Legacy(legacy.clone()),
        };
        let (transport, container) = (self.config.transport.clone(), self.config.container.clone());
        ObjectStore::new(access, StoreConfig { transport, limits: self.config.limits, container }, clock)
    }

    pub(crate) fn faults(&self) -> &Pretended {
        self.pretended.as_ref().expect("a pretended one")
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings but the environment")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The real ones that are there. Without any a test says that it was skipped; where all have to be there (`JEROBOAM_ALL_REGISTRY`) it fails.
pub(crate) fn real() -> Vec<Place> {
    let mut places = Vec::new();
    let missing = |name: &str| {
        assert!(
            setting("JEROBOAM_ALL_REGISTRY").is_none(),
            "{name} is not set: tools/setup.sh registry and make test-registry"
        );
        println!("skipped: {name} is not set; make test-registry starts what it names");
    };
    match setting("JEROBOAM_SWIFT_V1") {
        Some(url) => {
            let parameters = [("authurl", url.as_str()), ("username", "test:tester"), ("password", "testing")];
            places.push(Place::of("swift with accounts of its own", parameters.map(owned).to_vec()));
        }
        None => missing("JEROBOAM_SWIFT_V1"),
    }
    let Some(url) = setting("JEROBOAM_KEYSTONE") else {
        missing("JEROBOAM_KEYSTONE");
        return places;
    };
    let of = |name: &str| setting(name).unwrap_or_else(|| panic!("{name} comes with JEROBOAM_KEYSTONE"));
    let mut keystone = |name: &'static str, region: &str, parameters: &[(&str, &str)]| {
        let common = [("authurl", url.as_str()), ("region", region)];
        let mut place = Place::of(name, common.iter().chain(parameters).map(|pair| owned(*pair)).collect());
        // The credential's rules name the container.
        if name == LIMITED {
            place.config.container = "limited".to_owned();
        }
        places.push(place);
    };
    let alice = [("username", "alice"), ("password", "alicepw"), ("domain", "Default"), ("tenant", "proj")];
    keystone("swift by a password", "RegionOne", &alice);
    let (id, secret) = (of("JEROBOAM_KEYSTONE_CREDENTIAL_ID"), of("JEROBOAM_KEYSTONE_CREDENTIAL_SECRET"));
    let credential = [("applicationcredentialid", id.as_str()), ("applicationcredentialsecret", secret.as_str())];
    keystone("swift by an application credential", "RegionOne", &credential);
    let (trust, domain) = (of("JEROBOAM_KEYSTONE_TRUST_ID"), of("JEROBOAM_KEYSTONE_DOMAIN_ID"));
    let trust = [
        ("username", "trustee1"),
        ("password", "trusteepw"),
        ("domainid", domain.as_str()),
        ("trustid", trust.as_str()),
    ];
    keystone("swift by a trust", "RegionOne", &trust);
    let (id, secret) = (of("JEROBOAM_KEYSTONE_LIMITED_ID"), of("JEROBOAM_KEYSTONE_LIMITED_SECRET"));
    let limited = [("applicationcredentialid", id.as_str()), ("applicationcredentialsecret", secret.as_str())];
    keystone(LIMITED, "RegionOne", &limited);
    match setting("JEROBOAM_RGW_REGION") {
        Some(region) => keystone("ceph gateway by a password", &region, &alice),
        None => missing("JEROBOAM_RGW_REGION"),
    }
    places
}
