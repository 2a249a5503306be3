//! A bucket that forgets what it gets, takes its time for the answer, and needs next to no memory for it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Listens, and gives its address.
pub(crate) async fn start(delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            connections.spawn(serve(stream, delay));
        }
    });
    // It ends with the runtime of the test.
    tasks.detach_all();
    format!("http://{address}")
}

async fn serve(mut stream: TcpStream, delay: Duration) {
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let mut left: usize = length.map_or(0, |length| length.trim().parse().expect("a length"));
        assert!(!head.contains("transfer-encoding"), "S3 wants to know how long a body is");
        left -= buffer.len() - (end + 4);
        while left > 0 {
            buffer.clear();
            let read = stream.read_buf(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                return;
            }
            left -= read;
        }
        buffer.clear();
        tokio::time::sleep(delay).await;
        let body = match head.lines().next().unwrap_or_default() {
            begin if begin.contains("uploads=") => {
                "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            }
            copy if copy.starts_with("put") && head.contains("x-amz-copy-source") => {
                "<CopyPartResult><ETag>\"e\"</ETag></CopyPartResult>"
            }
            end if end.starts_with("post") => {
                "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>"
            }
            _ => "",
        };
        let answer = format!("HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
