//! What of a file a client asks for (RFC 9110, "Range Requests", "Conditional Requests").
//!
//! Owns: one range of bytes, and whether the client has the file. A request for several ranges, or one that cannot be read, gets the whole file, as the RFC allows.

use std::ops::Range;

use http::HeaderMap;
use http::header::{ETAG, IF_NONE_MATCH, IF_RANGE, RANGE};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    All,
    /// A part that lies within the file and is not empty.
    Part(Range<u64>),
    /// A part of which nothing is there.
    Impossible,
    /// The client has it.
    Nothing,
}

/// What a request asks for of a file of `size` bytes whose answer would have these headers.
pub fn asked(request: &HeaderMap, answer: &HeaderMap, size: u64) -> Asked {
    let version = answer.get(ETAG);
    let text = |name| request.get(name).and_then(|value| value.to_str().ok());
    if let (Some(known), Some(version)) =
        (text(IF_NONE_MATCH), version.and_then(|version| version.to_str().ok()))
    {
        let mut known = known.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
        if known.any(|tag| tag == "*" || tag == version) {
            return Asked::Nothing;
        }
    }
    // Of another version the client has no first part to which this one would belong.
    let is_of_this = request.get(IF_RANGE).is_none_or(|condition| Some(condition) == version);
    match text(RANGE).filter(|_| is_of_this).and_then(bounds) {
        Some((first, last)) => within(first, last, size),
        None => Asked::All,
    }
}

/// The numbers of `bytes=first-last`.
fn bounds(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        // No sign, no space.
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    };
    let bounds = (number(first)?, number(last)?);
    match bounds {
        (None, None) => None,
        (Some(first), Some(last)) if first > last => None,
        bounds => Some(bounds),
    }
}

fn within(first: Option<u64>, last: Option<u64>, size: u64) -> Asked {
    let range = match (first, last) {
        (Some(first), last) => first..last.map_or(size, |last| last.saturating_add(1).min(size)),
        // The last so many.
        (None, last) => size.saturating_sub(last.unwrap_or(0))..size,
    };
    if range.is_empty() { Asked::Impossible } else { Asked::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str, size: u64) -> Asked {
        let request = HeaderMap::from_iter([(RANGE, range.parse().expect("a header"))]);
        asked(&request, &HeaderMap::new(), size)
    }

    #[test]
    fn one_range_is_understood() {
        assert_eq!(of("bytes=0-0", 10), Asked::Part(0..1));
        assert_eq!(of("bytes=2-", 10), Asked::Part(2..10));
        assert_eq!(of("bytes=-3", 10), Asked::Part(7..10));
        assert_eq!(of("bytes=-30", 10), Asked::Part(0..10));
        assert_eq!(of("bytes=5-18446744073709551615", 10), Asked::Part(5..10));
        for impossible in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(of(impossible, 10), Asked::Impossible, "{impossible}");
        }
        assert_eq!(of("bytes=0-", 0), Asked::Impossible);
        let ignored = [
            "bytes=3-2",
            "bytes=-",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "lines=0-1",
            "bytes=+1-2",
            "bytes=99999999999999999999-",
        ];
        for ignored in ignored {
            assert_eq!(of(ignored, 10), Asked::All, "{ignored}");
        }
    }

    #[test]
    fn what_the_client_has_is_not_sent_and_a_part_of_another_version_is_no_part() {
        let answer = HeaderMap::from_iter([(ETAG, "\"a\"".parse().expect("a header"))]);
        for (tag, expected) in [
            ("\"a\"", Asked::Nothing),
            ("\"b\", W/\"a\"", Asked::Nothing),
            ("*", Asked::Nothing),
            ("\"b\"", Asked::All),
        ] {
            let request = HeaderMap::from_iter([(IF_NONE_MATCH, tag.parse().expect("a header"))]);
            assert_eq!(asked(&request, &answer, 10), expected, "{tag}");
        }
        for (condition, expected) in [("\"a\"", Asked::Part(0..1)), ("\"b\"", Asked::All)] {
            let headers = [(RANGE, "bytes=0-0"), (IF_RANGE, condition)];
            let request =
                headers.into_iter().map(|(name, value)| (name, value.parse().expect("a header"))).collect();
            assert_eq!(asked(&request, &answer, 10), expected, "{condition}");
        }
    }
}
