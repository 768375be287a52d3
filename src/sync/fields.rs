//! The members of events that a client wants (`event_fields` of a filter).
//!
//! Owns: [`Fields`], paths made ready, and cutting an event down to them. Does not own: which events.
//!
//! Invariants: an event that is cut down is parsed; only those are whose reader asks for it.

use serde_json::{Map, Value};

/// Paths at most: an event has a handful of members.
pub const MAX_PATHS: usize = 200;

/// Paths, each the names on the way to a member (appendices, "Dot-separated property paths").
#[derive(Debug, Clone)]
pub struct Fields(Vec<Vec<String>>);

impl Fields {
    /// The paths of a filter; `None`: more than [`MAX_PATHS`].
    pub fn new(paths: &[String]) -> Option<Self> {
        (paths.len() <= MAX_PATHS).then(|| Self(paths.iter().map(|path| names(path)).collect()))
    }

    /// The event with these members only. What is no object is given as it is.
    pub fn of(&self, event: &str) -> String {
        let Ok(Value::Object(event)) = serde_json::from_str::<Value>(event) else { return event.to_owned() };
        let mut kept = Map::new();
        for path in &self.0 {
            keep(&event, path, &mut kept);
        }
        Value::Object(kept).to_string()
    }
}

/// The names of a path: a backslash takes a dot, or a backslash, as it is.
fn names(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut characters = path.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = (character == '\\').then(|| characters.next_if(|next| matches!(next, '.' | '\\')));
        match (character, escaped.flatten(), names.last_mut()) {
            (_, Some(escaped), Some(name)) => name.push(escaped),
            ('.', None, _) => names.push(String::new()),
            (character, None, Some(name)) => name.push(character),
            (_, _, None) => {}
        }
    }
    names
}

/// Copies the member at a path.
fn keep(from: &Map<String, Value>, path: &[String], into: &mut Map<String, Value>) {
    let Some((name, rest)) = path.split_first() else { return };
    let Some(value) = from.get(name) else { return };
    if rest.is_empty() {
        into.insert(name.clone(), value.clone());
        return;
    }
    let Value::Object(inner) = value else { return };
    let place = into.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(place) = place {
        keep(inner, rest, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_members_on_the_paths_are_kept() {
        let event = r#"{"content":{"body":"b","m.relates_to":{"a":1},"x":2},"sender":"@a:b","type":"t"}"#;
        let cut = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            Fields::new(&paths).expect("few").of(event)
        };
        assert_eq!(cut(&[]), "{}");
        assert_eq!(cut(&["type", "nothing", "type.deeper"]), r#"{"type":"t"}"#);
        assert_eq!(cut(&["content.body", "sender"]), r#"{"content":{"body":"b"},"sender":"@a:b"}"#);
        assert_eq!(cut(&[r"content.m\.relates_to.a"]), r#"{"content":{"m.relates_to":{"a":1}}}"#);
        assert_eq!(
            cut(&["content", "content.body"]),
            r#"{"content":{"body":"b","m.relates_to":{"a":1},"x":2}}"#
        );
    }

    #[test]
    fn a_backslash_escapes() {
        assert_eq!(names(r"a\.b.c\\d\e."), ["a.b", r"c\d\e", ""]);
    }
}
