//! The documents that whoever registers accepts, as an administrator names them.
//!
//! Owns: the types. Does not own: who has accepted what ([`crate::terms`]).

use std::collections::BTreeMap;

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Tells it from the others: an opaque identifier.
    pub id: String,
    /// An opaque identifier.
    pub version: String,
    /// By the codes of languages.
    pub translations: BTreeMap<String, PolicyText>,
}

/// A document in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    pub name: String,
    pub url: String,
}
