//! Whether a value is what a schema says (JSON Schema 2020-12, as far as the specification's data uses it).
//!
//! Owns: the keywords that validate. One that is not known here is an error, so that none goes unchecked. Formats are not looked at: where they
//! matter, the data has a pattern beside them.

use serde_json::{Map, Value};

use super::documents::Documents;

/// What is wrong, and where in the value, as a JSON pointer.
pub struct Deviation {
    pub place: String,
    pub what: String,
}

/// A schema, and the document that its references start from.
#[derive(Clone, Copy)]
pub struct Schema<'a> {
    documents: &'a Documents,
    document: &'a str,
    schema: &'a Value,
}

impl<'a> Schema<'a> {
    /// The one that stands at `place`: a document, `#`, a pointer into it.
    pub fn at(documents: &'a Documents, place: &'a str) -> Self {
        Self { documents, document: "", schema: &Value::Null }.referred(place)
    }

    /// Adds what a value at `place` is not that the schema wants it to be.
    pub fn compare(self, value: &Value, place: &str, found: &mut Vec<Deviation>) {
        let Value::Object(keywords) = self.schema else {
            return check(self.schema != &Value::Bool(false), place, found, || "may not be there".to_owned());
        };
        for (keyword, wanted) in keywords {
            self.compare_with(keyword, wanted, value, place, found);
        }
        if let Value::Object(object) = value {
            self.compare_others(keywords, object, place, found);
        }
    }

    fn compare_with(
        self,
        keyword: &str,
        wanted: &'a Value,
        value: &Value,
        place: &str,
        found: &mut Vec<Deviation>,
    ) {
        let count = value.as_object().map(|object| object.len() as u64);
        match keyword {
            "$ref" => self.referred(text(wanted)).compare(value, place, found),
            "type" => {
                let is = list(wanted).any(|kind| is_a(text(kind), value));
                check(is, place, found, || format!("is {value} and not {wanted}"));
            }
            "enum" => {
                let is = list(wanted).any(|one| one == value);
                check(is, place, found, || format!("is {value} and none of {wanted}"));
            }
            "pattern" => {
                let fits = value.as_str().is_none_or(|value| is_like(text(wanted), value));
                check(fits, place, found, || format!("is {value} and not as {wanted}"));
            }
            "required" => {
                let Value::Object(object) = value else { return };
                for name in list(wanted) {
                    let is_there = object.contains_key(text(name));
                    check(is_there, place, found, || format!("lacks {name}"));
                }
            }
            "properties" => {
                for (name, schema) in wanted.as_object().into_iter().flatten() {
                    let Some(value) = value.get(name) else { continue };
                    self.with(schema).compare(value, &format!("{place}/{name}"), found);
                }
            }
            "items" => {
                for (number, entry) in value.as_array().into_iter().flatten().enumerate() {
                    self.with(wanted).compare(entry, &format!("{place}/{number}"), found);
                }
            }
            "allOf" => list(wanted).for_each(|schema| self.with(schema).compare(value, place, found)),
            "oneOf" | "anyOf" => {
                let fitting = list(wanted).filter(|schema| self.with(schema).fits(value)).count();
                // The alternatives of the data exclude each other in prose only: an event is a content as well.
                check(fitting > 0, place, found, || format!("{value} is none of several"));
            }
            "propertyNames" => {
                for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
                    self.with(wanted).compare(&Value::from(name.as_str()), &format!("{place}/{name}"), found);
                }
            }
            "maxLength" => {
                let length = value.as_str().map(|value| value.chars().count() as u64);
                check(length <= wanted.as_u64(), place, found, || format!("is {value} and too long"));
            }
            "minProperties" => {
                check(count >= wanted.as_u64(), place, found, || "has too few members".to_owned());
            }
            "maxProperties" => {
                check(count <= wanted.as_u64(), place, found, || "has too many members".to_owned());
            }
            // Looked at together, in `compare_others`; and not at all.
            "patternProperties" | "additionalProperties" | "format" => {}
            other => panic!("{} has the keyword {other}", self.document),
        }
    }

    /// Members that are not named.
    fn compare_others(
        self,
        keywords: &'a Map<String, Value>,
        object: &Map<String, Value>,
        place: &str,
        found: &mut Vec<Deviation>,
    ) {
        let named = keywords.get("properties").and_then(Value::as_object);
        let patterns = keywords.get("patternProperties").and_then(Value::as_object);
        for (name, value) in object {
            let place = format!("{place}/{name}");
            let mut is_matched = false;
            for (_, schema) in patterns.into_iter().flatten().filter(|(pattern, _)| is_like(pattern, name)) {
                self.with(schema).compare(value, &place, found);
                is_matched = true;
            }
            let is_named = named.is_some_and(|named| named.contains_key(name));
            if let Some(others) = keywords.get("additionalProperties")
                && !is_matched
                && !is_named
            {
                self.with(others).compare(value, &place, found);
            }
        }
    }

    fn fits(self, value: &Value) -> bool {
        let mut found = Vec::new();
        self.compare(value, "", &mut found);
        found.is_empty()
    }

    fn with(self, schema: &'a Value) -> Self {
        Self { schema, ..self }
    }

    /// Another one, by a reference from this one's document.
    fn referred(self, reference: &'a str) -> Self {
        let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let mut path: Vec<&str> = self.document.split('/').collect();
        path.pop();
        for part in file.split('/') {
            if part == ".." {
                path.pop();
            } else {
                path.push(part);
            }
        }
        let name = if file.is_empty() { self.document.to_owned() } else { path.join("/") };
        let (document, whole) = self.documents.get(&name).unwrap_or_else(|| panic!("{name} is not there"));
        let schema = whole.pointer(pointer).unwrap_or_else(|| panic!("{name} has no {pointer}"));
        Self { document, schema, ..self }
    }
}

fn check(is_so: bool, place: &str, found: &mut Vec<Deviation>, what: impl FnOnce() -> String) {
    if !is_so {
        found.push(Deviation { place: place.to_owned(), what: what() });
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string"))
}

/// The entries of a list; what is no list is its only entry.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter()
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the type {other}"),
    }
}

/// Whether a text is as a pattern of the data says.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern {
        "" => true,
        r"^[\x20-\x7E]+$" => !text.is_empty() && text.chars().all(|letter| (' '..='~').contains(&letter)),
        "^[A-Za-z0-9_-]{1,100}$" => {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            (1..=100).contains(&text.len()) && text.bytes().all(is_letter)
        }
        _ => begins_as(pattern, text),
    }
}

/// All other patterns of the data say how a text begins: letters, one of which may be left out.
fn begins_as(pattern: &str, text: &str) -> bool {
    let pattern = pattern.strip_prefix('^').unwrap_or_else(|| panic!("the pattern {pattern}"));
    let pattern = pattern.replace('\\', "");
    let (mut letters, mut rest) = (pattern.chars().peekable(), text);
    while let Some(letter) = letters.next() {
        let may_be_left_out = letters.next_if_eq(&'?').is_some();
        match rest.strip_prefix(letter) {
            Some(after) => rest = after,
            None if may_be_left_out => {}
            None => return false,
        }
    }
    true
}
