//! Headers of files that somebody uploaded.
//!
//! Owns: what keeps a browser from running them (client-server API, "Serving inline content"), and names in headers. Does not own: ranges.
//!
//! Invariants: what is not on the list of types is never shown inline; no name of a file ends the header that it is in; nothing is sniffed.

use std::fmt::Write as _;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
};
use http::header::{HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};

use crate::error::ApiError;

/// What may be shown inline (client-server API, "Serving inline content").
const INLINE: [&str; 26] = [
    "text/css",
    "text/plain",
    "text/csv",
    "application/json",
    "application/ld+json",
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/webm",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-pn-wav",
    "audio/flac",
    "audio/x-flac",
];

const POLICY: &str = "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; \
                      object-src 'self';";
const UNKNOWN_TYPE: &str = "application/octet-stream";
/// A file never changes. It may go, and is then known to its readers for a day.
const CACHED: &str = "private, max-age=86400, immutable";

/// What is shown.
pub struct Shown<'a> {
    /// Another one for other bytes.
    pub version: &'a str,
    pub content_type: Option<&'a str>,
    pub file_name: Option<&'a str>,
}

/// The headers of an answer with a file.
pub fn file_headers(shown: &Shown<'_>) -> Result<HeaderMap, ApiError> {
    let content_type = shown.content_type.unwrap_or(UNKNOWN_TYPE);
    let text = |text: String| HeaderValue::try_from(text).map_err(ApiError::internal);
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, text(content_type.to_owned())?),
        (CONTENT_DISPOSITION, text(disposition(content_type, shown.file_name))?),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
        (CACHE_CONTROL, HeaderValue::from_static(CACHED)),
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (ETAG, text(format!("\"{}\"", shown.version))?),
    ]))
}

/// Whether it is shown in the page, and under which name it is saved.
fn disposition(content_type: &str, name: Option<&str>) -> String {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut text = if INLINE.contains(&essence.as_str()) { "inline" } else { "attachment" }.to_owned();
    let name: String =
        name.unwrap_or_default().chars().filter(|character| !is_deceptive(*character)).collect();
    if name.is_empty() {
        return text;
    }
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'%');
    // Writing to a string does not fail.
    let _ = if name.bytes().all(is_plain) {
        write!(text, "; filename=\"{name}\"")
    } else {
        write!(text, "; filename*=utf-8''{}", encoded(&name))
    };
    text
}

/// Control characters, and those that turn the direction of writing: `photo\u{202e}gpj.exe` looks like a picture.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// RFC 8187, "Parameter Value Character Encoding Information".
fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        let _ = match byte {
            byte if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) => {
                write!(text, "{}", char::from(byte))
            }
            byte => write!(text, "%{byte:02X}"),
        };
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 107 of the hostile input.
    #[test]
    fn row_107_only_the_listed_types_are_inline() {
        for content_type in ["image/png", "IMAGE/PNG", "text/plain; charset=utf-8", "video/mp4 ; codecs=x"] {
            assert_eq!(disposition(content_type, None), "inline", "{content_type}");
        }
        let others = [
            "text/html",
            "text/html;image/png",
            "image/svg+xml",
            "text/xml",
            "application/xml",
            "text/javascript",
            "application/javascript",
            "application/xhtml+xml",
            "application/pdf",
            "image/png2",
            "image",
            "",
            " ;image/png",
            UNKNOWN_TYPE,
        ];
        for content_type in others {
            assert_eq!(disposition(content_type, None), "attachment", "{content_type}");
        }
    }

    /// Row 107 of the hostile input: names with quotes, line ends and turned writing.
    #[test]
    fn row_107_no_name_leaves_its_header() {
        let table = [
            ("cat.png", "inline; filename=\"cat.png\""),
            ("a b;c.png", "inline; filename=\"a b;c.png\""),
            ("a\"; x=\"b", "inline; filename*=utf-8''a%22%3B%20x%3D%22b"),
            ("a\\", "inline; filename*=utf-8''a%5C"),
            ("a%41", "inline; filename*=utf-8''a%2541"),
            ("a\r\nSet-Cookie: b\0", "inline; filename=\"aSet-Cookie: b\""),
            ("photo\u{202e}gpj.exe", "inline; filename=\"photogpj.exe\""),
            ("☕.png", "inline; filename*=utf-8''%E2%98%95.png"),
            ("\r\n", "inline"),
        ];
        for (name, expected) in table {
            assert_eq!(disposition("image/png", Some(name)), expected, "{name:?}");
            let shown = Shown { version: "a", content_type: Some("image/png"), file_name: Some(name) };
            assert!(file_headers(&shown).is_ok());
        }
    }
}
