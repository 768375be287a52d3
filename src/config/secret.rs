//! Values that no log, example or error message may show.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::schema::Setting;

/// A secret. Shown nowhere, wiped from memory when dropped; [`Secret::reveal`] is the one way to its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Serde's own message would repeat the value.
        let text = String::deserialize(deserializer).map_err(|_| D::Error::custom("a secret is text"))?;
        Ok(Self::from(text))
    }
}

impl Setting for Option<Secret> {
    const FROM_FILE: Option<fn(String) -> Self> = Some(|text| Some(Secret::from(text)));
}
