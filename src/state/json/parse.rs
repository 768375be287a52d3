//! The parser.

use plop_base::limits::MAX_JSON_DEPTH;
use thiserror::Error;

use super::{
    number::{self, NumberRule},
    text::plain_length,
    value::{Object, Value},
};

/// Largest input that is looked at, in bytes. An event's canonical form has at most 65,536; spaces, escapes (six bytes
/// for one) and `unsigned` may make what was sent longer, but there is no reason for more than this.
pub const MAX_RAW_BYTES: usize = 1 << 20;

/// Why bytes are not acceptable JSON. Offsets are in bytes from the start of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonError {
    /// It is longer than [`MAX_RAW_BYTES`].
    #[error("larger than {MAX_RAW_BYTES} bytes")]
    TooLarge,
    /// It is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// It is not JSON.
    #[error("not JSON at byte {0}")]
    Syntax(usize),
    /// A number that the number rule refuses: a fraction, an exponent, `-0` or outside the range.
    #[error("number not allowed at byte {0}")]
    Number(usize),
    /// A key that the object has twice. The offset is the object's.
    #[error("duplicate key in the object at byte {0}")]
    DuplicateKey(usize),
    /// A `\u` escape that is half of a surrogate pair.
    #[error("lone surrogate at byte {0}")]
    LoneSurrogate(usize),
    /// Arrays and objects nested [`MAX_JSON_DEPTH`] levels or more.
    #[error("nested too deeply at byte {0}")]
    TooDeep(usize),
    /// It is JSON but not an object.
    #[error("not an object")]
    NotAnObject,
}

/// Parses one JSON value.
pub fn parse(raw: &[u8], rule: NumberRule) -> Result<Value, JsonError> {
    Parser::over(raw, rule)?.document(|parser| parser.value(0))
}

/// Parses one JSON object.
pub fn parse_object(raw: &[u8], rule: NumberRule) -> Result<Object, JsonError> {
    Parser::over(raw, rule)?.document(|parser| parser.object(0, None))
}

/// Parses an event, without its `unsigned`: that may hold anything, no signature covers it, and it is never kept, so it
/// is passed over without a look at its numbers, keys or depth.
pub fn parse_event(raw: &[u8], rule: NumberRule) -> Result<Object, JsonError> {
    Parser::over(raw, rule)?.document(|parser| parser.object(0, Some("unsigned")))
}

/// The members as an object, or `None` if two have the same key. All at once: a map is built from a sorted list far
/// faster than key by key, and most servers send keys sorted.
fn unique(members: Vec<(String, Value)>) -> Option<Object> {
    let count = members.len();
    let object = Object::from_iter(members);
    (object.len() == count).then_some(object)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    rule: NumberRule,
}

impl<'a> Parser<'a> {
    fn over(raw: &'a [u8], rule: NumberRule) -> Result<Self, JsonError> {
        if raw.len() > MAX_RAW_BYTES {
            return Err(JsonError::TooLarge);
        }
        let text = std::str::from_utf8(raw).map_err(|_| JsonError::NotUtf8)?;
        Ok(Self { text, at: 0, rule })
    }

    fn document<T>(mut self, read: impl FnOnce(&mut Self) -> Result<T, JsonError>) -> Result<T, JsonError> {
        self.space();
        let value = read(&mut self)?;
        self.space();
        if self.at == self.text.len() { Ok(value) } else { Err(self.syntax()) }
    }

    fn syntax(&self) -> JsonError {
        JsonError::Syntax(self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        if !self.rest().starts_with(word) {
            return Err(self.syntax());
        }
        self.at += word.len();
        Ok(value)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.object(depth, None).map(Value::Object),
            Some(b'[') => self.array(depth).map(Value::Array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.syntax()),
        }
    }

    /// The depth limit is what bounds the recursion of this parser, of the writer and of `drop`.
    fn deeper(&self, depth: usize) -> Result<usize, JsonError> {
        if depth + 1 < MAX_JSON_DEPTH { Ok(depth + 1) } else { Err(JsonError::TooDeep(self.at)) }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value>, JsonError> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(items);
        }
        loop {
            self.space();
            items.push(self.value(depth)?);
            self.space();
            if self.eat(b']') {
                return Ok(items);
            }
            if !self.eat(b',') {
                return Err(self.syntax());
            }
        }
    }

    /// An object, without the member `skip`.
    fn object(&mut self, depth: usize, skip: Option<&str>) -> Result<Object, JsonError> {
        if self.peek() != Some(b'{') {
            return Err(if self.peek().is_some() { JsonError::NotAnObject } else { self.syntax() });
        }
        let depth = self.deeper(depth)?;
        self.at += 1;
        let start = self.at;
        let mut members: Vec<(String, Value)> = Vec::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Object::new());
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            if !self.eat(b':') {
                return Err(self.syntax());
            }
            self.space();
            if skip == Some(key.as_str()) {
                self.pass_over()?;
            } else {
                members.push((key, self.value(depth)?));
            }
            self.space();
            if self.eat(b'}') {
                return unique(members).ok_or(JsonError::DuplicateKey(start));
            }
            if !self.eat(b',') {
                return Err(self.syntax());
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        if !self.eat(b'"') {
            return Err(self.syntax());
        }
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let plain = plain_length(rest.as_bytes());
            out.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            if self.eat(b'"') {
                return Ok(out);
            }
            if !self.eat(b'\\') {
                return Err(self.syntax());
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        let byte = self.peek().ok_or(self.syntax())?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hex4()?;
                let low = if matches!(unit, 0xD800..=0xDBFF) && self.eat(b'\\') && self.eat(b'u') {
                    Some(self.hex4()?)
                } else {
                    None
                };
                let mut decoded = char::decode_utf16([unit].into_iter().chain(low));
                match (decoded.next(), decoded.next()) {
                    (Some(Ok(char)), None) => char,
                    _ => return Err(JsonError::LoneSurrogate(start)),
                }
            }
            _ => return Err(JsonError::Syntax(start)),
        })
    }

    fn hex4(&mut self) -> Result<u16, JsonError> {
        let digits =
            self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()).ok_or(self.syntax())?;
        self.at += 4;
        Ok(unit)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let token = self.text.get(start..self.at).unwrap_or_default();
        number::read(token, self.rule).ok_or(JsonError::Number(start))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.syntax()) } else { Ok(()) }
    }

    /// Passes over one value of any depth. Only strings and brackets are looked at: enough to find its end.
    fn pass_over(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        let mut open = 0usize;
        loop {
            match self.peek().ok_or(self.syntax())? {
                b'"' => self.pass_over_string()?,
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' if open == 0 => {
                    return if self.at == start { Err(self.syntax()) } else { Ok(()) };
                }
                b'}' | b']' => {
                    open -= 1;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
            if open == 0 && matches!(self.peek(), Some(b',' | b'}')) {
                return Ok(());
            }
        }
    }

    fn pass_over_string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            match self.peek().ok_or(self.syntax())? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }
}
