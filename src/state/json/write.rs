//! The writer: canonical JSON (appendices, "Canonical JSON").

use std::{borrow::Cow, fmt::Write};

use serde::Serialize;

use super::{
    number::NumberRule,
    parse::{JsonError, parse_object},
    text::plain_length,
    value::{Object, Value},
};

/// Canonical JSON of a value.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(&mut out, value);
    out
}

/// Canonical JSON of an object without the members named in `except`.
pub fn canonical_object(object: &Object, except: &[&str]) -> String {
    let mut out = String::new();
    write_members(&mut out, object.iter().filter(|(key, _)| !except.contains(&key.as_str())));
    out
}

/// Appends canonical JSON of a value. Recursion is as deep as the value, which the parser limits.
pub fn write_canonical(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        // Writing to a string cannot fail.
        Value::Int(int) => drop(write!(out, "{int}")),
        Value::Number(token) => out.push_str(token),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(out, item);
            }
            out.push(']');
        }
        Value::Object(object) => write_members(out, object.iter()),
    }
}

fn write_members<'a>(out: &mut String, members: impl Iterator<Item = (&'a String, &'a Value)>) {
    out.push('{');
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        write_canonical(out, value);
    }
    out.push('}');
}

/// Appends a string as canonical JSON, with its quotes.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_length(rest.as_bytes()));
        out.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\r') => out.push_str("\\r"),
            Some(control) => drop(write!(out, "\\u{:04x}", u32::from(control))),
            None => break,
        }
        rest = chars.as_str();
    }
    out.push('"');
}

/// The text of a JSON string that is known to be well formed (it has its quotes), or `None` if it is no string.
pub fn unescape(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(quoted).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Our own content as an object, under the strict number rule.
pub fn to_object(content: &impl Serialize) -> Result<Object, JsonError> {
    let raw = serde_json::to_vec(content).map_err(|_| JsonError::NotAnObject)?;
    parse_object(&raw, NumberRule::Strict)
}
