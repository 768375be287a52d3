//! The JSON of events: what is read is written canonically, and reads back as the same.

use plop_state::json::{NumberRule, Value, canonical, members, parse, parse_event};

/// Takes a text that another server calls JSON.
pub fn target(data: &[u8]) {
    for rule in [NumberRule::Strict, NumberRule::Lenient] {
        let _ = parse_event(data, rule);
        let Ok(value) = parse(data, rule) else { continue };
        let text = canonical(&value);
        let again = parse(text.as_bytes(), rule).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(again, value);
        assert_eq!(canonical(&again), text);
        let theirs = serde_json::from_slice::<serde_json::Value>(data);
        assert!(theirs.is_ok() || rule == NumberRule::Lenient, "not JSON: {}", String::from_utf8_lossy(data));
        if let Value::Object(object) = &value {
            let members = members(&text).unwrap_or_else(|| panic!("no members: {text}"));
            let values: Vec<&str> = members.iter().map(|(_, value)| value).collect();
            let expected: Vec<String> = object.values().map(canonical).collect();
            assert_eq!(values, expected);
        }
    }
}
