//! `jeroboam template …`

use serde_json::{Value, json};

use super::{Body, text, title};
use crate::args::{ConfirmArgs, OutputArgs, TemplateCommand, TemplateCreateArgs, TemplateUpdateArgs};
use crate::client::Api;
use crate::{Failure, Surroundings, output};

const COLUMNS: [&str; 6] = ["uuid", "name", "coe", "image_id", "public", "driver"];

const FIRST: [&str; 7] = ["uuid", "name", "coe", "image_id", "flavor_id", "master_flavor_id", "labels"];

/// Fields that are no text.
const NUMBERS: [&str; 2] = ["apiserver_port", "docker_volume_size"];
const BOOLEANS: [&str; 6] =
    ["public", "hidden", "registry_enabled", "tls_disabled", "master_lb_enabled", "floating_ip_enabled"];

pub(super) async fn run(api: &Api, command: TemplateCommand, surroundings: &mut Surroundings) -> Result<(), Failure> {
    match command {
        TemplateCommand::List(args) => {
            let templates = api.list(&["clustertemplates"], &args, &[]).await?;
            surroundings.print(&output::list(&templates, &COLUMNS, &args.output, surroundings.screen)?)
        }
        TemplateCommand::Show { template, output } => {
            let template: Value = api.get(&["clustertemplates", &template]).await?;
            print(&template, &output, surroundings)
        }
        TemplateCommand::Create(args) => {
            let template = api.post(&["clustertemplates"], body(&args)).await?;
            print(&template, &args.output, surroundings)
        }
        TemplateCommand::Update(args) => {
            let template = api.patch(&["clustertemplates", &args.template], patch(&args)?).await?;
            print(&template, &args.output, surroundings)
        }
        TemplateCommand::Delete { templates, confirm } => delete(api, &templates, &confirm, surroundings).await,
    }
}

fn print(template: &Value, args: &OutputArgs, surroundings: &mut Surroundings) -> Result<(), Failure> {
    surroundings.print(&output::one(template, &FIRST, args, surroundings.screen)?)
}

fn body(args: &TemplateCreateArgs) -> Value {
    let mut body = Body::default();
    body.maybe("name", args.name.as_deref());
    body.set("coe", "kubernetes");
    body.set("image_id", args.image.as_str());
    body.maybe("external_network_id", args.external_network.as_deref());
    body.maybe("flavor_id", args.flavor.as_deref());
    body.maybe("master_flavor_id", args.master_flavor.as_deref());
    body.maybe("keypair_id", args.keypair.as_deref());
    body.maybe("fixed_network", args.fixed_network.as_deref());
    body.maybe("fixed_subnet", args.fixed_subnet.as_deref());
    body.maybe("dns_nameserver", args.dns_nameserver.as_deref());
    body.maybe("network_driver", args.network_driver.as_deref());
    body.maybe("volume_driver", args.volume_driver.as_deref());
    body.maybe("docker_volume_size", args.docker_volume_size);
    body.pairs("labels", &args.labels);
    body.maybe("tags", args.tags.as_deref());
    body.maybe("driver", args.driver.as_deref());
    body.maybe("master_lb_enabled", args.master_lb.then_some(true));
    body.maybe("floating_ip_enabled", args.no_floating_ip.then_some(false));
    body.maybe("public", args.public.then_some(true));
    body.maybe("hidden", args.hidden.then_some(true));
    body.finish()
}

/// A JSON Patch of the fields that were named.
fn patch(args: &TemplateUpdateArgs) -> Result<Value, Failure> {
    let mut operations = Vec::new();
    for pair in &args.set {
        // A label that is not there yet cannot be replaced.
        let op = if pair.name.trim_start_matches('/').contains('/') { "add" } else { "replace" };
        operations.push(json!({"op": op, "path": path(&pair.name), "value": value(&pair.name, &pair.value)?}));
    }
    operations.extend(args.unset.iter().map(|field| json!({"op": "remove", "path": path(field)})));
    Ok(Value::Array(operations))
}

/// Only the first slash separates: the others belong to the label's name.
fn path(field: &str) -> String {
    let escaped = |part: &str| part.replace('~', "~0").replace('/', "~1");
    match field.trim_start_matches('/').split_once('/') {
        Some((whole, part)) => format!("/{}/{}", escaped(whole), escaped(part)),
        None => format!("/{}", escaped(field.trim_start_matches('/'))),
    }
}

fn value(field: &str, text: &str) -> Result<Value, Failure> {
    let field = field.trim_start_matches('/');
    let wrong = |expected| Failure::usage(format!("{field} is {text:?}, expected {expected}"));
    if NUMBERS.contains(&field) {
        text.parse::<i64>().map(Value::from).map_err(|_| wrong("a whole number"))
    } else if BOOLEANS.contains(&field) {
        text.to_lowercase().parse::<bool>().map(Value::from).map_err(|_| wrong("true or false"))
    } else {
        Ok(Value::from(text))
    }
}

async fn delete(
    api: &Api,
    names: &[String],
    confirm: &ConfirmArgs,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let mut templates: Vec<Value> = Vec::new();
    for name in names {
        templates.push(api.get(&["clustertemplates", name]).await?);
    }
    let described =
        |template: &Value| format!("template {} ({})", title(template), template["uuid"].as_str().unwrap_or("-"));
    if confirm.dry_run {
        for template in &templates {
            surroundings.print(&format!("would delete {}\n", described(template)))?;
        }
        return Ok(());
    }
    if !confirm.yes {
        let all: Vec<_> = templates.iter().map(described).collect();
        surroundings.confirm(&format!("delete {}?", all.join(" and ")))?;
    }
    for template in &templates {
        api.delete(&["clustertemplates", text(template, "uuid")?]).await?;
        surroundings.say(&format!("template {} is deleted", title(template)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::args::Pair;

    use super::*;

    #[test]
    fn what_is_set_becomes_a_patch_of_the_right_types() {
        let set = ["flavor_id=m1.large", "public=True", "docker_volume_size=20", "labels/kube.io/tag=v1=2", "/tags=a"];
        let set = set.into_iter().map(|text| text.parse::<Pair>().expect("a pair")).collect();
        let args = TemplateUpdateArgs {
            template: "t".to_owned(),
            set,
            unset: vec!["keypair_id".to_owned()],
            output: OutputArgs::default(),
        };
        let expected = json!([
            {"op": "replace", "path": "/flavor_id", "value": "m1.large"},
            {"op": "replace", "path": "/public", "value": true},
            {"op": "replace", "path": "/docker_volume_size", "value": 20},
            {"op": "add", "path": "/labels/kube.io~1tag", "value": "v1=2"},
            {"op": "replace", "path": "/tags", "value": "a"},
            {"op": "remove", "path": "/keypair_id"},
        ]);
        assert_eq!(patch(&args), Ok(expected));
        let wrong = TemplateUpdateArgs { set: vec!["public=perhaps".parse().expect("a pair")], ..args };
        assert_eq!(
            patch(&wrong).map_err(|failure| (failure.message, failure.code)),
            Err(("public is \"perhaps\", expected true or false".to_owned(), 2))
        );
    }
}
