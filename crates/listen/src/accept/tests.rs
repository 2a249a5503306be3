use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::Versions;

/// What no test of these waits for in vain.
const PATIENCE: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(600);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// A long answer has so many pieces, and one comes each time that this is over.
const PIECES: usize = 20;
const PACE: Duration = Duration::from_millis(50);
/// More than the kernel's buffers take.
const LARGE: usize = 32 << 20;

/// A body whose pieces come slowly.
struct Long {
    left: usize,
    next: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl hyper::body::Body for Long {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let next = self.next.get_or_insert_with(|| Box::pin(tokio::time::sleep(PACE)));
        std::task::ready!(next.as_mut().poll(cx));
        self.next = None;
        self.left -= 1;
        Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"piece")))))
    }
}

struct Bed {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// A request to `/slow` was begun.
    begun: Arc<Notify>,
    /// It may end.
    release: Arc<Notify>,
}

impl Bed {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (Arc::clone(&begun), Arc::clone(&release));
        let slow = move || async move {
            tell.notify_one();
            wait.notified().await;
            "at last"
        };
        let routes = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/slow", get(slow))
            .route("/long", get(|| async { Response::new(axum::body::Body::new(Long { left: PIECES, next: None })) }))
            .route("/large", get(|| async { vec![b'x'; LARGE] }));
        let (token, tracker) = (stop.clone(), tasks.clone());
        tasks.spawn(async move { serve(listener.into(), None, routes, limits, token, &tracker).await });
        Self { address, stop, tasks, begun, release }
    }

    async fn say(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(bytes).await.expect("written");
        stream
    }
}

/// Everything until the connection ends.
async fn all(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("an end").expect("a clean end");
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_is_ended_whatever_it_speaks() {
    let idle = Duration::from_millis(200);
    let bed = Bed::start(Limits { idle, header: LONG, finish: idle, ..Limits::default() }).await;
    let (mut first, mut second) = (bed.say(GET).await, bed.say(PREFACE).await);
    assert!(all(&mut first).await.ends_with("hello"));
    // A GOAWAY frame: so the client knows that nothing of it is lost.
    assert!(all(&mut second).await.contains('\u{7}'));
}

#[tokio::test]
async fn a_request_that_takes_longer_than_silence_may_is_answered() {
    let idle = Duration::from_millis(100);
    let bed = Bed::start(Limits { idle, ..Limits::default() }).await;
    let mut slow = bed.say(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    bed.begun.notified().await;
    tokio::time::sleep(idle * 5).await;
    bed.release.notify_one();
    assert!(all(&mut slow).await.ends_with("at last"));
}

#[tokio::test]
async fn an_answer_that_comes_for_longer_than_silence_may_is_taken_to_its_end() {
    let idle = PACE * 4;
    let bed = Bed::start(Limits { idle, finish: Duration::ZERO, ..Limits::default() }).await;
    let mut first = bed.say(b"GET /long HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let stream = TcpStream::connect(bed.address).await.expect("a connection");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let request = Request::get("http://a/long").body(Empty::<Bytes>::new()).expect("a request");
    let second = async {
        let answer = sender.send_request(request).await.expect("an answer");
        answer.into_body().collect().await.expect("all of it").to_bytes()
    };
    let ended = async {
        let (second, connection) = tokio::join!(second, connection);
        connection.expect("a clean end");
        second
    };
    let (first, second) = tokio::join!(all(&mut first), timeout(PATIENCE, ended));
    assert_eq!(first.matches("piece").count(), PIECES, "{first}");
    // And the end of it is an idle connection, which goes.
    assert_eq!(second.expect("in time"), Bytes::from("piece".repeat(PIECES)));
}

#[tokio::test]
async fn one_large_piece_that_is_taken_slowly_is_taken_to_its_end() {
    let idle = Duration::from_millis(200);
    let bed = Bed::start(Limits { idle, finish: Duration::ZERO, ..Limits::default() }).await;
    let mut stream = bed.say(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut space = vec![0; LARGE / 16];
    let mut came = 0;
    loop {
        let read = timeout(PATIENCE, stream.read(&mut space)).await.expect("in time").expect("no reset");
        came += read;
        if read == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(40).mul_f64(read as f64 / space.len() as f64 * 4.0)).await;
    }
    assert!(came > LARGE, "{came}");
}

#[tokio::test]
async fn who_takes_nothing_of_a_stream_is_let_go() {
    let idle = Duration::from_millis(200);
    let bed = Bed::start(Limits { idle, finish: Duration::ZERO, ..Limits::default() }).await;
    let stream = TcpStream::connect(bed.address).await.expect("a connection");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let request = Request::get("http://a/large").body(Empty::<Bytes>::new()).expect("a request");
    let untaken = async {
        let answer = sender.send_request(request).await.expect("an answer");
        std::future::pending::<()>().await;
        drop(answer);
    };
    tokio::select! {
        ended = timeout(PATIENCE, connection) => drop(ended.expect("an end")),
        () = untaken => {}
    }
}

#[tokio::test]
async fn half_a_header_is_not_waited_for() {
    let bed = Bed::start(Limits { header: Duration::from_millis(200), idle: LONG, ..Limits::default() }).await;
    let mut half = bed.say(b"GET / HTTP/1.1\r\nhost:").await;
    assert!(!all(&mut half).await.contains("hello"));
}

#[tokio::test]
async fn who_is_one_too_many_waits_until_somebody_goes() {
    let limits = Limits { connections: 2, header: LONG, idle: LONG, ..Limits::default() };
    let bed = Bed::start(limits).await;
    let mut space = [0; 1024];
    let (mut first, mut second) = (bed.say(GET).await, bed.say(GET).await);
    for stream in [&mut first, &mut second] {
        timeout(PATIENCE, stream.read(&mut space)).await.expect("in time").expect("an answer");
    }
    let mut third = bed.say(GET).await;
    assert!(timeout(Duration::from_millis(300), third.read(&mut space)).await.is_err(), "there was no room");
    drop(first);
    let read = timeout(PATIENCE, third.read(&mut space)).await.expect("in time").expect("an answer");
    assert!(String::from_utf8_lossy(&space[..read]).ends_with("hello"));
}

#[tokio::test]
async fn what_was_begun_is_finished_when_the_process_stops_and_nothing_new_begins() {
    let bed = Bed::start(Limits { header: LONG, idle: LONG, finish: LONG, ..Limits::default() }).await;
    let mut slow = bed.say(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    bed.begun.notified().await;
    let mut idle = bed.say(GET).await;
    let mut space = [0; 8];
    timeout(PATIENCE, idle.read_exact(&mut space)).await.expect("in time").expect("an answer");
    bed.stop.cancel();
    assert!(all(&mut idle).await.ends_with("hello"));
    while TcpStream::connect(bed.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    bed.release.notify_one();
    assert!(all(&mut slow).await.ends_with("at last"));
    bed.tasks.close();
    timeout(PATIENCE, bed.tasks.wait()).await.expect("an end");
}

#[tokio::test]
async fn a_header_that_is_too_long_is_refused() {
    let bed = Bed::start(Limits { header_bytes: Some(8192), ..Limits::default() }).await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(9000));
    let mut stream = bed.say(long.as_bytes()).await;
    assert!(all(&mut stream).await.starts_with("HTTP/1.1 431"));
    let fits = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {}\r\n\r\n", "y".repeat(7000));
    let mut stream = bed.say(fits.as_bytes()).await;
    assert!(all(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn http_2_is_not_spoken_where_it_is_not_wanted() {
    let bed = Bed::start(Limits { versions: Versions::Http1, ..Limits::default() }).await;
    let mut stream = bed.say(PREFACE).await;
    // No frame of HTTP/2 comes back: neither settings nor a farewell.
    let heard = all(&mut stream).await;
    assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 "), "{heard:?}");
    let mut stream = bed.say(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(all(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn who_takes_nothing_of_the_answer_is_cut_off() {
    let limits = Limits { stall: Duration::from_millis(200), finish: Duration::from_millis(100), ..Limits::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let ended = Arc::new(Notify::new());
    let tell = Arc::clone(&ended);
    // More than the kernel's buffers take.
    let large = move || async move {
        tell.notify_one();
        vec![0_u8; 64 << 20]
    };
    let (token, tracker) = (stop.clone(), tasks.clone());
    let routes = Router::new().route("/", get(large));
    tasks.spawn(async move { serve(listener.into(), None, routes, limits, token, &tracker).await });
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(GET).await.expect("written");
    ended.notified().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut heard = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("an end");
    assert!(read.is_err() || heard.len() < 64 << 20, "all of it came: {}", heard.len());
    stop.cancel();
}
