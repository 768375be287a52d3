//! [`Glob`], a pattern with `*` and `?` that never looks back (appendices, "Glob-style matching").
//!
//! Owns: matching of a whole value and of words within it. All places in the pattern that the text so far can stand at
//! are one set of 256 bits, moved on by each character: the cost is one fixed step for each character of the text,
//! whatever the pattern.

use std::collections::BTreeMap;

/// Most characters, other than `*`, that a pattern may have. Identifiers have at most 255 bytes.
pub const MAX_GLOB_CHARS: usize = 255;

/// Places in a pattern: bit n stands after the first n characters of it, runs of `*` not counted.
#[derive(Debug, Clone, Copy, Default)]
struct Places([u64; 4]);

impl Places {
    fn insert(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    fn contains(self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    fn and(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a & e, b & f, c & g, d & h])
    }

    fn or(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a | e, b | f, c | g, d | h])
    }

    /// Each place moved on by one.
    fn next(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([a << 1, (b << 1) | (a >> 63), (c << 1) | (b >> 63), (d << 1) | (c >> 63)])
    }
}

/// A pattern ready to match, without regard to case.
#[derive(Debug, Clone)]
pub struct Glob {
    /// The place where the pattern has been matched.
    end: usize,
    /// Places where a `*` stands.
    stars: Places,
    /// Places where `?` stands, which any character passes.
    any: Places,
    /// The places that an ASCII character passes, those in `any` included.
    ascii: Box<[Places; 128]>,
    /// The same for other characters of the pattern.
    others: BTreeMap<char, Places>,
}

impl Glob {
    /// Reads a pattern. `None` when it has more than [`MAX_GLOB_CHARS`] characters besides `*`.
    pub fn new(pattern: &str) -> Option<Self> {
        Self::compile(pattern, true)
    }

    /// A pattern in which `*` and `?` mean themselves. `None` when it is too long.
    pub fn literal(text: &str) -> Option<Self> {
        Self::compile(text, false)
    }

    fn compile(pattern: &str, wildcards: bool) -> Option<Self> {
        let (mut end, mut stars, mut any) = (0, Places::default(), Places::default());
        let mut passed: BTreeMap<char, Places> = BTreeMap::new();
        for character in fold(pattern.chars()) {
            if wildcards && character == '*' {
                stars.insert(end);
                continue;
            }
            if end == MAX_GLOB_CHARS {
                return None;
            }
            if wildcards && character == '?' {
                any.insert(end);
            } else {
                passed.entry(character).or_default().insert(end);
            }
            end += 1;
        }
        let mut ascii = Box::new([any; 128]);
        let mut others = BTreeMap::new();
        for (character, places) in passed {
            let places = places.or(any);
            match ascii.get_mut(character as usize) {
                Some(slot) => *slot = places,
                None => {
                    others.insert(character, places);
                }
            }
        }
        Some(Self { end, stars, any, ascii, others })
    }

    /// Whether all of `text` matches.
    pub fn matches(&self, text: impl Iterator<Item = char>) -> bool {
        let mut places = Places::default();
        places.insert(0);
        for character in fold(text) {
            if places.is_empty() {
                return false;
            }
            places = self.pass(places, character);
        }
        places.contains(self.end)
    }

    /// Whether a part of `text` that starts and ends at a word boundary matches: the start or end of the text, or beside
    /// a character that is not in `[A-Za-z0-9_]`. An empty pattern matches the empty text only.
    pub fn matches_words(&self, text: impl Iterator<Item = char>) -> bool {
        let mut text = fold(text).peekable();
        if self.end == 0 && self.stars.is_empty() {
            return text.peek().is_none();
        }
        let mut places = Places::default();
        let mut before = None;
        loop {
            let after = text.next();
            if !before.is_some_and(is_word) || !after.is_some_and(is_word) {
                places.insert(0);
                if places.contains(self.end) {
                    return true;
                }
            }
            let Some(character) = after else { return false };
            places = self.pass(places, character);
            before = after;
        }
    }

    fn pass(&self, places: Places, character: char) -> Places {
        let passed = self.ascii.get(character as usize).or_else(|| self.others.get(&character));
        places.and(*passed.unwrap_or(&self.any)).next().or(places.and(self.stars))
    }
}

/// The text without its case; what that means is the server's to define.
fn fold(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.flat_map(char::to_lowercase)
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
