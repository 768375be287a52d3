//! Texts that are canonical JSON, and texts that are none.

use crate::json::{
    JsonError, MAX_RAW_BYTES, NumberRule, canonical, members, parse, parse_event, parse_object,
};
use NumberRule::{Lenient, Strict};

fn round(raw: &str, rule: NumberRule) -> Result<String, JsonError> {
    parse(raw.as_bytes(), rule).map(|value| canonical(&value))
}

/// The examples of the appendices, "Canonical JSON".
#[test]
fn canonical_json_of_the_specification() {
    let table = [
        ("{}", "{}"),
        (r#"{ "one": 1, "two": "Two" }"#, r#"{"one":1,"two":"Two"}"#),
        (r#"{ "b": "2", "a": "1" }"#, r#"{"a":"1","b":"2"}"#),
        (r#"{"b":"2","a":"1"}"#, r#"{"a":"1","b":"2"}"#),
        (
            r#"{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
               "three_pids": [{"medium": "email", "address": "john.doe@example.org"},
               {"medium": "msisdn", "address": "123456789"}]}}}"#,
            r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#,
        ),
        (r#"{"a": "日本語"}"#, r#"{"a":"日本語"}"#),
        (r#"{"本": 2, "日": 1}"#, r#"{"日":1,"本":2}"#),
        (r#"{"a": "\u65E5"}"#, r#"{"a":"日"}"#),
        (r#"{"a": null}"#, r#"{"a":null}"#),
    ];
    for (raw, expected) in table {
        for rule in [Strict, Lenient] {
            assert_eq!(round(raw, rule).as_deref(), Ok(expected), "{raw}");
        }
    }
}

#[test]
fn strings_have_one_spelling() {
    let table = [
        (r#""\b\t\n\f\r\"\\\/""#, r#""\b\t\n\f\r\"\\/""#),
        (r#""\u0008\u0009\u000A\u000c\u000D\u0022\u005c""#, r#""\b\t\n\f\r\"\\""#),
        (r#""\u0001\u000B\u001F\u007f""#, "\"\\u0001\\u000b\\u001f\u{7f}\""),
        (r#""\ud83d\ude00""#, "\"😀\""),
        (r#""\u0000""#, r#""\u0000""#),
    ];
    for (raw, expected) in table {
        assert_eq!(round(raw, Strict).as_deref(), Ok(expected), "{raw}");
    }
}

/// Keys are sorted by code point, which is not the order of UTF-16.
#[test]
fn keys_are_sorted_by_code_point() {
    assert_eq!(
        round("{\"\u{1f600}\":1,\"\u{ffff}\":2}", Strict).unwrap(),
        "{\"\u{ffff}\":2,\"\u{1f600}\":1}"
    );
}

#[test]
fn b1_03_numbers_of_strict_versions() {
    for (raw, expected) in [
        ("0", "0"),
        ("-1", "-1"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
    ] {
        assert_eq!(round(raw, Strict).as_deref(), Ok(expected));
    }
    for raw in [
        "9007199254740992",
        "-9007199254740992",
        "9223372036854775808",
        "1.0",
        "1e3",
        "1E3",
        "-0",
        "0e0",
        "1e400",
        "123456789012345678901234567890",
    ] {
        assert_eq!(round(raw, Strict), Err(JsonError::Number(0)), "{raw}");
        let nested = format!(r#"{{"a":[{{"b":{raw}}}]}}"#);
        assert_eq!(round(&nested, Strict), Err(JsonError::Number(11)), "{nested}");
    }
    for raw in ["NaN", "Infinity", "-Infinity", "+1", "01", "1.", ".5", "1e", "0x1", "-", "1e+"] {
        for rule in [Strict, Lenient] {
            assert!(matches!(round(raw, rule), Err(JsonError::Syntax(_))), "{raw}");
        }
    }
}

/// The right column is what Python's `json.dumps(json.loads(x))` gives.
#[test]
fn b1_03_numbers_of_lenient_versions() {
    let table = [
        ("-0", "0"),
        ("9007199254740993", "9007199254740993"),
        ("9223372036854775808", "9223372036854775808"),
        ("-123456789012345678901234567890", "-123456789012345678901234567890"),
        ("1.0", "1.0"),
        ("-0.0", "-0.0"),
        ("1e3", "1000.0"),
        ("1e10", "10000000000.0"),
        ("50.50", "50.5"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "1e+16"),
        ("1.5E300", "1.5e+300"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("1.25e-7", "1.25e-07"),
        ("123456789.123456789", "123456789.12345679"),
        ("5e-324", "5e-324"),
        ("1e-400", "0.0"),
    ];
    for (raw, expected) in table {
        assert_eq!(round(raw, Lenient).as_deref(), Ok(expected), "{raw}");
        assert_eq!(round(expected, Lenient).as_deref(), Ok(expected), "a fixed point: {expected}");
    }
    assert_eq!(round("1e400", Lenient), Err(JsonError::Number(0)));
    assert_eq!(round(&"9".repeat(4301), Lenient), Err(JsonError::Number(0)));
}

#[test]
fn b1_04_unsigned_may_hold_anything() {
    let raw = r#"{"a":1,"unsigned":{"n":[-0,1.5,123456789012345678901234567890,"\ud800","}"],"n":2},"unsigned":"\"","b":2}"#;
    let event = parse_event(raw.as_bytes(), Strict).unwrap();
    assert_eq!(canonical(&event.into()), r#"{"a":1,"b":2}"#);
    assert_eq!(parse(raw.as_bytes(), Strict), Err(JsonError::Number(24)), "elsewhere the word means nothing");
    let nested = r#"{"content":{"unsigned":1.5}}"#;
    assert_eq!(parse_event(nested.as_bytes(), Strict), Err(JsonError::Number(23)), "only the event's own");
}

#[test]
fn b1_05_duplicate_keys() {
    for raw in [
        r#"{"type":"m.room.message","type":"m.room.create"}"#,
        r#"{"type":"m.room.message","t\u0079pe":"m.room.create"}"#,
        r#"{"content":{"a":1,"a":1}}"#,
        r#"{"signatures":{"s":{},"s":{}}}"#,
        r#"{"a":[{"b":[{"c":1,"c":2}]}]}"#,
    ] {
        for rule in [Strict, Lenient] {
            assert!(matches!(round(raw, rule), Err(JsonError::DuplicateKey(_))), "{raw}");
        }
    }
}

#[test]
fn b1_06_lone_surrogates() {
    for raw in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud800\ud800""#,
        r#""\udc00\ud800""#,
        r#""\ud83d\u0041""#,
        r#"{"\uDFFF":1}"#,
    ] {
        for rule in [Strict, Lenient] {
            assert!(matches!(round(raw, rule), Err(JsonError::LoneSurrogate(_))), "{raw}");
        }
    }
    assert_eq!(parse(b"\"\xed\xa0\x80\"", Strict), Err(JsonError::NotUtf8), "the same, as bytes");
    assert_eq!(parse(b"\"\xff\"", Strict), Err(JsonError::NotUtf8));
}

#[test]
fn b1_07_depth_bomb() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(round(&nested(127), Strict).is_ok());
    assert_eq!(round(&nested(128), Strict), Err(JsonError::TooDeep(127)));
    assert_eq!(round(&"[".repeat(1_000_000), Strict), Err(JsonError::TooDeep(127)));
    assert_eq!(round(&r#"{"a":"#.repeat(10_000), Strict), Err(JsonError::TooDeep(635)));
    assert_eq!(round(&"[".repeat(MAX_RAW_BYTES + 1), Strict), Err(JsonError::TooLarge));
    let in_unsigned = format!(r#"{{"unsigned":{},"a":1}}"#, nested(500_000));
    assert_eq!(
        parse_event(in_unsigned.as_bytes(), Strict).unwrap().len(),
        1,
        "passed over without recursion"
    );
    let unclosed = format!(r#"{{"unsigned":{}"#, "[".repeat(1_000_000));
    assert!(parse_event(unclosed.as_bytes(), Strict).is_err());
}

#[test]
fn what_is_no_json_is_refused() {
    for raw in [
        "",
        " ",
        "{",
        "}",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{a:1}"#,
        r#"{'a':1}"#,
        "nul",
        "truefalse",
        "1 2",
        "\"",
        r#""\"#,
        r#""\x""#,
        r#""\u12""#,
        r#""\u+123""#,
        "\"\n\"",
        "\u{feff}{}",
        "{}\0",
        "//",
    ] {
        assert!(
            matches!(round(raw, Lenient), Err(JsonError::Syntax(_))),
            "{raw:?}: {:?}",
            round(raw, Lenient)
        );
    }
    for raw in [
        r#"{"unsigned":}"#,
        r#"{"unsigned":1"#,
        r#"{"unsigned":,"a":1}"#,
        r#"{"unsigned":"\"#,
        r#"{"unsigned""#,
    ] {
        assert!(parse_event(raw.as_bytes(), Lenient).is_err(), "{raw}");
    }
    for raw in ["[]", "1", "null", "\"a\""] {
        assert_eq!(parse_object(raw.as_bytes(), Strict), Err(JsonError::NotAnObject));
    }
}

#[test]
fn members_takes_canonical_text_apart() {
    let text = r#"{"a":{"b":"}]\"","c":[[],{}]},"d":"x\\","e":-1,"f":null}"#;
    let found: Vec<_> = members(text).unwrap().iter().collect();
    let expected = [("a", r#"{"b":"}]\"","c":[[],{}]}"#), ("d", r#""x\\""#), ("e", "-1"), ("f", "null")];
    assert_eq!(found, expected);
    assert_eq!(members("{}").unwrap().iter().count(), 0);
    for damaged in [
        "",
        "{",
        "[]",
        r#"{"a":1"#,
        r#"{"a"}"#,
        r#"{"a":1,}"#,
        r#"{"a":[}"#,
        r#"{"a":"}"#,
        r#"{"a":"\"}"#,
        "{1}",
    ] {
        assert_eq!(members(damaged), None, "{damaged}");
    }
}
