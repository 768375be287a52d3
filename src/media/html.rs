//! What a page says of itself.
//!
//! Owns: reading its characters, Open Graph and what is there without it. Does not own: fetching it, what becomes of a picture.
//!
//! Invariants: one pass over at most [`MAX_PAGE_BYTES`] bytes and [`MAX_TOKENS`] tokens, without a tree, so that nothing is nested; every
//! text is bounded. A page is never wrong: what cannot be read is passed over.

use std::collections::BTreeMap;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// As much of a page as is looked at, in bytes. What a page says of itself is near its beginning.
pub(crate) const MAX_PAGE_BYTES: usize = 512 << 10;
const MAX_TOKENS: usize = 50_000;
/// Where a page names its encoding, in bytes (the HTML standard, "prescan a byte stream").
const PRESCAN: usize = 1_024;
/// Most properties, and the longest name and value of one, in bytes.
const MAX_PROPERTIES: usize = 32;
const MAX_NAME_BYTES: usize = 64;
const MAX_VALUE_BYTES: usize = 1_000;

/// What a page says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// `og:` properties, the first one of each name.
    pub properties: BTreeMap<String, String>,
    /// Where its picture is, as it says.
    pub image: Option<String>,
    /// What its addresses are relative to, as it says.
    pub base: Option<String>,
}

/// What is used where there is no property.
#[derive(Default)]
struct Fallbacks {
    title: String,
    heading: String,
    paragraph: String,
    twitter: BTreeMap<&'static str, String>,
    description: Option<String>,
    image: Option<String>,
}

/// What text belongs to at present.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Title,
    Heading,
    Paragraph,
}

/// Reads a page. `content_type` is that of the answer.
pub(crate) fn page(bytes: &[u8], content_type: &str) -> Page {
    let text = encoding(bytes, content_type).decode(bytes).0;
    let (mut page, mut other, mut within) = (Page::default(), Fallbacks::default(), Within::Nothing);
    let mut emitter = DefaultEmitter::default();
    // Scripts, styles and titles hold text, not tags.
    emitter.naively_switch_states(true);
    let tokenizer = Tokenizer::new_with_emitter(&*text, emitter);
    // Reading from memory does not fail.
    for token in tokenizer.take(MAX_TOKENS).flatten() {
        match token {
            Token::StartTag(tag) => within = begin(&tag, &mut page, &mut other, within),
            Token::EndTag(tag) => {
                if matches!(tag.name.as_slice(), b"title" | b"h1" | b"p" | b"head") {
                    within = Within::Nothing;
                }
            }
            Token::String(text) => {
                let text = String::from_utf8_lossy(&text);
                match within {
                    Within::Title => append(&mut other.title, &text),
                    Within::Heading => append(&mut other.heading, &text),
                    Within::Paragraph => append(&mut other.paragraph, &text),
                    Within::Nothing => {}
                }
            }
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    fill(&mut page, other);
    page
}

fn begin(tag: &StartTag<()>, page: &mut Page, other: &mut Fallbacks, within: Within) -> Within {
    match tag.name.as_slice() {
        b"meta" => meta(tag, page, other),
        b"base" if page.base.is_none() => page.base = attribute(tag, "href"),
        b"link" if attribute(tag, "rel").is_some_and(|rel| rel.eq_ignore_ascii_case("image_src")) => {
            other.image = other.image.take().or_else(|| attribute(tag, "href"));
        }
        b"title" if other.title.is_empty() => return Within::Title,
        b"h1" if other.heading.is_empty() => return Within::Heading,
        b"p" if other.paragraph.len() < 40 => return Within::Paragraph,
        b"script" | b"style" | b"svg" | b"body" => return Within::Nothing,
        _ => {}
    }
    within
}

fn meta(tag: &StartTag<()>, page: &mut Page, other: &mut Fallbacks) {
    let name = attribute(tag, "property").or_else(|| attribute(tag, "name"));
    let (Some(name), Some(content)) = (name, attribute(tag, "content")) else { return };
    let (name, content) = (name.to_ascii_lowercase(), shortened(&content));
    if content.is_empty() {
        return;
    }
    match name.as_str() {
        "og:image" | "og:image:url" | "og:image:secure_url" => {
            page.image.get_or_insert(content);
        }
        "twitter:title" => {
            other.twitter.entry("og:title").or_insert(content);
        }
        "twitter:description" => {
            other.twitter.entry("og:description").or_insert(content);
        }
        "twitter:image" | "twitter:image:src" => {
            other.image.get_or_insert(content);
        }
        "description" => {
            other.description.get_or_insert(content);
        }
        // What is said of its size is not asked for: it is measured.
        name if name.starts_with("og:image") => {}
        name if name.starts_with("og:")
            && name.len() <= MAX_NAME_BYTES
            && page.properties.len() < MAX_PROPERTIES =>
        {
            page.properties.entry(name.to_owned()).or_insert(content);
        }
        _ => {}
    }
}

fn fill(page: &mut Page, other: Fallbacks) {
    for (name, content) in other.twitter {
        page.properties.entry(name.to_owned()).or_insert(content);
    }
    let or = |first: String, second: String| if first.is_empty() { second } else { first };
    let title = or(shortened(&other.title), shortened(&other.heading));
    let description = other.description.unwrap_or_else(|| shortened(&other.paragraph));
    for (name, text) in [("og:title", title), ("og:description", description)] {
        if !text.is_empty() {
            page.properties.entry(name.to_owned()).or_insert(text);
        }
    }
    page.image = page.image.take().or(other.image);
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    let value = tag.attributes.get(name.as_bytes())?;
    Some(String::from_utf8_lossy(value).trim().to_owned())
}

/// Takes in more text, as long as there is room.
fn append(text: &mut String, more: &str) {
    if text.len() < 2 * MAX_VALUE_BYTES {
        text.push_str(beginning(more, 2 * MAX_VALUE_BYTES));
    }
}

/// As much of it as fits into so many bytes, whole characters.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// Without runs of white space, and no longer than a value may be.
fn shortened(text: &str) -> String {
    let mut out = String::new();
    for word in beginning(text, 8 * MAX_VALUE_BYTES).split_whitespace() {
        if out.len() + word.len() + 1 > MAX_VALUE_BYTES {
            if out.is_empty() {
                out.push_str(beginning(word, MAX_VALUE_BYTES));
            }
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// A mark at the beginning is obeyed by the decoder; else the header, the page itself, UTF-8.
fn encoding(bytes: &[u8], content_type: &str) -> &'static Encoding {
    let by_page = || {
        let named = named(&bytes[..bytes.len().min(PRESCAN)])?;
        // It could not have been read if it were (the HTML standard, same place).
        Some(if [UTF_16BE, UTF_16LE].contains(&named) { UTF_8 } else { named })
    };
    named(content_type.as_bytes()).or_else(by_page).unwrap_or(UTF_8)
}

/// What stands behind the first `charset=`.
fn named(text: &[u8]) -> Option<&'static Encoding> {
    const WORD: &[u8] = b"charset=";
    let at = text.windows(WORD.len()).position(|part| part.eq_ignore_ascii_case(WORD))?;
    let rest = text[at + WORD.len()..].trim_ascii_start();
    let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
    let end = rest.iter().position(|byte| b"\"'; />\r\n\t".contains(byte)).unwrap_or(rest.len());
    Encoding::for_label(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
        page.properties.get(name).map(String::as_str)
    }

    #[test]
    fn open_graph_is_read() {
        let text = r#"<html prefix="og: http://ogp.me/ns#"><head><title>The Rock (1996)</title>
            <meta property="og:title" content="The Rock &amp; more" /><meta property="og:title" content="Second" />
            <META NAME="og:type" CONTENT="video.movie"><meta property="og:image" content="test.png" />
            <meta property="og:image:width" content="99"><meta property="other" content="x"></head><body></body></html>"#;
        let page = page(text.as_bytes(), "text/html");
        assert_eq!(property(&page, "og:title"), Some("The Rock & more"));
        assert_eq!(property(&page, "og:type"), Some("video.movie"));
        assert_eq!(page.image.as_deref(), Some("test.png"));
        assert_eq!(page.properties.len(), 2);
    }

    #[test]
    fn what_is_there_without_it_is_used() {
        let text = "<title>\n A   title</title><script>var t = '<title>no</title>'</script><body><h1>Heading</h1><p>Some <!-- c -->text.</p>";
        let read = page(text.as_bytes(), "text/html");
        assert_eq!(
            (property(&read, "og:title"), property(&read, "og:description")),
            (Some("A title"), Some("Some text."))
        );
        let text = "<meta name=twitter:title content=T><meta name=description content=D><link rel=image_src href=i><base href=/b/>";
        let read = page(text.as_bytes(), "text/html");
        assert_eq!((property(&read, "og:title"), property(&read, "og:description")), (Some("T"), Some("D")));
        assert_eq!((read.image.as_deref(), read.base.as_deref()), (Some("i"), Some("/b/")));
        assert_eq!(page(b"", ""), Page::default());
    }

    /// Row 102 of the hostile input: encodings.
    #[test]
    fn row_102_encodings_are_what_the_header_the_page_or_a_mark_says() {
        let title = |bytes: &[u8], content_type: &str| {
            property(&page(bytes, content_type), "og:title").map(str::to_owned)
        };
        assert_eq!(
            title(b"<title>caf\xe9</title>", "text/html; charset=iso-8859-1").as_deref(),
            Some("caf\u{e9}")
        );
        assert_eq!(
            title(b"<meta charset='windows-1252'><title>\x80</title>", "text/html").as_deref(),
            Some("\u{20ac}")
        );
        assert_eq!(
            title(b"\xff\xfe<\0t\0i\0t\0l\0e\0>\0a\0", "text/html; charset=utf-8").as_deref(),
            Some("a")
        );
        assert_eq!(title(b"<title>\xff</title>", "text/html; charset=no-such").as_deref(), Some("\u{fffd}"));
        assert_eq!(
            title(b"<meta charset=utf-16><title>\xc3\xa9</title>", "text/html").as_deref(),
            Some("\u{e9}")
        );
        // UTF-7 is none.
        assert_eq!(
            title(b"<title>+ADw-script</title>", "text/html; charset=utf-7").as_deref(),
            Some("+ADw-script")
        );
    }

    /// Row 102 of the hostile input: nesting, floods, texts without an end.
    #[test]
    fn row_102_a_page_costs_its_length_and_no_more() {
        let deep = "<div>".repeat(100_000);
        assert_eq!(page(deep.as_bytes(), "text/html"), Page::default());
        let long = format!(
            "<title>{}</title><meta property=og:x content='{}'>",
            "a".repeat(300_000),
            "b".repeat(100_000)
        );
        let read = page(long.as_bytes(), "text/html");
        assert!(read.properties.values().all(|value| value.len() <= MAX_VALUE_BYTES), "{read:?}");
        let many: String =
            (0..10_000).map(|number| format!("<meta property='og:{number}' content='c'>")).collect();
        assert!(page(many.as_bytes(), "text/html").properties.len() <= MAX_PROPERTIES);
        let attributes = format!("<meta {}>", "a='b' ".repeat(50_000));
        assert_eq!(page(attributes.as_bytes(), "text/html"), Page::default());
        assert_eq!(page("<".repeat(100_000).as_bytes(), "text/html"), Page::default());
    }
}
