//! Text that is put together from texts: answers that hold events, which are JSON already.
//!
//! Owns: commas and brackets. Does not own: canonical JSON ([`super::write`]): members stand in the order in which they are written.
//!
//! Invariants: as long as each key is followed by one value, what comes out is JSON. A key that an object has twice is refused in debug builds.

#[cfg(debug_assertions)]
use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::write::write_string;

/// JSON that is being written. It can be taken away in parts.
#[derive(Debug, Default)]
pub struct TextWriter {
    out: String,
    open: Vec<Open>,
    /// A value stands before in what is open.
    is_behind: bool,
}

/// An object or a list that is not closed yet.
#[derive(Debug)]
struct Open {
    end: char,
    #[cfg(debug_assertions)]
    keys: BTreeSet<String>,
}

impl TextWriter {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins an object.
    pub fn object(&mut self) {
        self.begin('{', '}');
    }

    /// Begins a list.
    pub fn list(&mut self) {
        self.begin('[', ']');
    }

    /// Ends the object or list that was begun last.
    pub fn close(&mut self) {
        if let Some(Open { end, .. }) = self.open.pop() {
            self.out.push(end);
            self.is_behind = true;
        }
    }

    /// The name of the member that comes next.
    pub fn key(&mut self, key: &str) {
        #[cfg(debug_assertions)]
        if let Some(open) = self.open.last_mut() {
            assert!(open.keys.insert(key.to_owned()), "the key {key:?} twice in one object");
        }
        self.separate();
        write_string(&mut self.out, key);
        self.out.push(':');
        self.is_behind = false;
    }

    /// A string.
    pub fn string(&mut self, value: &str) {
        self.separate();
        write_string(&mut self.out, value);
    }

    /// A string, or `null`.
    pub fn string_or_null(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.string(value),
            None => self.text("null"),
        }
    }

    /// An integer.
    pub fn number(&mut self, value: u64) {
        self.separate();
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{value}");
    }

    /// A boolean.
    pub fn boolean(&mut self, value: bool) {
        self.text(if value { "true" } else { "false" });
    }

    /// A value that is JSON text already: an event.
    pub fn text(&mut self, json: &str) {
        self.separate();
        self.out.push_str(json);
    }

    /// A list of such values.
    pub fn texts(&mut self, list: impl IntoIterator<Item = impl AsRef<str>>) {
        self.list();
        for json in list {
            self.text(json.as_ref());
        }
        self.close();
    }

    /// Bytes that have been written since the last time.
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// What has been written since the last time; the rest comes behind it.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// The text, with all that is open closed.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn begin(&mut self, bracket: char, end: char) {
        self.separate();
        self.out.push(bracket);
        self.open.push(Open {
            end,
            #[cfg(debug_assertions)]
            keys: BTreeSet::new(),
        });
        self.is_behind = false;
    }

    fn separate(&mut self) {
        if std::mem::replace(&mut self.is_behind, true) {
            self.out.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_entries_are_separated_wherever_they_stand() {
        let mut out = TextWriter::new();
        out.object();
        out.key("empty");
        out.object();
        out.close();
        out.key("list\"");
        out.list();
        out.list();
        out.close();
        out.string("a\n");
        out.string_or_null(None);
        out.object();
        out.key("n");
        out.number(u64::MAX);
        out.key("b");
        out.boolean(false);
        out.close();
        out.close();
        let first = out.take();
        out.key("events");
        out.texts(["{}", "{\"a\":1}"]);
        out.key("none");
        out.texts([] as [&str; 0]);
        let text = first + &out.finish();
        let expected = r#"{"empty":{},"list\"":[[],"a\n",null,{"n":18446744073709551615,"b":false}],"events":[{},{"a":1}],"none":[]}"#;
        assert_eq!(text, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn a_list_that_is_taken_in_parts_is_one_list() {
        let mut out = TextWriter::new();
        out.list();
        let mut parts = vec![out.take()];
        for number in 1..=3 {
            out.number(number);
            parts.push(out.take());
        }
        parts.push(out.finish());
        assert_eq!(parts.concat(), "[1,2,3]");
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "twice")]
    fn a_key_twice_is_a_mistake() {
        let mut out = TextWriter::new();
        out.object();
        for _ in 0..2 {
            out.key("a");
            out.number(1);
        }
    }
}
