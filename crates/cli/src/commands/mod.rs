//! The commands: each reads its arguments, asks the service, shows the answer.

mod cluster;
mod kubeconfig;
mod nodegroup;
mod nodes;
mod operator;
mod service;
mod template;

use serde_json::{Map, Value};

use crate::args::{ClientCommand, OperatorCommand, Pair};
use crate::client::Api;
use crate::{Failure, Surroundings};

/// Carries out what a tenant typed and says what went wrong; the exit code.
pub async fn run_client(command: ClientCommand, surroundings: &mut Surroundings) -> u8 {
    let done = client(command, surroundings).await;
    exit(done, surroundings)
}

/// Carries out what an operator typed and says what went wrong; the exit code.
pub fn run_operator(command: OperatorCommand, surroundings: &mut Surroundings) -> u8 {
    let done = operator::run(command, surroundings);
    exit(done, surroundings)
}

async fn client(command: ClientCommand, surroundings: &mut Surroundings) -> Result<(), Failure> {
    match command {
        ClientCommand::Cluster { cloud, command } => {
            cluster::run(&Api::new(&cloud, surroundings)?, command, surroundings).await
        }
        ClientCommand::Template { cloud, command } => {
            template::run(&Api::new(&cloud, surroundings)?, command, surroundings).await
        }
        ClientCommand::Nodegroup { cloud, command } => {
            nodegroup::run(&Api::new(&cloud, surroundings)?, command, surroundings).await
        }
        ClientCommand::Kubeconfig(args) => {
            kubeconfig::run(&Api::new(&args.cloud, surroundings)?, &args, surroundings).await
        }
        ClientCommand::Service { cloud, command } => {
            service::run(&Api::new(&cloud, surroundings)?, command, surroundings).await
        }
    }
}

fn exit(done: Result<(), Failure>, surroundings: &mut Surroundings) -> u8 {
    let Err(failure) = done else { return 0 };
    let colour = surroundings.screen.colour && surroundings.screen.err;
    surroundings.say(failure.shown(colour).trim_end());
    failure.code
}

/// A request body that grows by what was typed.
#[derive(Default)]
struct Body(Map<String, Value>);

impl Body {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Leaves out what was not typed: the service has its defaults.
    fn maybe<V: Into<Value>>(&mut self, name: &str, value: Option<V>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn pairs(&mut self, name: &str, pairs: &[Pair]) {
        if !pairs.is_empty() {
            let fields = pairs.iter().map(|pair| (pair.name.clone(), Value::from(pair.value.as_str())));
            self.set(name, Value::Object(fields.collect()));
        }
    }

    fn finish(self) -> Value {
        Value::Object(self.0)
    }
}

/// `true` for the one flag, `false` for its opposite, nothing for neither.
fn choice(yes: bool, no: bool) -> Option<bool> {
    (yes || no).then_some(yes)
}

/// A field that the service promises as text.
fn text<'a>(object: &'a Value, field: &str) -> Result<&'a str, Failure> {
    object[field].as_str().ok_or_else(|| Failure::new(format!("the service gave an answer without {field}")))
}

/// The name, or the id of what has none.
fn title(object: &Value) -> String {
    let name = object["name"].as_str().or_else(|| object["uuid"].as_str());
    name.unwrap_or("without a name").to_owned()
}

/// `1 node`, `2 nodes`.
fn count(number: i64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
