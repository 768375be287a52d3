//! What was promised of files: one that was uploaded is there with its bytes, one that was announced can be uploaded.
//!
//! Pure: no I/O.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// A file's bytes, named by what they are made from, so that they need not be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub marker: String,
    pub size: usize,
}

impl Content {
    /// The bytes: like those of no other marker.
    pub fn bytes(&self) -> Bytes {
        // FNV-1a: the same in each run and each build.
        let seed = self.marker.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut bytes = vec![0; self.size];
        StdRng::seed_from_u64(seed).fill(&mut bytes[..]);
        bytes.into()
    }
}

/// How far a file has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has tried to upload it.
    Announced,
    /// It is there, whole, or can be uploaded still.
    InDoubt(Content),
    There(Content),
}

/// A file, whose it is and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFile {
    pub user_id: String,
    pub stage: Stage,
}

/// Files by name: what follows `mxc://`.
#[derive(Debug, Default)]
pub struct FileFacts {
    files: BTreeMap<String, KnownFile>,
}

impl FileFacts {
    pub fn announced(&mut self, name: &str, user_id: &str) {
        let file = KnownFile { user_id: user_id.to_owned(), stage: Stage::Announced };
        self.files.entry(name.to_owned()).or_insert(file);
    }

    /// Nothing overwrites a file that is there.
    pub fn uploaded(&mut self, name: &str, user_id: &str, content: &Content, acknowledged: bool) {
        let stage =
            if acknowledged { Stage::There(content.clone()) } else { Stage::InDoubt(content.clone()) };
        let file = KnownFile { user_id: user_id.to_owned(), stage };
        let is_there = self.files.get(name).is_some_and(|file| matches!(file.stage, Stage::There(_)));
        if !is_there {
            self.files.insert(name.to_owned(), file);
        }
    }

    pub fn file(&self, name: &str) -> Option<&KnownFile> {
        self.files.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.files.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(marker: &str) -> Content {
        Content { marker: marker.to_owned(), size: 1_000 }
    }

    #[test]
    fn bytes_are_those_of_their_marker() {
        assert_eq!(content("a").bytes(), content("a").bytes());
        assert_ne!(content("a").bytes(), content("b").bytes());
        assert_eq!(content("a").bytes().len(), 1_000);
    }

    #[test]
    fn a_file_goes_from_announced_to_there_and_never_back() {
        let mut facts = FileFacts::default();
        let stage = |facts: &FileFacts| facts.file("s/1").map(|file| file.stage.clone());
        facts.announced("s/1", "@a");
        assert_eq!(stage(&facts), Some(Stage::Announced));
        facts.uploaded("s/1", "@a", &content("1"), false);
        facts.announced("s/1", "@a");
        assert_eq!(stage(&facts), Some(Stage::InDoubt(content("1"))));
        facts.uploaded("s/1", "@a", &content("1"), true);
        facts.uploaded("s/1", "@a", &content("2"), false);
        assert_eq!(stage(&facts), Some(Stage::There(content("1"))));
    }
}
