//! Push rules of any user about any event: patterns are what they are defined as, paths and rules harm nobody.

use plop_state::Pdu;
use plop_state::push::{Glob, PushEvent, Reader, RoomContext, RulesByRoom, default_outcome, evaluate};
use plop_state::version::{ALL, Rules};
use ruma::push::Ruleset;
use ruma::user_id;

use crate::parts::Parts;

/// Takes a line each: a pattern, a text, a path of a property, the content of an event, a ruleset.
pub fn target(data: &[u8]) {
    let mut parts = Parts::new(data);
    let [pattern, text, path] = [(); 3].map(|()| String::from_utf8_lossy(parts.line()));
    if let Some(glob) = Glob::new(&pattern) {
        let matches = glob.matches(text.chars());
        let _ = glob.matches_words(text.chars());
        let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        if pattern.len() < 9 && text.len() < 11 && pattern.iter().chain(&text).all(char::is_ascii) {
            assert_eq!(matches, naive(&pattern, &text), "{pattern:?} {text:?}");
        }
    }
    let [.., rules]: &[Rules; 12] = &ALL;
    let Some(pdu) = event(parts.line(), rules) else { return };
    let event = PushEvent::new(&pdu);
    let _ = (event.property(&path), default_outcome(&pdu, None));
    let Ok(ruleset) = serde_json::from_slice::<Ruleset>(parts.rest()) else { return };
    let user = user_id!("@bob:b.test");
    let room = RoomContext { members: 3, authority: None };
    let reader = Reader { user, display_name: Some(&text), subscribed: Some(true) };
    let outcome = evaluate(&ruleset, &event, &room, &reader);
    assert!(outcome.notify || !outcome.highlight);
    let _ = RulesByRoom::new(&ruleset, user).in_room(pdu.room_id());
}

/// The plain definition, exponential as it is; without regard to case, as patterns are.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
        Some((wanted, rest)) => text.split_first().is_some_and(|(first, text)| {
            (*wanted == '?' || wanted.eq_ignore_ascii_case(first)) && naive(rest, text)
        }),
    }
}

fn event(content: &[u8], rules: &Rules) -> Option<Pdu> {
    let content = str::from_utf8(content).ok()?;
    let text = format!(
        r#"{{"type":"m.room.message","sender":"@alice:a.test","room_id":"!{hash}","depth":1,"origin_server_ts":1,
        "hashes":{{"sha256":"{hash}"}},"signatures":{{}},"auth_events":[],"prev_events":[],"content":{content}}}"#,
        hash = "A".repeat(43)
    );
    Pdu::parse(text.as_bytes(), rules).ok()
}
