//! The form of the index.
//!
//! Owns: its fields, and an entry as a document. Does not own: when documents come and go.
//!
//! Invariants: no text is stored, only which words an event has. A change here is a new [`FORM`]: an index of another form is made anew.

use plop_state_store::{EventNumber, RoomNumber};
use tantivy::TantivyDocument;
use tantivy::Term;
use tantivy::schema::{
    BytesOptions, Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};

use crate::entry::Entry;

/// The number of this form.
pub const FORM: u32 = 1;

/// The analyzer's name in the index.
pub const WORDS: &str = "words";

/// Fields that are read by name while documents are collected.
pub const ROOM: &str = "room";
pub const EVENT: &str = "event";
pub const COMMIT: &str = "commit";
pub const INDEX: &str = "index";

/// The fields of a document.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    /// Room and event as bytes: what a document is deleted by.
    pub id: Field,
    pub room: Field,
    pub event: Field,
    /// The two halves of the position in the live stream, in the order of their bytes.
    pub commit: Field,
    pub index: Field,
    pub sender: Field,
    pub key: Field,
    pub has_url: Field,
    pub text: Field,
}

/// The schema and its fields.
pub fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let words = |tokenizer: &str, option| {
        let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(option);
        TextOptions::default().set_indexing_options(indexing)
    };
    let (indexed, fast) = (NumericOptions::default().set_indexed(), NumericOptions::default().set_fast());
    let fields = Fields {
        id: schema.add_bytes_field("id", BytesOptions::default().set_indexed()),
        room: schema.add_u64_field(ROOM, indexed.clone().set_fast()),
        event: schema.add_u64_field(EVENT, fast.clone()),
        commit: schema.add_u64_field(COMMIT, fast.clone()),
        index: schema.add_u64_field(INDEX, fast),
        sender: schema.add_text_field("sender", words("raw", IndexRecordOption::Basic)),
        key: schema.add_u64_field("key", indexed.clone()),
        has_url: schema.add_u64_field("has_url", indexed),
        text: schema.add_text_field("text", words(WORDS, IndexRecordOption::WithFreqs)),
    };
    (schema.build(), fields)
}

impl Fields {
    /// An entry as the index takes it.
    pub fn document(&self, entry: &Entry) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        let (commit, index) = halves(entry.position);
        document.add_bytes(self.id, &id(entry.room, entry.event));
        document.add_u64(self.room, entry.room.0);
        document.add_u64(self.event, entry.event.0);
        document.add_u64(self.commit, commit);
        document.add_u64(self.index, index);
        document.add_text(self.sender, &entry.sender);
        document.add_u64(self.key, entry.key.number());
        document.add_u64(self.has_url, u64::from(entry.has_url));
        document.add_text(self.text, &entry.text);
        document
    }

    /// What names the document of an event.
    pub fn id_term(&self, room: RoomNumber, event: EventNumber) -> Term {
        Term::from_field_bytes(self.id, &id(room, event))
    }
}

fn id(room: RoomNumber, event: EventNumber) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&room.0.to_be_bytes());
    id[8..].copy_from_slice(&event.0.to_be_bytes());
    id
}

/// A position as two numbers that are ordered as it is.
fn halves(position: plop_db::Position) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = position.to_bytes();
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]), u64::from(u32::from_be_bytes([i, j, k, l])))
}
