//! YAML as a tree in which every value knows where it was written.
//!
//! Scalars stay text until somebody asks for a kind: a password of digits is no number, and `yes` is a flag only where a flag is wanted.

use std::fmt;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

/// Longest text that is read.
const LONGEST: usize = 4 << 20;
/// Deepest nesting.
const DEEPEST: usize = 64;
/// Most values, those that aliases repeat included.
const MOST: usize = 20_000;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the file, in this line.
    Line(usize),
    /// In this variable of the environment.
    Variable(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// Text, a number or a flag.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// Names and what they stand for, in the order in which they were written.
    Map(Vec<(String, Node)>),
}

/// Why a text is no such tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct BadYaml {
    place: Place,
    reason: String,
}

impl Node {
    /// Reads the first document of a text; an empty one is null. `place` says where the text is from if it is not a file.
    pub(crate) fn parse(text: &str, variable: Option<&Arc<str>>) -> Result<Self, BadYaml> {
        let bad = |line: usize, reason: String| BadYaml { place: place(line, variable), reason };
        if text.len() > LONGEST {
            return Err(bad(1, format!("it is longer than {LONGEST} bytes")));
        }
        let mut builder = Builder { variable, open: Vec::new(), anchors: Vec::new(), count: 0, root: None };
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| bad(error.marker().line(), error.info().clone()))?;
            let line = span.start.line();
            if matches!(event, Event::DocumentEnd) {
                break;
            }
            builder.take(event, line).map_err(|reason| bad(line, reason.to_owned()))?;
        }
        Ok(builder.root.unwrap_or(Self { value: Value::Null, place: place(1, variable) }))
    }

    /// What a map has under exactly this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(known, _)| known == name).map(|(_, node)| node)
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }
}

fn place(line: usize, variable: Option<&Arc<str>>) -> Place {
    variable.map_or(Place::Line(line), |name| Place::Variable(Arc::clone(name)))
}

/// A list or map whose end has not come.
struct Open {
    node: Node,
    anchor: usize,
    /// The name whose value comes next, in a map.
    name: Option<String>,
}

struct Builder<'a> {
    variable: Option<&'a Arc<str>>,
    open: Vec<Open>,
    anchors: Vec<(usize, Node)>,
    count: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), &'static str> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let named_text = tag.is_some_and(|tag| tag.to_string().ends_with("str"));
                let null = style == ScalarStyle::Plain
                    && !named_text
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Scalar(text.into_owned()) };
                self.finish(Node { value, place: place(line, self.variable) }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Value::List(Vec::new()), line, anchor),
            Event::MappingStart(_, anchor, _) => self.begin(Value::Map(Vec::new()), line, anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { node, anchor, .. }) => self.finish(node, anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let found = self.anchors.iter().rev().find(|(known, _)| *known == anchor);
                let Some(node) = found.map(|(_, node)| node.clone()) else {
                    return Err("an alias stands within what it repeats");
                };
                self.count += size(&node);
                self.finish(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, value: Value, line: usize, anchor: usize) -> Result<(), &'static str> {
        if self.open.len() >= DEEPEST {
            return Err("it is nested too deeply");
        }
        if matches!(self.open.last(), Some(Open { node: Node { value: Value::Map(_), .. }, name: None, .. })) {
            return Err("a name has to be text");
        }
        self.open.push(Open { node: Node { value, place: place(line, self.variable) }, anchor, name: None });
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), &'static str> {
        self.count += 1;
        if self.count > MOST {
            return Err("there are too many values");
        }
        if anchor != 0 {
            self.anchors.push((anchor, node.clone()));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.value, open.name.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(name)) => insert(entries, name, node),
            (Value::Map(_), None) => match node.value {
                Value::Scalar(name) => open.name = Some(name),
                Value::Null => open.name = Some("null".to_owned()),
                _ => return Err("a name has to be text"),
            },
            _ => {}
        }
        Ok(())
    }
}

/// A name that is given twice means its last value; what `<<` brings gives way to what is written beside it.
fn insert(entries: &mut Vec<(String, Node)>, name: String, node: Node) {
    if name == "<<" {
        let merged = match node.value {
            Value::Map(merged) => merged,
            Value::List(items) => items.iter().flat_map(|item| item.entries().to_vec()).collect(),
            _ => Vec::new(),
        };
        for (name, node) in merged {
            if !entries.iter().any(|(known, _)| *known == name) {
                entries.push((name, node));
            }
        }
        return;
    }
    match entries.iter_mut().find(|(known, _)| *known == name) {
        Some(entry) => entry.1 = node,
        None => entries.push((name, node)),
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|(_, node)| size(node)).sum(),
        Value::Null | Value::Scalar(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Scalar(text) => format!("{text:?}"),
            Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
            Value::Map(entries) => {
                let entries = entries.iter().map(|(name, node)| format!("{name}: {}", shown(node)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    #[test]
    fn yaml_becomes_a_tree_of_text() {
        for (text, tree) in [
            ("", "null"),
            ("a: 0123\nb: yes\nc: ~\nd: '~'\n", r#"{a: "0123", b: "yes", c: null, d: "~"}"#),
            ("a: [1, {b: c}]\n---\nz: 1\n", r#"{a: ["1", {b: "c"}]}"#),
            (
                "a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\ne: *x\n",
                r#"{a: {b: "1", c: "2"}, d: {b: "3", c: "2"}, e: {b: "1", c: "2"}}"#,
            ),
            ("a: 1\na: 2\n", r#"{a: "2"}"#),
            ("'':\n", "{: null}"),
            ("a: !!str null\n", r#"{a: "null"}"#),
        ] {
            assert_eq!(Node::parse(text, None).map(|node| shown(&node)), Ok(tree.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_tree_is_refused_with_its_line() {
        for (text, place) in [("a: 1\nb: [\n", Place::Line(2)), ("a: 1\n[b]: 2\n", Place::Line(2))] {
            assert_eq!(Node::parse(text, None).map_err(|bad| bad.place), Err(place), "{text}");
        }
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(Node::parse(&deep, None).expect_err("too deep").to_string().contains("nested too deeply"));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let before = n - 1;
            bomb += &format!(
                "a{n}: &a{n} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}]\n"
            );
        }
        assert!(Node::parse(&bomb, None).expect_err("too many").to_string().contains("too many values"));
    }

    #[test]
    fn a_value_knows_its_line_or_its_variable() {
        let node = Node::parse("a:\n  b: 1\n", None).expect("a tree");
        assert_eq!(node.get("a").and_then(|a| a.get("b")).map(|b| b.place.to_string()), Some("line 2".to_owned()));
        let node = Node::parse("{b: 1}", Some(&"REGISTRY_A".into())).expect("a tree");
        assert_eq!(node.get("b").map(|b| b.place.to_string()), Some("REGISTRY_A".to_owned()));
    }
}
