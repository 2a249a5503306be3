//! From the start of the process to the first 200.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jeroboam_store::testing::Engine;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::args::RunArgs;
use crate::bed::Bed;
use crate::figures::Spread;
use crate::say;

/// How long it takes until a new process answers.
#[derive(Debug, Serialize)]
pub(crate) struct StartFigures {
    pub(crate) engine: &'static str,
    /// `GET /`.
    pub(crate) first_answer: Spread,
    /// `GET /readyz`, which asks the database.
    pub(crate) ready: Spread,
}

/// `jeroboam all`, again and again, on a database with tables and a management cluster that answers.
pub(crate) async fn measure(args: &RunArgs, engine: Engine) -> Result<StartFigures> {
    say(&format!("start on {}", engine.name()));
    let bed = Bed::new(&args.how.binary, engine).await?;
    bed.store().await.close().await;
    let (mut first, mut ready) = (Vec::new(), Vec::new());
    for number in 0..if args.how.quick { 3 } else { 10 } {
        let began = Instant::now();
        let mut service = bed.launch("all", &format!("start-{number}"))?;
        for (path, times) in [("/", &mut first), ("/readyz", &mut ready)] {
            let address = bed.address();
            service.until("an answer", Duration::from_millis(1), || answers(address, path)).await?;
            times.push(began.elapsed());
        }
        service.stop().await;
    }
    Ok(StartFigures { engine: engine.name(), first_answer: Spread::of(first), ready: Spread::of(ready) })
}

/// Whether a new connection is answered with 200. Who accepts it before it can answer is waited for.
pub(crate) async fn answers(address: SocketAddr, path: &str) -> bool {
    let asked = tokio::time::timeout(Duration::from_secs(60), ask(address, path)).await;
    asked.is_ok_and(|answer| answer.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200")))
}

async fn ask(address: SocketAddr, path: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await.context("connect")?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = vec![0; 64];
    let read = stream.read(&mut answer).await?;
    answer.truncate(read);
    Ok(answer)
}
