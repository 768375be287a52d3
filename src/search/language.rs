//! How a text falls into words.
//!
//! Owns: the languages, and the one way from a text to the words of the index and of a query. Does not own: the index.
//!
//! Invariants: words are compared in lower case and without the accents of Latin letters; where a language is chosen, by their stems. Scripts that put no
//! space between words have a word for each character. A word of the text longer than [`MAX_WORD_BYTES`] is in no index and matches nothing.

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language as StemmedLanguage, LowerCaser, RemoveLongFilter, Stemmer, TextAnalyzer,
    Token, TokenStream, Tokenizer,
};

/// Longer ones are left out, in bytes.
const MAX_WORD_BYTES: usize = 80;

/// The language whose stems are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Language(Option<StemmedLanguage>);

/// Their names, as they are chosen and as the index remembers them.
const NAMES: [(&str, StemmedLanguage); 18] = [
    ("arabic", StemmedLanguage::Arabic),
    ("danish", StemmedLanguage::Danish),
    ("dutch", StemmedLanguage::Dutch),
    ("english", StemmedLanguage::English),
    ("finnish", StemmedLanguage::Finnish),
    ("french", StemmedLanguage::French),
    ("german", StemmedLanguage::German),
    ("greek", StemmedLanguage::Greek),
    ("hungarian", StemmedLanguage::Hungarian),
    ("italian", StemmedLanguage::Italian),
    ("norwegian", StemmedLanguage::Norwegian),
    ("portuguese", StemmedLanguage::Portuguese),
    ("romanian", StemmedLanguage::Romanian),
    ("russian", StemmedLanguage::Russian),
    ("spanish", StemmedLanguage::Spanish),
    ("swedish", StemmedLanguage::Swedish),
    ("tamil", StemmedLanguage::Tamil),
    ("turkish", StemmedLanguage::Turkish),
];

impl Language {
    /// The language of this name; `plain` is none, words as they are.
    pub fn named(name: &str) -> Option<Self> {
        if name == "plain" {
            return Some(Self(None));
        }
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, language)| Self(Some(*language)))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let named = NAMES.iter().find(|(_, language)| Some(*language) == self.0);
        named.map_or("plain", |(name, _)| *name)
    }

    /// What makes words of texts.
    pub(crate) fn analyzer(self) -> TextAnalyzer {
        let words = TextAnalyzer::builder(Words::default())
            .filter(RemoveLongFilter::limit(MAX_WORD_BYTES))
            .filter(LowerCaser)
            .filter(AsciiFoldingFilter);
        match self.0 {
            Some(language) => words.filter(Stemmer::new(language)).build(),
            None => words.build(),
        }
    }
}

/// Runs of letters and digits; each character of a script without spaces stands alone.
#[derive(Clone, Default)]
struct Words {
    token: Token,
}

struct WordStream<'a> {
    text: &'a str,
    /// Behind the last word.
    at: usize,
    token: &'a mut Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.token.reset();
        WordStream { text, at: 0, token: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some((skipped, first)) = rest.char_indices().find(|(_, character)| character.is_alphanumeric())
        else {
            return false;
        };
        let run = rest.get(skipped..).unwrap_or_default();
        let ends = |character: char| !character.is_alphanumeric() || stands_alone(character);
        let length = if stands_alone(first) { first.len_utf8() } else { run.find(ends).unwrap_or(run.len()) };
        let from = self.at + skipped;
        self.at = from + length;
        self.token.position = self.token.position.wrapping_add(1);
        (self.token.offset_from, self.token.offset_to) = (from, self.at);
        self.token.text.clear();
        self.token.text.push_str(run.get(..length).unwrap_or_default());
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

/// Thai, Lao, Burmese, Khmer, Japanese, Chinese.
fn stands_alone(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The words of a text, in their order, each with the piece of the text that it was.
pub(crate) fn words(analyzer: &TextAnalyzer, text: &str) -> Vec<(String, String)> {
    let mut analyzer = analyzer.clone();
    let mut stream = analyzer.token_stream(text);
    let mut words = Vec::new();
    while let Some(token) = stream.next() {
        let piece = text.get(token.offset_from..token.offset_to).unwrap_or_default();
        words.push((token.text.clone(), piece.to_lowercase()));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(language: &str, text: &str) -> Vec<String> {
        let language = Language::named(language).expect("a language");
        words(&language.analyzer(), text).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn texts_fall_into_words() {
        for (text, expected) in [
            ("hello, world", ["hello", "world"].as_slice()),
            ("Crème brûlée!", &["creme", "brulee"]),
            ("snake_case 4-5", &["snake", "case", "4", "5"]),
            ("你好 world", &["你", "好", "world"]),
            ("ビルhaus", &["ビ", "ル", "haus"]),
            ("Привет, мир", &["привет", "мир"]),
            ("\" * : ( ) [ } ~ ^ \\ \u{0}", &[]),
            ("", &[]),
        ] {
            assert_eq!(words_of("plain", text), expected, "{text}");
        }
        assert_eq!(words_of("english", "running runs"), ["run", "run"]);
        assert_eq!(words_of("plain", &"a".repeat(100)), Vec::<String>::new());
    }

    #[test]
    fn each_word_knows_its_piece() {
        let found = words(&Language::named("english").expect("a language").analyzer(), "He Was Running");
        assert_eq!(found[2], ("run".to_owned(), "running".to_owned()));
    }

    #[test]
    fn every_language_has_a_name() {
        for (name, _) in NAMES {
            assert_eq!(Language::named(name).expect("a language").name(), name);
        }
        assert_eq!(Language::default().name(), "plain");
        assert_eq!(Language::named("klingon"), None);
    }
}
