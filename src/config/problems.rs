//! What is wrong with a configuration.
//!
//! Owns: the list that is shown to the admin. Invariant: it names keys and reasons, never the value of a secret.

use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key's path (`database.path`), the name of an environment variable, or the file.
    pub key: String,
    /// What is wrong with it.
    pub text: String,
}

/// All mistakes that were found, in the order of the sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, key: impl Into<String>, text: impl fmt::Display) {
        self.0.push(Problem { key: key.into(), text: text.to_string() });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One mistake after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Whether there is a mistake at `key`.
    pub fn at(&self, key: &str) -> bool {
        self.0.iter().any(|problem| problem.key == key)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Problem { key, text } in &self.0 {
            writeln!(f, "{key}: {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
