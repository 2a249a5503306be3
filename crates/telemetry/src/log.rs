//! Where log lines go and how they look.
//!
//! A span that stands for a request carries the fields [`REQUEST_ID`], [`USER`] and [`PROJECT`]; every line inside of it
//! names them where oslo.log does.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jeroboam_model::Clock;
use jeroboam_oslo::log_line;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, span};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

/// Field of a request's span: `req-<uuid>`.
pub const REQUEST_ID: &str = "request.id";
/// Field of a request's span: the user's id.
pub const USER: &str = "user.id";
/// Field of a request's span: the project's id.
pub const PROJECT: &str = "project.id";

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// As oslo.log writes it.
    #[default]
    Oslo,
    /// One JSON object.
    Json,
}

/// What to log, how and where.
#[derive(Clone, Debug, Default)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// Whether our own crates log at debug level.
    pub debug: bool,
    /// Directives such as `jeroboam_store=trace,hyper=warn` that come after the defaults.
    pub levels: Vec<String>,
    /// A file to append to; standard error when there is none.
    pub file: Option<PathBuf>,
    /// Standard error as well as the file.
    pub also_stderr: bool,
}

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file cannot be opened.
    #[error("open log file {}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A level cannot be understood.
    #[error("log level {directive:?} is not understood, expected logger=LEVEL")]
    Level {
        /// What was written.
        directive: String,
    },
    /// Somebody set up a log before.
    #[error("the log is set up already")]
    Twice,
}

/// Sets up the log of this process.
pub fn init(config: &LogConfig, clock: Arc<dyn Clock>) -> Result<(), LogError> {
    let filter = filter(config)?;
    let writer = Writer::open(config)?;
    let registry = Registry::default().with(filter);
    let done = match config.format {
        LogFormat::Json => {
            let json = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(writer);
            registry.with(json).try_init()
        }
        LogFormat::Oslo => registry.with(OsloLayer::new(writer, clock)).try_init(),
    };
    done.map_err(|_| LogError::Twice)
}

/// Information from everybody, details of our own crates when debugging, the chatter of libraries never.
fn filter(config: &LogConfig) -> Result<EnvFilter, LogError> {
    let mut filter = EnvFilter::new(if config.debug { "debug" } else { "info" });
    let quiet = ["hyper=info", "hyper_util=info", "h2=info", "reqwest=info", "rustls=info", "tower=info", "sqlx=warn"];
    // kube_client calls every failed attempt an error; who made the call says it once, and what it means.
    let quiet = quiet.into_iter().chain(["sea_orm=warn", "kube_client=off", "kube_runtime=info"]);
    for directive in quiet.map(str::to_owned).chain(config.levels.iter().cloned()) {
        // Python writes logger=WARNING.
        let level = directive.replace("=WARNING", "=warn").replace("=CRITICAL", "=error");
        let parsed = level.parse().map_err(|_| LogError::Level { directive })?;
        filter = filter.add_directive(parsed);
    }
    Ok(filter)
}

/// Standard error, a file, or both.
#[derive(Clone)]
struct Writer {
    file: Option<Arc<Mutex<File>>>,
    stderr: bool,
}

impl Writer {
    fn open(config: &LogConfig) -> Result<Self, LogError> {
        let Some(path) = &config.file else { return Ok(Self { file: None, stderr: true }) };
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let file = opened.map_err(|source| LogError::Open { file: path.clone(), source })?;
        Ok(Self { file: Some(Arc::new(Mutex::new(file))), stderr: config.also_stderr })
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &self.file {
            file.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)?;
        }
        if self.stderr {
            io::stderr().lock().write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Writer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Writes events as oslo.log does.
struct OsloLayer<W> {
    writer: W,
    clock: Arc<dyn Clock>,
    pid: u32,
}

impl<W> OsloLayer<W> {
    fn new(writer: W, clock: Arc<dyn Clock>) -> Self {
        Self { writer, clock, pid: std::process::id() }
    }
}

/// The fields of a span or an event, as text.
#[derive(Default)]
struct Fields {
    message: String,
    named: BTreeMap<&'static str, String>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.named.insert(field.name(), format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut chain = value.to_string();
        let mut next = value.source();
        while let Some(source) = next {
            let _ = write!(chain, ": {source}");
            next = source.source();
        }
        self.record_debug(field, &format_args!("{chain}"));
    }
}

impl<S, W> Layer<S> for OsloLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.named.extend(outer.named.iter().map(|(name, value)| (*name, value.clone())));
            }
        }
        event.record(&mut fields);
        let request = fields.named.remove(REQUEST_ID);
        let (user, project) = (fields.named.remove(USER), fields.named.remove(PROJECT));
        let about = request.as_deref().map(|request_id| log_line::Context {
            request_id,
            user: user.as_deref(),
            project: project.as_deref(),
            ..log_line::Context::default()
        });
        for (name, value) in &fields.named {
            let _ = write!(fields.message, " {name}={value}");
        }
        let meta = event.metadata();
        let level = meta.level().as_str();
        let mut line =
            log_line::line(self.clock.now(), self.pid, level, meta.target(), about.as_ref(), &fields.message);
        line.push('\n');
        // Nowhere to say that the log cannot be written.
        let _ = self.writer.make_writer().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use jeroboam_model::ManualClock;

    use super::*;

    fn logged(act: impl FnOnce()) -> String {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let config = LogConfig { file: Some(path.clone()), ..LogConfig::default() };
        let clock = ManualClock::at("2026-11-21T18:05:09.042Z".parse().expect("a time"));
        let layer = OsloLayer { writer: Writer::open(&config).expect("a file"), clock: Arc::new(clock), pid: 7 };
        let subscriber = Registry::default().with(filter(&config).expect("levels")).with(layer);
        tracing::subscriber::with_default(subscriber, act);
        std::fs::read_to_string(path).expect("a log")
    }

    #[test]
    fn lines_carry_the_request_and_the_fields() {
        let text = logged(|| {
            tracing::info!(target: "jeroboam_api", "started");
            let span =
                tracing::info_span!("request", request.id = "req-1", user.id = "u", project.id = tracing::field::Empty);
            let _inside = span.enter();
            span.record("project.id", "p");
            tracing::warn!(target: "jeroboam_api", { cluster.id = "c1", nodes = 3 }, "resized cluster");
            tracing::debug!(target: "jeroboam_api", "not seen");
        });
        assert_eq!(
            text,
            "2026-11-21 18:05:09.042 7 INFO jeroboam_api [-] started\n\
             2026-11-21 18:05:09.042 7 WARNING jeroboam_api [None req-1 u p - - - -] resized cluster cluster.id=c1 nodes=3\n"
        );
    }

    #[test]
    fn an_error_is_logged_with_its_causes() {
        let inner = io::Error::other("disk full");
        let error = LogError::Open { file: "/var/log/x".into(), source: inner };
        let text = logged(|| {
            tracing::error!(target: "jeroboam", error = &error as &dyn std::error::Error, "gave up");
        });
        assert!(text.ends_with("[-] gave up error=open log file /var/log/x: disk full\n"), "{text}");
    }

    #[test]
    fn a_level_that_is_none_is_named() {
        let config = LogConfig { levels: vec!["a=loud".to_owned()], ..LogConfig::default() };
        let error = filter(&config).map(drop).expect_err("no such level").to_string();
        assert_eq!(error, "log level \"a=loud\" is not understood, expected logger=LEVEL");
        let python = LogConfig { levels: vec!["amqp=WARNING".to_owned()], ..LogConfig::default() };
        assert!(filter(&python).is_ok());
    }
}
