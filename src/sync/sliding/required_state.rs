//! Which state events of a room a client wants (MSC4186, `RequiredStateRequest`).
//!
//! Owns: the patterns, whether they match, which entries of a state have to be looked up for them. Does not own: reading them.
//!
//! Invariants: what a union of several wishes matches is what any of them matches. Where members are loaded lazily, only a pattern that names the member
//! matches a member event.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::codec::encode;
use plop_db::record;
use plop_state::StateKey;

/// The type of member events.
pub const MEMBER: &str = "m.room.member";

record! {
    /// A type, a state key; `None` is any.
    pub struct StatePattern = 1 {
        pub kind: Option<String>,
        pub key: Option<String>,
    }
}

record! {
    /// One wish.
    pub struct RequiredState = 1 {
        pub include: Vec<StatePattern>,
        pub exclude: Vec<StatePattern>,
        /// Members come with the events that need them.
        pub lazy_members: bool,
    }
}

record! {
    /// A union of wishes. Those of a request are in memory once, and shared by all of its unions.
    pub struct StateWishes = 1 {
        pub wishes: Vec<Arc<RequiredState>>,
    }
}

impl StatePattern {
    fn matches(&self, kind: &str, key: &str) -> bool {
        self.kind.as_ref().is_none_or(|wanted| wanted == kind)
            && self.key.as_ref().is_none_or(|wanted| wanted == key)
    }

    fn names_member(&self) -> bool {
        self.kind.as_deref() == Some(MEMBER) && self.key.is_some()
    }

    fn bytes(&self) -> usize {
        self.kind.as_ref().map_or(0, String::len) + self.key.as_ref().map_or(0, String::len) + 8
    }
}

impl RequiredState {
    fn matches(&self, kind: &str, key: &str) -> bool {
        let lazily = self.lazy_members && kind == MEMBER;
        let mut wanted = self.include.iter().filter(|pattern| !lazily || pattern.names_member());
        wanted.any(|pattern| pattern.matches(kind, key))
            && !self.exclude.iter().any(|pattern| pattern.matches(kind, key))
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.include.iter().chain(&self.exclude).map(StatePattern::bytes).sum()
    }

    /// Patterns that it has.
    pub fn patterns(&self) -> usize {
        self.include.len() + self.exclude.len()
    }

    /// Bytes of memory that it takes, about.
    fn weight(&self) -> usize {
        const ALLOCATIONS: usize = 32;
        size_of::<Self>() + self.bytes() + self.patterns() * (size_of::<StatePattern>() + ALLOCATIONS)
    }
}

/// Which entries of a state have to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// All of it.
    pub everything: bool,
    /// All that are no members.
    pub without_members: bool,
    /// These.
    pub keys: Vec<StateKey>,
}

impl StateWishes {
    /// Whether an event is wanted.
    pub fn matches(&self, kind: &str, key: &str) -> bool {
        self.wishes.iter().any(|wish| wish.matches(kind, key))
    }

    /// Whether members come with the events that need them.
    pub fn lazy_members(&self) -> bool {
        self.wishes.iter().any(|wish| wish.lazy_members)
    }

    /// Bytes of memory that it takes, about, if it shares nothing.
    pub fn weight(&self) -> usize {
        self.wishes.iter().map(|wish| size_of::<Arc<RequiredState>>() + wish.weight()).sum()
    }

    /// What tells it from others.
    pub fn hash(&self) -> u64 {
        let hash = blake3::hash(&encode(self));
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// Where its events are found.
    pub fn lookup(&self) -> Lookup {
        let mut lookup = Lookup { everything: false, without_members: false, keys: Vec::new() };
        let mut keys: BTreeSet<(&str, &str)> = BTreeSet::new();
        for wish in &self.wishes {
            for pattern in &wish.include {
                match (pattern.kind.as_deref(), pattern.key.as_deref()) {
                    (Some(kind), Some(key)) => {
                        keys.insert((kind, key));
                    }
                    (Some(MEMBER), None) => lookup.everything |= !wish.lazy_members,
                    (Some(_), None) => lookup.without_members = true,
                    (None, Some(key)) => {
                        lookup.without_members = true;
                        if !wish.lazy_members {
                            keys.insert((MEMBER, key));
                        }
                    }
                    (None, None) if wish.lazy_members => lookup.without_members = true,
                    (None, None) => lookup.everything = true,
                }
            }
        }
        if lookup.without_members {
            keys.retain(|(kind, _)| *kind == MEMBER);
        }
        lookup.keys = keys.into_iter().map(|(kind, key)| StateKey::new(kind, key)).collect();
        lookup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(kind: &str, key: &str) -> StatePattern {
        let word = |word: &str| Some(word.to_owned()).filter(|word| word != "*");
        StatePattern { kind: word(kind), key: word(key) }
    }

    fn wish(include: &[(&str, &str)], exclude: &[(&str, &str)], lazy_members: bool) -> RequiredState {
        let patterns = |list: &[(&str, &str)]| list.iter().map(|(kind, key)| pattern(kind, key)).collect();
        RequiredState { include: patterns(include), exclude: patterns(exclude), lazy_members }
    }

    fn wishes(wish: RequiredState) -> StateWishes {
        StateWishes { wishes: vec![Arc::new(wish)] }
    }

    #[test]
    fn patterns_match_what_they_name() {
        let some = wishes(wish(&[("a", ""), ("b", "*"), ("*", "k")], &[("b", "no")], false));
        for (kind, key, expected) in
            [("a", "", true), ("a", "x", false), ("b", "x", true), ("b", "no", false), ("c", "k", true)]
        {
            assert_eq!(some.matches(kind, key), expected, "{kind} {key}");
        }
        assert!(!StateWishes { wishes: Vec::new() }.matches("a", ""));
    }

    #[test]
    fn members_that_are_loaded_lazily_match_only_by_name() {
        let lazy = wishes(wish(&[("*", "*"), (MEMBER, "@me:a")], &[], true));
        assert!(lazy.matches("m.room.name", "") && lazy.matches(MEMBER, "@me:a"));
        assert!(!lazy.matches(MEMBER, "@other:a"));
        let mut both = lazy;
        both.wishes.push(Arc::new(wish(&[(MEMBER, "*")], &[], false)));
        assert!(both.matches(MEMBER, "@other:a") && both.lazy_members());
    }

    #[test]
    fn only_what_may_match_is_looked_up() {
        let lookup = |wish| wishes(wish).lookup();
        let named = lookup(wish(&[("a", ""), (MEMBER, "@me:a")], &[], true));
        assert_eq!((named.everything, named.without_members, named.keys.len()), (false, false, 2));
        let others = lookup(wish(&[("*", "*"), ("a", ""), (MEMBER, "@me:a")], &[], true));
        assert_eq!((others.everything, others.without_members), (false, true));
        assert_eq!(others.keys, [StateKey::member("@me:a")]);
        assert!(lookup(wish(&[(MEMBER, "*")], &[], false)).everything);
        assert!(lookup(wish(&[("*", "*")], &[], false)).everything);
        assert!(!lookup(wish(&[(MEMBER, "*")], &[], true)).everything);
    }

    #[test]
    fn what_it_weighs_is_no_less_than_its_texts() {
        let names: Vec<String> = (0..100).map(|number| format!("{number:0>100}")).collect();
        let patterns: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert!(wishes(wish(&patterns, &[], false)).weight() > 100 * 100);
    }
}
