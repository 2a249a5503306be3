//! One connection to RabbitMQ, and what is declared and published over it.
//!
//! Everything has a deadline, and a connection that is dropped is cut: a broker that says nothing holds nothing up.

use std::collections::HashSet;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::{DummyIO, RuntimeParts};
use async_rs::{Runtime, Tokio};
use futures::{AsyncRead, AsyncWrite, Stream};
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{
    AsyncTcpStream, BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, ExchangeKind,
};
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use crate::tls::TlsConfig;
use crate::url::{BrokerAddress, TransportUrl};

/// Says what is sent.
const JSON: &str = "application/json";
/// Messages outlive a restart of the broker where their queue does.
const PERSISTENT: u8 = 2;

/// How queues are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// As the broker likes.
    #[default]
    Classic,
    /// With the wish to be mirrored, for old brokers.
    Mirrored,
    /// As quorum queues.
    Quorum,
}

/// RabbitMQ as the operator set it up.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Where it is.
    pub url: TransportUrl,
    /// The exchange that everything is given to. Magnum: `magnum`.
    pub exchange: String,
    /// Exchange and queues outlive a restart of the broker.
    pub durable: bool,
    /// Exchange and queues go with their last user.
    pub auto_delete: bool,
    /// How queues are kept.
    pub queues: QueueKind,
    /// Seconds without a sign of life after which the broker counts as away.
    pub heartbeat: u16,
    /// TLS, where it is wanted.
    pub tls: Option<TlsConfig>,
    /// How long a connection or a message may take.
    pub patience: Duration,
}

/// Something did not work with a broker. What was sent is not in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    #[error("{0}")]
    Amqp(#[from] lapin::Error),
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the broker did not take the message")]
    Refused,
}

/// An open connection.
pub(crate) struct Broker {
    connection: Connection,
    channel: Channel,
    /// Routing keys whose queues are there.
    declared: HashSet<String>,
    _cut: DropGuard,
}

impl Broker {
    /// Connects and logs in.
    pub(crate) async fn connect(
        config: &BrokerConfig,
        address: &BrokerAddress,
        tls: Option<TlsConnector>,
    ) -> Result<Self, BrokerError> {
        let cut = CancellationToken::new();
        let guard = cut.clone().drop_guard();
        let (host, port) = (address.host.clone(), address.port);
        let open = move |_: AMQPUri, _: Runtime<Kit>| {
            let (host, tls, cut) = (host.clone(), tls.clone(), cut.clone());
            async move {
                let stream = open(&host, port, tls, cut).await;
                let stream = stream.map_err(|error| lapin::Error::from(ErrorKind::IOError(Arc::new(error))))?;
                Ok(AsyncTcpStream::Plain(stream.compat()))
            }
        };
        let kit = RuntimeParts::new(Tokio::current(), Wires(Tokio::current()));
        let properties = ConnectionProperties::default().with_connection_name("jeroboam notifications".into());
        let whole = async {
            let connection = Connection::connector(uri(config, address), Runtime::new(kit), open, properties).await?;
            let channel = channel(&connection).await?;
            Ok(Self { connection, channel, declared: HashSet::new(), _cut: guard })
        };
        timeout(config.patience, whole).await.unwrap_or(Err(BrokerError::Silent(config.patience)))
    }

    /// Publishes a message, and waits until the broker has it.
    pub(crate) async fn publish(&mut self, config: &BrokerConfig, key: &str, body: &[u8]) -> Result<(), BrokerError> {
        let whole = self.publish_now(config, key, body);
        timeout(config.patience, whole).await.unwrap_or(Err(BrokerError::Silent(config.patience)))
    }

    async fn publish_now(&mut self, config: &BrokerConfig, key: &str, body: &[u8]) -> Result<(), BrokerError> {
        if !self.declared.contains(key) {
            self.declare(config, key).await?;
            self.declared.insert(key.to_owned());
        }
        let properties = BasicProperties::default()
            .with_content_type(JSON.into())
            .with_content_encoding("utf-8".into())
            .with_delivery_mode(PERSISTENT)
            .with_priority(0);
        let exchange = config.exchange.as_str().into();
        let sent = self.channel.basic_publish(exchange, key.into(), BasicPublishOptions::default(), body, properties);
        match sent.await?.await? {
            Confirmation::Nack(_) => Err(BrokerError::Refused),
            Confirmation::Ack(_) | Confirmation::NotRequested => Ok(()),
        }
    }

    /// Makes the exchange and a queue of the routing key's name, so that nothing is lost while nobody listens yet.
    ///
    /// What is there with other properties, made by a consumer or another service, is taken as it is.
    async fn declare(&mut self, config: &BrokerConfig, key: &str) -> Result<(), BrokerError> {
        let durable = config.durable || config.queues == QueueKind::Quorum;
        let exchange = |passive| ExchangeDeclareOptions {
            passive,
            durable,
            auto_delete: config.auto_delete,
            ..ExchangeDeclareOptions::default()
        };
        let name = || config.exchange.as_str().into();
        let made = self.channel.exchange_declare(name(), ExchangeKind::Topic, exchange(false), FieldTable::default());
        if let Err(error) = made.await {
            self.after_conflict(error).await?;
            let there =
                self.channel.exchange_declare(name(), ExchangeKind::Topic, exchange(true), FieldTable::default());
            there.await?;
        }
        let queue = |passive| QueueDeclareOptions {
            passive,
            durable,
            auto_delete: config.auto_delete,
            ..QueueDeclareOptions::default()
        };
        if let Err(error) = self.channel.queue_declare(key.into(), queue(false), arguments(config.queues)).await {
            self.after_conflict(error).await?;
            self.channel.queue_declare(key.into(), queue(true), FieldTable::default()).await?;
        }
        let bound =
            self.channel.queue_bind(key.into(), name(), key.into(), QueueBindOptions::default(), FieldTable::default());
        Ok(bound.await?)
    }

    /// A refusal closes the channel: goes on with a new one where something was there already.
    async fn after_conflict(&mut self, error: lapin::Error) -> Result<(), BrokerError> {
        /// AMQP 0-9-1: `precondition-failed`.
        const CONFLICT: u16 = 406;
        let conflict = matches!(error.kind(), ErrorKind::ProtocolError(refusal) if refusal.get_id() == CONFLICT);
        if !conflict {
            return Err(error.into());
        }
        self.channel = channel(&self.connection).await?;
        Ok(())
    }

    /// Says good-bye.
    pub(crate) async fn close(self, patience: Duration) {
        // Whether or not it hears: the connection is cut right after.
        timeout(patience, self.connection.close(200, "done".into())).await.ok();
    }
}

async fn channel(connection: &Connection) -> Result<Channel, BrokerError> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

fn arguments(queues: QueueKind) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut say = |name: &str, value: &str| {
        arguments.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
    };
    match queues {
        QueueKind::Classic => {}
        QueueKind::Mirrored => say("x-ha-policy", "all"),
        QueueKind::Quorum => say("x-queue-type", "quorum"),
    }
    arguments
}

fn uri(config: &BrokerConfig, address: &BrokerAddress) -> AMQPUri {
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: address.user.clone(),
                password: address.password.expose_secret().to_owned(),
            },
            host: address.host.clone(),
            port: address.port,
        },
        vhost: config.url.virtual_host.clone(),
        query: AMQPQueryString { heartbeat: Some(config.heartbeat), ..AMQPQueryString::default() },
    }
}

async fn open(host: &str, port: u16, tls: Option<TlsConnector>, cut: CancellationToken) -> io::Result<Wire> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let inner: Box<dyn Io> = match tls {
        Some(tls) => {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            Box::new(tls.connect(name, stream).await?)
        }
        None => Box::new(stream),
    };
    Ok(Wire { inner, cut: Box::pin(cut.cancelled_owned()) })
}

/// What bytes go over.
trait Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Io for T {}

/// A stream that ends as soon as nobody wants its connection any more, whatever the other side does.
struct Wire {
    inner: Box<dyn Io>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl tokio::io::AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl tokio::io::AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The runtime that lapin gets: tokio's, with our own streams. Its own TLS would bring a second crypto library along.
type Kit = RuntimeParts<Tokio, Wires>;

#[derive(Clone, Debug)]
struct Wires(Tokio);

impl Reactor for Wires {
    type TcpStream = Compat<Wire>;
    type Sleep = tokio::time::Sleep;

    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<DummyIO, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        _: std::net::SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
