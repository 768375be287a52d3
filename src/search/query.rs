//! What is asked for, and as what the index is asked.
//!
//! Owns: [`Ask`], the query. Does not own: which rooms are in reach ([`crate::reach`]), what is checked afterwards ([`crate::looking`]).
//!
//! Invariants: all words of the term must be in a text. They are looked up as they are: no character of a term means anything, and a term of any length is a
//! bounded number of look-ups. Rooms, senders and keys are parts of the query, so what cannot be in the answer is never scored.

use std::collections::BTreeSet;

use plop_rooms::reader::filter::EventFilter;
use plop_state_store::RoomNumber;
use ruma::api::client::filter::UrlFilter;
use ruma::{OwnedRoomId, OwnedUserId};
use tantivy::Term;
use tantivy::query::{BooleanQuery, ConstScoreQuery, Occur, Query, TermQuery, TermSetQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::tokenizer::TextAnalyzer;

use crate::entry::Key;
use crate::fields::Fields;
use crate::language::words;
use crate::token::PageToken;

/// Characters of a term that are looked at.
const MAX_TERM_CHARACTERS: usize = 2_000;
/// Words that are looked up.
const MAX_WORDS: usize = 32;

/// The order of the results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The best first.
    #[default]
    Rank,
    /// The newest first.
    Recent,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    pub term: String,
    /// Where to look; nowhere else.
    pub keys: BTreeSet<Key>,
    pub order: Order,
    /// Results of a page.
    pub limit: usize,
    /// Only in these rooms, and in those that they have taken the place of.
    pub rooms: Option<Vec<OwnedRoomId>>,
    pub not_rooms: Vec<OwnedRoomId>,
    pub senders: Option<Vec<OwnedUserId>>,
    pub not_senders: Vec<OwnedUserId>,
    pub url: Option<UrlFilter>,
    /// The whole filter, by which each result is checked.
    pub filter: EventFilter,
    pub from: Option<PageToken>,
}

/// The words of a term, each once.
pub(crate) fn words_of(term: &str, analyzer: &TextAnalyzer) -> BTreeSet<String> {
    let term: String = term.chars().take(MAX_TERM_CHARACTERS).collect();
    let mut found = BTreeSet::new();
    for (word, _) in words(analyzer, &term) {
        if found.len() == MAX_WORDS {
            break;
        }
        found.insert(word);
    }
    found
}

/// The query. `senders` are those who are left of all who were asked for.
pub(crate) fn query(
    fields: &Fields,
    words: &BTreeSet<String>,
    rooms: &[RoomNumber],
    ask: &Ask,
    not_senders: &BTreeSet<OwnedUserId>,
) -> Box<dyn Query> {
    let word = |word: &String| -> (Occur, Box<dyn Query>) {
        let term = Term::from_field_text(fields.text, word);
        (Occur::Must, Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)))
    };
    // By themselves: their scores are then added up in the same order, and come to the same, whatever else is asked.
    let words = BooleanQuery::new(words.iter().map(word).collect());
    let mut parts: Vec<(Occur, Box<dyn Query>)> = vec![(Occur::Must, Box::new(words))];
    parts.push(one_of(rooms.iter().map(|room| Term::from_field_u64(fields.room, room.0))));
    if ask.keys.len() < Key::ALL.len() {
        parts.push(one_of(ask.keys.iter().map(|key| Term::from_field_u64(fields.key, key.number()))));
    }
    if let Some(senders) = &ask.senders {
        parts.push(one_of(senders.iter().map(|sender| of_sender(fields.sender, sender))));
    }
    if !not_senders.is_empty() {
        let none_of = TermSetQuery::new(not_senders.iter().map(|sender| of_sender(fields.sender, sender)));
        parts.push((Occur::MustNot, Box::new(none_of)));
    }
    if let Some(url) = ask.url {
        let has_url = u64::from(url == UrlFilter::EventsWithUrl);
        parts.push(one_of([Term::from_field_u64(fields.has_url, has_url)]));
    }
    Box::new(BooleanQuery::new(parts))
}

/// A condition, which says nothing about how good a document is.
fn one_of(terms: impl IntoIterator<Item = Term>) -> (Occur, Box<dyn Query>) {
    (Occur::Must, Box::new(ConstScoreQuery::new(Box::new(TermSetQuery::new(terms)), 0.0)))
}

fn of_sender(field: Field, sender: &OwnedUserId) -> Term {
    Term::from_field_text(field, sender.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    /// Hostile input, row 141.
    #[test]
    fn row_141_a_term_is_words_and_few_of_them() {
        let analyzer = Language::default().analyzer();
        let hostile = r#"body:(secret OR *) AND -"x y"~2^9 [a TO z] /.*/ {} \ %_"#;
        let found = words_of(hostile, &analyzer);
        assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), "2 9 a and body or secret to x y z");
        let many: String = (0..100_000).map(|number| format!("w{number} ")).collect();
        assert!(words_of(&many, &analyzer).len() <= MAX_WORDS);
        assert!(words_of(&"x".repeat(1 << 20), &analyzer).is_empty());
    }
}
