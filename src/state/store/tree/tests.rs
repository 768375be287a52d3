//! The algorithms against a map, and the tree on both engines.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use plop_base::Random;
use plop_db::{Batch, Db, Options};
use plop_state::StateKey;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::Tree;
use super::diff::{Difference, diff};
use super::node::{Entry, LEAF_CAPACITY, Missing, Node, Nodes, Root};
use super::read::{lookup, lookup_many, scan};
use super::update::{Change, update};
use crate::error::StateError;
use crate::keyspaces::{AuthLinksRow, KEYSPACES, NodeRow, StateNodes};
use crate::numbers::{EventNumber, Generation, Grove, RoomNumber};
use crate::secret::{KeyHash, NodeName, Secret};

#[derive(Default)]
struct Known(HashMap<NodeName, Arc<Node>>);

impl Nodes for Known {
    fn node(&self, name: NodeName) -> Option<Arc<Node>> {
        self.0.get(&name).cloned()
    }
}

fn secret() -> Secret {
    Secret::new(&[7; 32])
}

type Model = BTreeMap<KeyHash, EventNumber>;

/// Few distinct keys (so that changes meet), some of which share long prefixes (so that the tree gets deep).
fn key() -> impl Strategy<Value = KeyHash> {
    prop_oneof![
        4 => (0u16..400).prop_map(|n| secret().key_hash(&StateKey::member(&n.to_string()))),
        1 => (0u8..30).prop_map(|n| KeyHash([9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, n])),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let event = prop_oneof![3 => (0u64..50).prop_map(|n| Some(EventNumber(n))), 1 => Just(None)];
    btree_map(key(), event, 0..60)
        .prop_map(|changes| changes.into_iter().map(|(key, event)| Change { key, event }).collect())
}

fn apply(model: &mut Model, changes: &[Change]) {
    for change in changes {
        match change.event {
            Some(event) => model.insert(change.key, event),
            None => model.remove(&change.key),
        };
    }
}

fn grow(known: &mut Known, root: Root, changes: &[Change]) -> Root {
    let updated = update(known, &secret(), root, changes).unwrap();
    known.0.extend(updated.nodes);
    updated.root
}

fn from_nothing(known: &mut Known, model: &Model) -> Root {
    let all: Vec<_> = model.iter().map(|(key, event)| Change { key: *key, event: Some(*event) }).collect();
    grow(known, Root::EMPTY, &all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_state_is_a_map(history in vec(changes(), 1..12)) {
        let (mut known, mut model, mut root) = (Known::default(), Model::new(), Root::EMPTY);
        for changes in &history {
            let (old_root, old_model) = (root, model.clone());
            root = grow(&mut known, root, changes);
            apply(&mut model, changes);

            prop_assert_eq!(root.count() as usize, model.len());
            prop_assert_eq!(root, from_nothing(&mut known, &model), "the way to a state must not show");
            for change in changes {
                prop_assert_eq!(lookup(&known, root, change.key).unwrap(), model.get(&change.key).copied());
                prop_assert_eq!(lookup(&known, old_root, change.key).unwrap(), old_model.get(&change.key).copied());
            }
            let all: Vec<_> = model.iter().map(|(key, event)| Entry { key: *key, event: *event }).collect();
            prop_assert_eq!(scan(&known, root, None, usize::MAX).unwrap(), all);

            let keys = old_model.keys().chain(model.keys()).copied();
            let keys: std::collections::BTreeSet<_> = keys.collect();
            let expected: Vec<_> = keys
                .into_iter()
                .map(|key| Difference { key, before: old_model.get(&key).copied(), after: model.get(&key).copied() })
                .filter(|difference| difference.before != difference.after)
                .collect();
            prop_assert_eq!(diff(&known, old_root, root).unwrap(), expected);
        }
    }

    #[test]
    fn pages_of_a_scan_make_up_the_state(model in btree_map(key(), (0u64..9).prop_map(EventNumber), 0..300), limit in 1usize..40) {
        let mut known = Known::default();
        let root = from_nothing(&mut known, &model);
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = scan(&known, root, after, limit).unwrap();
            prop_assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            seen.extend(page);
        }
        prop_assert!(seen.iter().map(|entry| (entry.key, entry.event)).eq(model));
    }

    #[test]
    fn algorithms_ask_for_what_is_missing(a in changes(), b in changes()) {
        let mut all = Known::default();
        let before = grow(&mut all, Root::EMPTY, &a);
        let after = grow(&mut all, before, &b);
        let keys: Vec<_> = a.iter().map(|change| change.key).collect();
        let (_, rounds) = until_loaded(&all, |known| diff(known, before, after));
        prop_assert!(rounds <= 34);
        prop_assert_eq!(
            until_loaded(&all, |known| lookup_many(known, after, &keys)).0,
            lookup_many(&all, after, &keys).unwrap()
        );
        prop_assert_eq!(until_loaded(&all, |known| scan(known, after, None, 20)).0, scan(&all, after, None, 20).unwrap());
        let updated = until_loaded(&all, |known| update(known, &secret(), before, &b)).0;
        prop_assert_eq!(updated.root, after);
    }

    #[test]
    fn nodes_keep_their_form(model in btree_map(key(), any::<u64>().prop_map(EventNumber), 1..80)) {
        let mut known = Known::default();
        from_nothing(&mut known, &model);
        for (name, node) in &known.0 {
            let stored = plop_db::codec::encode(&NodeRow { node: (**node).clone() });
            let read: NodeRow = plop_db::codec::decode(&stored).unwrap();
            prop_assert_eq!(read.node.name(&secret()), *name);
        }
    }
}

/// Runs an algorithm from nothing in memory, with what it asks for added after each round.
fn until_loaded<T>(all: &Known, algorithm: impl Fn(&Known) -> Result<T, Missing>) -> (T, usize) {
    let mut known = Known::default();
    for round in 0.. {
        match algorithm(&known) {
            Ok(answer) => return (answer, round),
            Err(Missing(names)) => {
                assert!(!names.is_empty());
                for name in names {
                    let again = known.0.insert(name, all.0[&name].clone());
                    assert!(again.is_none(), "asked twice for one node");
                }
            }
        }
    }
    unreachable!()
}

#[test]
fn a_change_that_changes_nothing_makes_no_node() {
    let mut known = Known::default();
    let all: Vec<_> = (0..200u8)
        .map(|n| Change { key: KeyHash([n; 12]), event: Some(EventNumber(u64::from(n))) })
        .collect();
    let root = grow(&mut known, Root::EMPTY, &all);
    let updated = update(&known, &secret(), root, &all[20..90]).unwrap();
    assert_eq!((updated.root, updated.nodes.len()), (root, 0));
    let absent = Change { key: KeyHash([255; 12]), event: None };
    assert_eq!(update(&known, &secret(), root, &[absent]).unwrap().root, root);
}

#[test]
fn equal_changes_on_two_sides_are_no_difference() {
    let mut known = Known::default();
    let base: Vec<_> =
        (0..250u8).map(|n| Change { key: KeyHash([n; 12]), event: Some(EventNumber(1)) }).collect();
    let root = grow(&mut known, Root::EMPTY, &base);
    let later: Vec<_> = base.iter().map(|change| Change { event: Some(EventNumber(2)), ..*change }).collect();
    let left = grow(&mut known, root, &later);
    let right = later.chunks(7).rev().fold(root, |root, some| grow(&mut known, root, some));
    assert_eq!(left, right);
}

/// Row 148: keys of an attacker's choice cannot make the tree deep, since nobody knows where a key lands.
#[test]
fn b8_148_chosen_state_keys_do_not_deepen_the_tree() {
    let secret = secret();
    let mut all: Vec<_> = (0..100_000u64)
        .map(|n| Change {
            key: secret.key_hash(&StateKey::new("x", format!("{n:0>200}"))),
            event: Some(EventNumber(n)),
        })
        .collect();
    all.sort_by_key(|change| change.key);
    let mut known = Known::default();
    let root = grow(&mut known, Root::EMPTY, &all);
    let depth = |key| {
        let (_, rounds) = until_loaded(&known, |known| lookup(known, root, key));
        rounds
    };
    let deepest = all.iter().step_by(97).map(|change| depth(change.key)).max();
    assert!(deepest <= Some(8), "{deepest:?}");
    let leaves = known.0.values().filter(|node| matches!(&***node, Node::Leaf(_))).count();
    assert!((100_000 / LEAF_CAPACITY..40_000).contains(&leaves), "{leaves}");
}

#[test]
fn stored_forms_are_for_ever() {
    let secret = secret();
    let entries = [1u8, 2].map(|n| Entry { key: KeyHash([n; 12]), event: EventNumber(u64::from(n) << 8) });
    let leaf = Node::Leaf(entries.into());
    let mut children = [None; 8];
    children[2] = Some(leaf.name(&secret));
    children[7] = Some(NodeName([5; 12]));
    let inner = Node::Inner(Box::new(children));
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let row = |node: &Node| hex(plop_db::codec::encode(&NodeRow { node: node.clone() }));
    let key = secret.key_hash(&StateKey::member("@a:b.c"));
    let forms = [
        row(&leaf),
        row(&inner),
        hex(leaf.name(&secret).0.to_vec()),
        hex(inner.name(&secret).0.to_vec()),
        hex(key.0.to_vec()),
    ];
    let expected = [
        "010002010101010101010101010101020100020202020202020202020202020200",
        "010184012536f0fbf7beab32d8687e050505050505050505050505",
        "012536f0fbf7beab32d8687e",
        "601fad25c06de9d6bca1bba7",
        "59cac80c528ce86adf1b4dc2",
    ];
    assert_eq!(forms, expected);
    let [earlier, jump] = [Some(EventNumber(3)), Some(EventNumber(1))];
    let auth = vec![EventNumber(1), EventNumber(3)];
    let links = AuthLinksRow { auth_depth: 2, key: KeyHash([6; 12]), auth, length: 1, earlier, jump };
    let expected = "010102060606060606060606060606010101010103000101010103010101";
    assert_eq!(hex(plop_db::codec::encode(&links)), expected);
    let keyspaces =
        "20 state_secret Point\n21 state_nodes Point\n22 auth_links Point\n23 auth_citations Scan\n";
    assert_eq!(plop_db::golden_table(KEYSPACES), keyspaces);
}

mod stored;
