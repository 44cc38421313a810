//! Where the value of a broker setting comes from: this node's dynamic settings, the cluster's, the file, the default.

use std::collections::BTreeMap;

use crate::properties::Properties;
use crate::setting::{Scope, Setting, setting};
use crate::value::{Value, parse};

/// Settings by key, as ConfigRecords of the metadata log hold them.
pub type Overrides = BTreeMap<String, String>;

/// The layers of a broker's settings, the first that has a readable value decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Dynamic settings of this node.
    pub node: Overrides,
    /// Dynamic settings of all nodes.
    pub cluster: Overrides,
    /// The properties file and the command line.
    pub file: Properties,
}

impl Layers {
    /// The value that counts; none where there is not even a default. A text that is no value of its type is passed over.
    pub fn value(&self, name: &str) -> Option<Value> {
        let row = setting(Scope::Broker, name)?;
        self.texts(row).find_map(|text| parse(row, text).ok())
    }

    /// The text that counts.
    pub fn text(&self, name: &str) -> Option<&str> {
        let row = setting(Scope::Broker, name)?;
        self.texts(row).find(|text| parse(row, text).is_ok())
    }

    /// Whether the value is set anywhere.
    pub fn is_set(&self, name: &str) -> bool {
        self.node.contains_key(name) || self.cluster.contains_key(name) || self.file.get(name).is_some()
    }

    fn texts<'a>(&'a self, row: &'static Setting) -> impl Iterator<Item = &'a str> {
        let layers = [self.node.get(row.name), self.cluster.get(row.name)];
        let dynamic = layers.into_iter().flatten().map(String::as_str);
        dynamic.chain(self.file.get(row.name)).chain(row.default.value())
    }

    /// The number that one listener has of a setting for itself, as `listener.name.external.max.connections`.
    pub fn number_of_listener(&self, listener: &str, name: &str) -> Option<i64> {
        let row = setting(Scope::Broker, name)?;
        let key = format!("listener.name.{}.{name}", listener.to_lowercase());
        let layers = [self.node.get(&key), self.cluster.get(&key)];
        let mut texts = layers.into_iter().flatten().map(String::as_str).chain(self.file.get(&key));
        texts.find_map(|text| match parse(row, text) {
            Ok(Value::Number(number)) => Some(number),
            _ => None,
        })
    }

    /// A number, if there is one.
    pub fn opt_number(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// The number of a setting that has a default; 0 otherwise.
    pub fn long(&self, name: &str) -> i64 {
        self.opt_number(name).unwrap_or(0)
    }

    /// The same for an int or short.
    pub fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or(i32::MAX)
    }

    /// The same for a count or a number of bytes; what is negative is 0.
    pub fn size(&self, name: &str) -> usize {
        usize::try_from(self.long(name).max(0)).unwrap_or(usize::MAX)
    }

    /// The value of a double; 0 where it is not set.
    pub fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Some(Value::Double(number)) => number,
            _ => 0.0,
        }
    }

    /// Whether a boolean setting is true.
    pub fn boolean(&self, name: &str) -> bool {
        self.value(name) == Some(Value::Boolean(true))
    }

    /// The words of a list, none where it is not set.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::List(words)) => words,
            _ => Vec::new(),
        }
    }
}
