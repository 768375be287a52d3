//! Patterns and property paths: what they match, and what that costs.

use std::cell::Cell;

use serde_json::json;

use super::event;
use crate::push::{Glob, PushEvent};

#[test]
fn globs_match_words_and_whole_values() {
    let words = [
        ("ex*ple", "An example event.", true),
        ("ex*ple", "exple", true),
        ("ex*ple", "An exciting triple-whammy", true),
        ("ex*ple", "An examples", false),
        ("cake", "CAKE!", true),
        ("cake", "cakes pancake cake", true),
        ("cake", "pancake cakes _cake", false),
        ("cake", "écakeé", true),
        ("c?ke", "a c\nke", true),
        ("c?ke", "cke", false),
        ("", "", true),
        ("", "x", false),
        ("*", "", true),
        ("?", "", false),
        ("a.b", "axb", false),
        ("!", "a!b", true),
        ("aa", "aaa aa", true),
    ];
    for (pattern, text, expected) in words {
        assert_eq!(Glob::new(pattern).unwrap().matches_words(text.chars()), expected, "{pattern} {text}");
    }
    let whole = [
        ("lunc?*", "Lunch plans", true),
        ("lunc?*", "LUNCH", true),
        ("lunc?*", " lunch", false),
        ("lunc?*", "lunc", false),
        ("", "", true),
        ("", "a", false),
        ("**a**b", "xaxbxb", true),
        ("**a**b", "xaxbx", false),
    ];
    for (pattern, text, expected) in whole {
        assert_eq!(Glob::new(pattern).unwrap().matches(text.chars()), expected, "{pattern} {text}");
    }
    assert!(Glob::literal("Bob*").unwrap().matches_words("hi bob* there".chars()));
    assert!(!Glob::literal("Bob*").unwrap().matches_words("hi bobby".chars()));
}

/// The plain definition, exponential as it is.
pub fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
        Some((wanted, rest)) => text
            .split_first()
            .is_some_and(|(first, text)| (*wanted == '?' || wanted == first) && naive(rest, text)),
    }
}

/// CVE-2021-29471: whatever the pattern, a character of the text is looked at once, for a fixed number of steps.
#[test]
fn b9_139_cost_is_one_step_for_each_character() {
    let text = "a".repeat(65_000);
    let patterns =
        ["*a".repeat(200) + "b", "a".repeat(254) + "b*", "?*".repeat(254) + "b", "*".repeat(60_000) + "b"];
    for pattern in patterns.iter().filter_map(|pattern| Glob::new(pattern)) {
        for words in [false, true] {
            let steps = Cell::new(0);
            let counted = text.chars().inspect(|_| steps.set(steps.get() + 1));
            assert!(!if words { pattern.matches_words(counted) } else { pattern.matches(counted) });
            assert!(steps.get() <= text.len());
        }
    }
    assert!(Glob::new(&"?".repeat(255)).is_some());
    assert!(Glob::new(&"?".repeat(256)).is_none());
}

/// A flattened event would hold the long key once for each of its 3,000 leaves: 54 MB.
#[test]
fn b9_139_paths_are_walked() {
    let leaves: serde_json::Map<_, _> = (0..3000).map(|n| (n.to_string(), json!(n))).collect();
    let long = "k.".repeat(9_000);
    let event = PushEvent::new(&event("m.x", None, json!({ &long: leaves, "a\\b": {"": 1, "\\x": 2} })));
    let path = format!("content.{}.77", long.replace('.', "\\."));
    assert_eq!(event.property(&path).unwrap().as_int(), Some(77));
    assert_eq!(event.property(r"content.a\\b.").unwrap().as_int(), Some(1));
    assert_eq!(event.property(r"content.a\\b.\x").unwrap().as_int(), Some(2));
    for absent in ["", ".", "content.", r"content\", "content.k.77", "sender.x", "content..", "state_key"] {
        assert!(event.property(absent).is_none(), "{absent}");
    }
}
