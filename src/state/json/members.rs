//! Canonical text taken apart into its members, without a tree.

use super::text::plain_length;

/// The members of an object in canonical text, in order: raw key (without quotes) and raw value.
///
/// In canonical text each string has one spelling, so keys are compared as they stand, and members written out again in
/// the same order are canonical text. Redaction, hashes and signatures are made so: by leaving members out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Members<'a> {
    /// The raw value of a member.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// All members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().copied()
    }
}

/// Takes canonical text of an object apart; `None` if it is none. What is inside of the values is not checked beyond
/// finding their ends.
pub fn members(text: &str) -> Option<Members<'_>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut members = Vec::with_capacity(16);
    let mut rest = inner;
    while !rest.is_empty() {
        let (key, value) = split_at(rest, string_end(rest)?)?;
        let value = value.strip_prefix(':')?;
        let (value, after) = split_at(value, value_end(value)?)?;
        members.push((key.strip_prefix('"')?.strip_suffix('"')?, value));
        rest = match after.strip_prefix(',') {
            Some("") => return None,
            Some(more) => more,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(Members(members))
}

fn split_at(text: &str, at: usize) -> Option<(&str, &str)> {
    text.split_at_checked(at)
}

/// Where the string at the start of the text ends, behind its closing quote.
fn string_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        at += plain_length(bytes.get(at..)?);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Where the value at the start of the text ends.
fn value_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'"' => string_end(text),
        b'{' | b'[' => {
            let mut open = 0usize;
            let mut at = 0;
            loop {
                match bytes.get(at)? {
                    b'"' => at += string_end(text.get(at..)?)?,
                    b'{' | b'[' => {
                        open += 1;
                        at += 1;
                    }
                    b'}' | b']' => {
                        open -= 1;
                        at += 1;
                    }
                    _ => at += 1,
                }
                if open == 0 {
                    return Some(at);
                }
            }
        }
        _ => Some(bytes.iter().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(bytes.len())),
    }
}
