//! Names as words that can be compared.
//!
//! Owns: folding, and how a text falls into words. Does not own: whose names they are.
//!
//! Invariants: whatever the text, its words are bounded in number and length. Two texts that differ only in case, width, ligatures or accents have the
//! same words (Unicode compatibility decomposition without the marks of the Latin, Greek and Cyrillic scripts). Nothing in a term is a pattern.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Characters of a text that are looked at.
const MAX_CHARACTERS: usize = 512;
/// Longer words are cut, in names and in terms alike.
const MAX_WORD_CHARACTERS: usize = 40;
/// Words of one text.
const MAX_WORDS: usize = 16;

/// The words of a text, each once, in their order.
pub fn words(text: &str) -> Vec<String> {
    let folded = folded(text);
    let mut words: Vec<String> = Vec::new();
    for word in folded.split(|character: char| !character.is_alphanumeric()) {
        let word: String = word.chars().take(MAX_WORD_CHARACTERS).collect();
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
        if words.len() == MAX_WORDS {
            break;
        }
    }
    words
}

/// A text without what the comparison does not look at.
pub fn folded(text: &str) -> String {
    let lower = text.chars().take(MAX_CHARACTERS).flat_map(char::to_lowercase);
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(lower);
    // Compatibility forms decompose to capitals too.
    decomposed.filter(|character| !is_mark(*character)).flat_map(char::to_lowercase).collect()
}

/// The combining marks that a reader leaves out when typing.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_have_the_same_words() {
        for (text, expected) in [
            ("Zoë Müller", ["zoe", "muller"].as_slice()),
            ("@user-1-alice:hs1", &["user", "1", "alice", "hs1"]),
            ("ＡＬＩＣＥ ﬁsh", &["alice", "fish"]),
            ("𝔄𝔩𝔦𝔠𝔢", &["alice"]),
            ("ΣΊΣΥΦΟΣ", &["σισυφοσ"]),
            ("Ёлка İzmir", &["елка", "izmir"]),
            ("alice Alice ALICE", &["alice"]),
            ("李小龍", &["李小龍"]),
            ("", &[]),
            ("%_*.\\ \u{0}\u{202e}", &[]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    /// Hostile input, row 141.
    #[test]
    fn row_141_words_are_bounded() {
        let long = words(&"ﷺx".repeat(1 << 18));
        assert!(long.len() <= MAX_WORDS);
        assert!(long.iter().all(|word| word.chars().count() <= MAX_WORD_CHARACTERS));
        assert!(words(&"a b c d e f g h i j k l m n o p q r s t ".repeat(100)).len() <= MAX_WORDS);
    }
}
