//! The documents of the specification's data.

use std::collections::BTreeMap;

use serde_json::Value;

/// Documents by their names, which are those of the specification's files.
pub struct Documents(BTreeMap<String, Value>);

impl Documents {
    pub fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("documents by name"))
    }

    /// Those that have operations.
    pub fn with_operations(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().filter(|(_, document)| document.get("paths").is_some())
    }

    /// A document, and its name as it is kept.
    pub fn get(&self, name: &str) -> Option<(&str, &Value)> {
        self.0.get_key_value(name).map(|(name, document)| (name.as_str(), document))
    }
}
