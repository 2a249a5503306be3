//! How data looks: a table for people, JSON and YAML with the API's names, bare values for scripts.

use std::fmt::Write as _;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use crate::args::{Format, OutputArgs};
use crate::{Failure, Screen};

/// Shows many things; `columns` are those of the table when none were asked for.
pub(crate) fn list(items: &[Value], columns: &[&str], args: &OutputArgs, screen: Screen) -> Result<String, Failure> {
    known(items, columns, &args.columns)?;
    let asked: Vec<&str> = args.columns.iter().map(String::as_str).collect();
    let columns = if asked.is_empty() { columns } else { &asked };
    match args.format {
        Format::Json => json(&picked(items, &asked)),
        Format::Yaml => yaml(&picked(items, &asked)),
        Format::Value => Ok(items.iter().map(|item| values(item, columns)).collect()),
        Format::Table => {
            let mut table = table(screen);
            table.set_header(columns.iter().map(|name| name.to_uppercase()));
            for item in items {
                table.add_row(columns.iter().map(|name| cell(&item[*name], screen)));
            }
            Ok(laid_out(table))
        }
    }
}

/// Shows one thing; the fields in `first` come first, the others after them by name.
pub(crate) fn one(item: &Value, first: &[&str], args: &OutputArgs, screen: Screen) -> Result<String, Failure> {
    known(std::slice::from_ref(item), &[], &args.columns)?;
    let asked: Vec<&str> = args.columns.iter().map(String::as_str).collect();
    let fields = if asked.is_empty() { in_order(item, first) } else { asked.clone() };
    match args.format {
        Format::Json => json(&pick(item, &asked)),
        Format::Yaml => yaml(&pick(item, &asked)),
        Format::Value => Ok(fields.iter().map(|name| format!("{}\n", text(&item[*name], ""))).collect()),
        Format::Table => {
            let mut table = table(screen);
            table.set_header(["FIELD", "VALUE"]);
            for name in fields {
                table.add_row([Cell::new(name), cell(&item[name], screen)]);
            }
            Ok(laid_out(table))
        }
    }
}

/// A column that nothing has is a slip of the pen.
fn known(items: &[Value], columns: &[&str], asked: &[String]) -> Result<(), Failure> {
    let has = |name: &str| columns.contains(&name) || items.iter().any(|item| item.get(name).is_some());
    let Some(unknown) = asked.iter().find(|name| !items.is_empty() && !has(name)) else { return Ok(()) };
    let names = items.first().map(|item| in_order(item, columns).join(", ")).unwrap_or_default();
    Err(Failure::usage(format!("there is no column {unknown}")).hint(format!("there are {names}")))
}

/// All names of an object, `links` left out: no person wants them.
fn in_order<'a>(item: &'a Value, first: &[&'a str]) -> Vec<&'a str> {
    let names = || item.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
    let leading = first.iter().copied().filter(|name| item.get(name).is_some());
    leading.chain(names().filter(|name| !first.contains(name) && *name != "links")).collect()
}

fn picked(items: &[Value], asked: &[&str]) -> Value {
    Value::Array(items.iter().map(|item| pick(item, asked)).collect())
}

fn pick(item: &Value, asked: &[&str]) -> Value {
    match item {
        Value::Object(fields) if !asked.is_empty() => {
            let chosen = asked.iter().map(|name| ((*name).to_owned(), fields.get(*name).cloned().unwrap_or_default()));
            Value::Object(chosen.collect())
        }
        whole => whole.clone(),
    }
}

fn json(value: &Value) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(format!("write JSON: {error}")))?;
    Ok(text + "\n")
}

fn yaml(value: &Value) -> Result<String, Failure> {
    serde_saphyr::to_string(value).map_err(|error| Failure::new(format!("write YAML: {error}")))
}

fn values(item: &Value, columns: &[&str]) -> String {
    let mut line = String::new();
    for (at, name) in columns.iter().enumerate() {
        let gap = if at == 0 { "" } else { " " };
        let _ = write!(line, "{gap}{}", text(&item[*name], "None"));
    }
    line + "\n"
}

/// A value for people; `nothing` stands for null.
fn text(value: &Value, nothing: &str) -> String {
    match value {
        Value::Null => nothing.to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(|item| text(item, nothing)).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(name, value)| format!("{name}={}", text(value, nothing)));
            pairs.collect::<Vec<_>>().join(", ")
        }
    }
}

fn table(screen: Screen) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // What a program reads is never cut or wrapped.
    if screen.out {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
    }
    table
}

fn laid_out(mut table: Table) -> String {
    table.discover_columns();
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A colour only repeats what the word says.
fn cell(value: &Value, screen: Screen) -> Cell {
    let shown = text(value, "-");
    let colour = match shown.as_str() {
        "HEALTHY" | "Ready" | "up" => Some(Color::Green),
        "UNHEALTHY" | "NotReady" | "down" => Some(Color::Red),
        word if word.ends_with("_COMPLETE") => Some(Color::Green),
        word if word.ends_with("_FAILED") => Some(Color::Red),
        word if word.ends_with("_IN_PROGRESS") => Some(Color::Yellow),
        _ => None,
    };
    match colour {
        Some(colour) if screen.out && screen.colour => Cell::new(shown).fg(colour),
        _ => Cell::new(shown),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use snapbox::{assert_data_eq, str};

    use super::*;

    fn items() -> Vec<Value> {
        vec![
            json!({"uuid": "1", "name": "kube", "status": "CREATE_COMPLETE", "labels": {"a": "b", "c": "d"}, "n": 3}),
            json!({"uuid": "2", "name": null, "status": "CREATE_IN_PROGRESS", "labels": {}, "n": 10}),
        ]
    }

    fn shown(format: Format, columns: &[&str]) -> Result<String, Failure> {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        list(&items(), &["uuid", "name", "status"], &OutputArgs { format, columns }, Screen::default())
    }

    #[test]
    fn lists_look_the_same_everywhere() {
        assert_data_eq!(
            shown(Format::Table, &[]).unwrap(),
            str![[r#"
UUID  NAME  STATUS
1     kube  CREATE_COMPLETE
2     -     CREATE_IN_PROGRESS

"#]]
        );
        assert_data_eq!(shown(Format::Value, &["name", "n"]).unwrap(), "kube 3\nNone 10\n");
        assert_data_eq!(
            shown(Format::Json, &["uuid", "n"]).unwrap(),
            str![[r#"
[
  {
    "n": 3,
    "uuid": "1"
  },
  {
    "n": 10,
    "uuid": "2"
  }
]

"#]]
        );
        assert_data_eq!(shown(Format::Yaml, &["name"]).unwrap(), "- name: kube\n- name: null\n");
        assert_data_eq!(shown(Format::Table, &["labels"]).unwrap(), "LABELS\na=b, c=d\n\n");
    }

    #[test]
    fn one_thing_is_shown_field_by_field() {
        let args = OutputArgs::default();
        assert_data_eq!(
            one(&items()[0], &["name"], &args, Screen::default()).unwrap(),
            str![[r#"
FIELD   VALUE
name    kube
labels  a=b, c=d
n       3
status  CREATE_COMPLETE
uuid    1

"#]]
        );
        let args = OutputArgs { format: Format::Value, columns: vec!["n".to_owned()] };
        assert_data_eq!(one(&items()[0], &[], &args, Screen::default()).unwrap(), "3\n");
    }

    #[test]
    fn a_column_that_nothing_has_is_named() {
        let failure = shown(Format::Table, &["stauts"]).unwrap_err();
        assert_eq!(
            failure.shown(false),
            "error: there is no column stauts\nhint: there are uuid, name, status, labels, n\n"
        );
        assert_eq!(failure.code, 2);
    }
}
