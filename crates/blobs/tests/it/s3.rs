//! The contract against a fake store and, where the environment names them, against real ones; and what happens when a store fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::contract::Bed;
use crate::fake_s3::{Answer, FakeS3};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt};
use http::Method;
use jeroboam_blobs::s3::{S3, S3Config, Source};
use jeroboam_blobs::{Blobs, Condition, Error, Freshness, Kind, SharedBlobs, Written};
use jeroboam_model::{Clock, ManualClock, SystemClock};

const MIB: usize = 1024 * 1024;

fn place(parameters: &BTreeMap<String, String>) -> S3 {
    place_in(parameters, &|_| None, Arc::new(SystemClock))
}

fn place_in(
    parameters: &BTreeMap<String, String>,
    variable: &dyn Fn(&str) -> Option<String>,
    clock: Arc<dyn Clock>,
) -> S3 {
    // Whichever test comes first installs it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = S3Config::from_parameters(parameters).expect("settings");
    let source = Source::choose(config.keys.as_ref(), &config.region, variable);
    S3::new(config, source, clock).expect("a place")
}

fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn faked() -> (FakeS3, S3) {
    let fake = FakeS3::default();
    let address = fake.start().await;
    let place = place(&of_fake(&address));
    (fake, place)
}

fn of_fake(address: &str) -> BTreeMap<String, String> {
    parameters(&[
        ("regionendpoint", address),
        ("region", "here"),
        ("bucket", "bucket"),
        ("rootdirectory", "/registry"),
        ("accesskey", "access"),
        ("secretkey", "secret"),
        ("chunksize", "5242880"),
        ("multipartcopythresholdsize", "8388608"),
        ("multipartcopychunksize", "5242880"),
    ])
}

async fn keeps_the_contract(parameters: &BTreeMap<String, String>) {
    let open = || async move { Arc::new(place(parameters)) as SharedBlobs }.boxed();
    let run = format!("docker/registry/v2/x{}", uuid::Uuid::new_v4().simple());
    crate::contract::run(&Bed { open: &open, large: 17 * MIB as u64 + 7, notes: true, run }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fake_store_keeps_the_contract() {
    let fake = FakeS3::default();
    let address = fake.start().await;
    keeps_the_contract(&of_fake(&address)).await;
    let (_, uploads) = fake.counts();
    assert_eq!(uploads, 0, "no parts are left");
}

/// `JEROBOAM_S3` names parameters of distribution's driver, `name=value` with commas between them, and stores with spaces between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "only this test knows where real stores are")]
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
async fn real_stores_keep_the_contract() {
    let Some(stores) = std::env::var("JEROBOAM_S3").ok().filter(|value| !value.is_empty()) else {
        eprintln!(
            "skipped: JEROBOAM_S3 is not set; regionendpoint=…,region=…,bucket=…,accesskey=…,secretkey=… of a real store"
        );
        return;
    };
    for store in stores.split_whitespace() {
        let pairs: Vec<_> = store.split(',').filter_map(|pair| pair.split_once('=')).collect();
        keeps_the_contract(&parameters(&pairs)).await;
    }
}

async fn whole(place: &S3, path: &str) -> Result<Bytes, Error> {
    let object = place.read(path, None, Freshness::Any).await?.expect("an object");
    let mut bytes = BytesMut::new();
    let mut body = object.body;
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes.freeze())
}

async fn put(place: &S3, path: &str, bytes: &Bytes) -> Result<Written, Error> {
    place.put(path, bytes.clone(), Condition::Always).await
}

fn some(length: usize) -> Bytes {
    (0..length).map(|at| (at / 251) as u8 ^ at as u8).collect::<Vec<_>>().into()
}

#[tokio::test]
async fn a_busy_store_is_asked_again() {
    let (fake, place) = faked().await;
    for answer in [
        Answer::Error(503, "SlowDown"),
        Answer::Error(500, "InternalError"),
        Answer::Lost(503, "SlowDown"),
        Answer::GoodError("InternalError"),
    ] {
        fake.plan(Method::PUT, "/a", 2, answer.clone());
        put(&place, "a", &some(100)).await.unwrap_or_else(|error| panic!("{answer:?}: {error}"));
        assert_eq!(fake.seen().len(), 3, "{answer:?}");
    }
    fake.plan(Method::GET, "/a", 1, Answer::Half(3));
    assert_eq!(whole(&place, "a").await.expect("read"), some(100));
}

#[tokio::test]
async fn a_store_that_stays_busy_is_unavailable_and_says_until_when() {
    let (fake, place) = faked().await;
    fake.plan(Method::PUT, "/a", 100, Answer::Error(503, "SlowDown"));
    let error = put(&place, "a", &some(1)).await.expect_err("busy");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.retry_after().is_some());
    assert_eq!(fake.seen().len(), 5, "it was not asked more often");
    for _ in 0..4 {
        put(&place, "a", &some(1)).await.expect_err("busy");
    }
    fake.seen();
    let error = place.head("b", Freshness::Any).await.expect_err("left alone");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(fake.seen().is_empty(), "nobody was sent");
}

#[tokio::test]
async fn what_will_not_change_is_not_asked_again() {
    for (answer, kind) in [
        (Answer::Error(403, "AccessDenied"), Kind::Refused),
        (Answer::Error(403, "QuotaExceeded"), Kind::NoRoom),
        (Answer::Error(507, "InsufficientStorage"), Kind::NoRoom),
        (Answer::Error(404, "NoSuchBucket"), Kind::Refused),
    ] {
        let (fake, place) = faked().await;
        fake.plan(Method::PUT, "/a", 1, answer.clone());
        let error = put(&place, "a", &some(1)).await.expect_err("refused");
        assert_eq!((error.kind(), fake.seen().len()), (kind, 1), "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_gone_on_with_but_not_for_ever() {
    let (fake, place) = faked().await;
    let content = some(3 * MIB);
    put(&place, "a", &content).await.expect("written");
    fake.plan(Method::GET, "/a", 3, Answer::Half(700_000));
    assert_eq!(whole(&place, "a").await.expect("read"), content);
    fake.plan(Method::GET, "/a", 100, Answer::Half(1000));
    assert_eq!(whole(&place, "a").await.expect_err("it breaks off").kind(), Kind::Unavailable);
}

#[tokio::test]
async fn a_body_of_another_object_is_not_mixed_in() {
    let (fake, place) = faked().await;
    put(&place, "a", &some(3 * MIB)).await.expect("written");
    fake.plan(Method::GET, "/a", 1, Answer::Half(700_000));
    let mut body = place.read("a", None, Freshness::Any).await.expect("an answer").expect("an object").body;
    let first = body.next().await.expect("a piece").expect("a piece");
    assert!(!first.is_empty());
    put(&place, "a", &some(3 * MIB - 1)).await.expect("replaced");
    let rest: Vec<_> = body.collect().await;
    assert!(rest.last().expect("an end").is_err(), "the object is another one now");
}

#[tokio::test]
async fn parts_are_sent_again_and_an_end_that_nobody_heard_of_is_one() {
    let (fake, place) = faked().await;
    let content = some(17 * MIB);
    fake.plan(Method::PUT, "partNumber=2", 2, Answer::Error(500, "InternalError"));
    fake.plan(Method::POST, "uploadId", 1, Answer::Lost(500, "InternalError"));
    let mut writer = place.create("big", None).await.expect("begun");
    writer.write(content.clone()).await.expect("taken");
    writer.commit().await.expect("written");
    assert_eq!(whole(&place, "big").await.expect("read"), content);
    assert_eq!(fake.counts(), (1, 0));
}

#[tokio::test]
async fn a_commit_that_was_cut_between_its_steps_is_done_again() {
    let at = "docker/registry/v2/repositories/a/_uploads/u/data";
    // Its parts are put together and the copy fails; or all is done and nobody hears of it.
    for heard in [false, true] {
        let (fake, place) = faked().await;
        let content = some(9 * MIB);
        let mut upload = place.upload(at, None).await.expect("begun");
        upload.write(content.clone()).await.expect("taken");
        let state = upload.save().await.expect("saved");
        if !heard {
            fake.plan(Method::PUT, "/blob?partNumber=1", 1, Answer::Error(403, "AccessDenied"));
        }
        assert_eq!(upload.commit("blob").await.is_ok(), heard);
        let upload = place.upload(at, Some(state)).await;
        match upload {
            Ok(upload) => upload.commit("blob").await.expect("the second time"),
            // The tail went with the first commit: whoever comes again finds the blob.
            Err(error) => assert!(heard && error.kind() == Kind::Broken, "{error}"),
        }
        assert_eq!(whole(&place, "blob").await.expect("read"), content);
        assert_eq!(fake.counts(), (1, 0), "nothing is left of the upload");
    }
}

#[tokio::test]
async fn requests_are_no_more_than_it_takes() {
    let (fake, place) = faked().await;
    let mut writer = place.create("small", Some(4096)).await.expect("begun");
    writer.write(some(4096)).await.expect("taken");
    writer.commit().await.expect("written");
    assert_eq!(fake.seen(), ["PUT /bucket/registry/small "]);

    let mut upload = place.upload("u/data", None).await.expect("begun");
    upload.write(some(MIB)).await.expect("taken");
    upload.commit("blob").await.expect("written");
    assert_eq!(fake.seen(), ["PUT /bucket/registry/blob "], "a small upload is held back and copied by nobody");

    let mut writer = place.create("parts", Some(11 * MIB as u64)).await.expect("begun");
    writer.write(some(11 * MIB)).await.expect("taken");
    writer.commit().await.expect("written");
    let seen = fake.seen();
    assert_eq!(seen.len(), 5, "begin, three parts, end: {seen:?}");
    assert!(seen.iter().all(|request| request.contains("/bucket/registry/parts ")), "{seen:?}");
}

#[tokio::test]
async fn a_store_without_conditions_is_found_out() {
    let (fake, place) = faked().await;
    fake.ignore_conditions();
    assert_eq!(place.put("lock", some(1), Condition::Absent).await.expect("an answer"), Written::Yes);
    assert!(!place.capabilities().create_if_absent);
    assert_eq!(place.put("lock", some(2), Condition::Absent).await.expect("an answer"), Written::Refused);
    let (_fake, place) = faked().await;
    assert_eq!(place.put("lock", some(1), Condition::Absent).await.expect("an answer"), Written::Yes);
    assert!(place.capabilities().create_if_absent);
}

#[tokio::test]
async fn keys_of_the_shared_file_are_taken_and_a_change_of_it_is_noticed() {
    let fake = FakeS3::default();
    let mut parameters = of_fake(&fake.start().await);
    parameters.retain(|name, _| !name.ends_with("key"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("credentials");
    let write = |access: &str| {
        let nobody = "[default]\naws_access_key_id = nobody\naws_secret_access_key = none\n";
        let ours = format!("[ci]\naws_access_key_id = {access}\naws_secret_access_key = secret\n");
        std::fs::write(&file, format!("{nobody}{ours}")).expect("written");
    };
    let variables = [("AWS_SHARED_CREDENTIALS_FILE", file.display().to_string()), ("AWS_PROFILE", "ci".to_owned())];
    let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let clock = Arc::new(ManualClock::at("2026-11-29T12:00:00Z".parse().expect("a moment")));
    let place = place_in(&parameters, &variable, clock.clone());
    write("access");
    put(&place, "a", &some(1)).await.expect("written");
    write("another");
    put(&place, "a", &some(1)).await.expect("the keys are still known");
    clock.advance(Duration::from_secs(301));
    assert_eq!(put(&place, "a", &some(1)).await.expect_err("nobody's keys").kind(), Kind::Refused);
}

#[tokio::test]
async fn an_address_gives_the_object_to_anybody() {
    let (_fake, place) = faked().await;
    put(&place, "a", &some(1000)).await.expect("written");
    let address = place.presign("a", Duration::from_secs(60)).await.expect("an answer").expect("an address");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(address).send().await.expect("an answer");
    assert_eq!(answer.bytes().await.expect("a body"), some(1000));
}
