//! A section of the configuration as the code asks for it: by name and kind, with everything that is wrong noted down and nothing skipped.

use std::cell::RefCell;
use std::time::Duration;

use secrecy::SecretString;

use super::remarks::{self, Remark};
use super::scalar;
use super::tree::{Node, Place, Value};

/// A section, or one that is not there.
#[derive(Clone)]
pub(super) struct Section<'a> {
    node: Option<&'a Node>,
    path: Vec<String>,
    remarks: &'a RefCell<Vec<Remark>>,
}

impl<'a> Section<'a> {
    pub(super) fn root(node: &'a Node, remarks: &'a RefCell<Vec<Remark>>) -> Self {
        Self { node: Some(node), path: Vec::new(), remarks }
    }

    /// Whether it was written down.
    pub(super) fn is_there(&self) -> bool {
        self.node.is_some()
    }

    /// Whether there is a list where a section is to be.
    pub(super) fn is_list(&self) -> bool {
        self.node.is_some_and(|node| matches!(node.value, Value::List(_)))
    }

    /// Where it was written.
    pub(super) fn place(&self) -> Option<Place> {
        self.node.map(|node| node.place.clone())
    }

    /// The section below it.
    pub(super) fn section(&self, name: &str) -> Self {
        let mut path = self.path.clone();
        path.push(name.to_owned());
        Self { node: self.find(name), path, remarks: self.remarks }
    }

    /// The sections of a list; none where there is no list.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        let Some(node) = self.find(name) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            if node.value != Value::Null {
                self.wrong(node, name, "has to be a list");
            }
            return Vec::new();
        };
        let mut path = self.path.clone();
        path.extend([name.to_owned(), "[]".to_owned()]);
        items.iter().map(|item| Self { node: Some(item), path: path.clone(), remarks: self.remarks }).collect()
    }

    /// What stands here although nobody fixed the names.
    pub(super) fn entries(&self) -> &'a [(String, Node)] {
        self.node.map(Node::entries).unwrap_or_default()
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        let node = self.find(name)?;
        match &node.value {
            Value::Null => None,
            Value::Scalar(text) => Some(text.clone()),
            Value::List(_) | Value::Map(_) => {
                self.wrong(node, name, "has to be text");
                None
            }
        }
    }

    /// Text that is not empty: distribution takes an empty value for none.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    pub(super) fn secret(&self, name: &str) -> Option<SecretString> {
        self.given(name).map(SecretString::from)
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.scalar(name, scalar::flag, "has to be true or false")
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.scalar(name, scalar::number, "has to be a whole number")
    }

    pub(super) fn count(&self, name: &str) -> Option<usize> {
        self.number(name).and_then(|number| usize::try_from(number).ok())
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        self.scalar(name, scalar::duration, "has to be a time such as 90s, 10m or 24h")
    }

    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.scalar(name, scalar::size, "has to be a number of bytes such as 5242880 or 64MiB")
    }

    /// A list of texts, or one text.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let node = self.find(name)?;
        match &node.value {
            Value::Null => None,
            Value::Scalar(text) => Some(vec![text.clone()]),
            Value::Map(_) => {
                self.wrong(node, name, "has to be a list of texts");
                None
            }
            Value::List(_) => Some(self.texts_of(node, name)),
        }
    }

    fn texts_of(&self, node: &Node, name: &str) -> Vec<String> {
        let Value::List(items) = &node.value else { return Vec::new() };
        let mut texts = Vec::new();
        for item in items {
            match &item.value {
                Value::Scalar(text) => texts.push(text.clone()),
                Value::Null => texts.push(String::new()),
                Value::List(_) | Value::Map(_) => self.wrong(item, name, "has to be a list of texts"),
            }
        }
        texts
    }

    /// Names and lists of texts, as headers are given.
    pub(super) fn multimap(&self, name: &str) -> Vec<(String, Vec<String>)> {
        let below = self.section(name);
        let named = below.entries().iter();
        named.filter_map(|(name, _)| Some((name.clone(), below.exact(name)?))).collect()
    }

    fn exact(&self, name: &str) -> Option<Vec<String>> {
        let node = self.node?.get(name)?;
        match &node.value {
            Value::Scalar(text) => Some(vec![text.clone()]),
            _ => Some(self.texts_of(node, name)),
        }
    }

    /// A value that is one of a few.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.given(name)?;
        let found = choices.iter().find(|(known, _)| *known == text.to_ascii_lowercase()).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
            self.refuse(name, &format!("is {text:?} and has to be one of {}", names.join(", ")));
        }
        found
    }

    /// A value that is read by somebody else.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.given(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(name, &format!("is {text:?}: {error}"));
                None
            }
        }
    }

    /// Notes that a value cannot stay as it is.
    pub(super) fn refuse(&self, name: &str, why: &str) {
        let place = self.find(name).or(self.node).map(|node| node.place.clone());
        let text = format!("{} {why}", self.shown(name));
        self.remarks.borrow_mut().push(Remark::error(place, text));
    }

    /// Notes that a value is not what it seems to be.
    pub(super) fn warn(&self, name: &str, why: &str) {
        let text = format!("{} {why}", self.shown(name));
        let place = self.find(name).or(self.node).map(|node| node.place.clone());
        self.remarks.borrow_mut().extend(place.map(|place| Remark::warning(place, text)));
    }

    fn scalar<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>, wanted: &str) -> Option<T> {
        let node = self.find(name)?;
        match &node.value {
            Value::Null => None,
            Value::Scalar(text) if text.is_empty() => None,
            Value::Scalar(text) => {
                let value = read(text);
                if value.is_none() {
                    self.wrong(node, name, wanted);
                }
                value
            }
            Value::List(_) | Value::Map(_) => {
                self.wrong(node, name, wanted);
                None
            }
        }
    }

    fn find(&self, name: &str) -> Option<&'a Node> {
        let node = self.node?;
        node.get(name).or_else(|| {
            let mut entries = node.entries().iter();
            entries.find(|(written, _)| remarks::is(name, written, &self.path)).map(|(_, node)| node)
        })
    }

    fn wrong(&self, node: &Node, name: &str, wanted: &str) {
        let text = format!("{} {wanted}", self.shown(name));
        self.remarks.borrow_mut().push(Remark::error(Some(node.place.clone()), text));
    }

    fn shown(&self, name: &str) -> String {
        remarks::shown(&self.path, name)
    }
}
