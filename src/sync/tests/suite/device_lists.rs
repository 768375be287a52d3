//! Whose device lists a client has to look at anew, and whose it need not keep up with any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plop_bed::Signer;
use plop_e2ee::keys::{CrossSigningUpload, SignatureUpload, Upload};
use plop_state::json::Value as Signed;
use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::{Value, json as value};

use crate::bed::{Bed, Client, id, keys, user};

/// A server with these users.
async fn with(names: &[&str]) -> Bed {
    let bed = Bed::new().await;
    for name in names {
        bed.register(name).await;
    }
    bed
}

/// Publishes identity keys of the user's device, each time others.
async fn publish(bed: &Bed, name: &str, number: u8) {
    let device_keys = Some(Signer::new(number).device_keys(&id(name), "DEVICE"));
    let upload = Upload { device_keys, ..Upload::default() };
    bed.keys.upload(&user(name), &upload).await.expect("published");
}

/// What the answer says of lists.
fn lists(answer: &Value) -> Value {
    answer.get("device_lists").cloned().unwrap_or_default()
}

fn changed(names: &[&str]) -> Value {
    value!({ "changed": names.iter().map(|name| id(name)).collect::<Vec<_>>(), "left": [] })
}

fn left(names: &[&str]) -> Value {
    value!({ "changed": [], "left": names.iter().map(|name| id(name)).collect::<Vec<_>>() })
}

const NOTHING: Value = Value::Null;

#[tokio::test(start_paused = true)]
async fn who_comes_to_a_room_is_told_to_those_in_it_and_the_other_way_round() {
    let bed = with(&["alice", "bob", "carol"]).await;
    for (number, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
        publish(&bed, name, u8::try_from(number).expect("a number") + 1).await;
    }
    let room = bed.room("alice").await;
    bed.join("carol", &room).await;
    let (mut alice, mut bob) = (bed.client("alice"), bed.client("bob"));
    assert_eq!(
        (lists(&alice.sync().await), lists(&bob.sync().await)),
        (NOTHING, NOTHING),
        "the first answers"
    );
    bed.join("bob", &room).await;
    assert_eq!(lists(&alice.sync().await), changed(&["bob"]));
    assert_eq!(lists(&bob.sync().await), changed(&["alice", "carol"]));
    assert_eq!((lists(&alice.sync().await), lists(&bob.sync().await)), (NOTHING, NOTHING));
    bed.leave("bob", &room).await;
    assert_eq!(lists(&alice.sync().await), left(&["bob"]));
    assert_eq!(lists(&bob.sync().await), left(&["alice", "carol"]));
    publish(&bed, "bob", 9).await;
    assert_eq!(lists(&alice.sync().await), NOTHING, "they share no room");
    assert_eq!(lists(&bob.sync().await), changed(&["bob"]), "one's own");
    bed.join("bob", &room).await;
    assert_eq!(lists(&alice.sync().await), changed(&["bob"]));
}

#[tokio::test(start_paused = true)]
async fn only_the_last_room_that_is_shared_ends_it() {
    let bed = with(&["alice", "bob"]).await;
    let (one, other) = (bed.room("alice").await, bed.room("bob").await);
    bed.join("bob", &one).await;
    bed.join("alice", &other).await;
    let (mut alice, mut bob) = (bed.client("alice"), bed.client("bob"));
    alice.sync().await;
    bob.sync().await;
    bed.leave("bob", &one).await;
    assert_eq!((lists(&alice.sync().await), lists(&bob.sync().await)), (NOTHING, NOTHING));
    bed.leave("alice", &other).await;
    assert_eq!((lists(&alice.sync().await), lists(&bob.sync().await)), (left(&["bob"]), left(&["alice"])));
    // Left and joined again in between: the list may have changed meanwhile.
    bed.join("alice", &other).await;
    alice.sync().await;
    bob.sync().await;
    bed.leave("alice", &other).await;
    bed.join("alice", &other).await;
    assert_eq!(
        (lists(&alice.sync().await), lists(&bob.sync().await)),
        (changed(&["bob"]), changed(&["alice"]))
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_to_those_who_share_a_room_and_wakes_them() {
    let bed = with(&["alice", "bob", "carol"]).await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let (mut alice, mut carol) = (bed.client("alice"), bed.client("carol"));
    alice.sync().await;
    carol.sync().await;
    let later = async {
        bed.clock.sleep(Duration::from_secs(5)).await;
        publish(&bed, "bob", 1).await;
    };
    let half_a_minute = Duration::from_secs(30);
    let begin = bed.clock.monotonic();
    let (woken, ()) = tokio::join!(alice.wait(half_a_minute), later);
    assert_eq!((keys(&woken), lists(&woken)), (vec!["device_lists", "next_batch"], changed(&["bob"])));
    assert!(bed.clock.monotonic() - begin < Duration::from_secs(6));
    assert_eq!(keys(&carol.sync().await), ["next_batch"]);
    // The device ends: it is on the list no more.
    bed.accounts.logout(&user("bob")).await.expect("logged out");
    assert_eq!(lists(&alice.sync().await), changed(&["bob"]));
}

#[tokio::test(start_paused = true)]
async fn what_ends_without_having_begun_is_not_told() {
    let bed = with(&["alice", "bob"]).await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    bed.join("bob", &room).await;
    bed.leave("bob", &room).await;
    assert_eq!(lists(&alice.sync().await), NOTHING);
}

#[tokio::test(start_paused = true)]
async fn whom_a_user_signed_is_told_to_nobody_else() {
    let bed = with(&["alice", "bob", "carol"]).await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.join("carol", &room).await;
    let [master, user_signing, bobs] = [1, 2, 3].map(Signer::new);
    let upload = CrossSigningUpload {
        master: Some(master.cross_signing_key(&id("alice"), "master", None)),
        user_signing: Some(user_signing.cross_signing_key(&id("alice"), "user_signing", Some(&master))),
        ..CrossSigningUpload::default()
    };
    bed.keys.upload_cross_signing(&user("alice"), &upload, None).await.expect("published");
    let key = bobs.cross_signing_key(&id("bob"), "master", None);
    let upload = CrossSigningUpload { master: Some(key.clone()), ..CrossSigningUpload::default() };
    let (mut alice, mut carol) = (bed.client("alice"), bed.client("carol"));
    alice.sync().await;
    carol.sync().await;
    bed.keys.upload_cross_signing(&user("bob"), &upload, None).await.expect("published");
    assert_eq!(
        (lists(&alice.sync().await), lists(&carol.sync().await)),
        (changed(&["bob"]), changed(&["bob"]))
    );
    let mut signed = key;
    user_signing.sign(&mut signed, &id("alice"), &user_signing.public());
    let upload: SignatureUpload = [(id("bob"), [(bobs.public(), Signed::from(signed))].into())].into();
    let refused = bed.keys.upload_signatures(&user("alice"), &upload).await.expect("looked at");
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!((lists(&alice.sync().await), lists(&carol.sync().await)), (changed(&["bob"]), NOTHING));
    // After a restart it is still there.
    let bed = bed.restarted().await;
    let since = alice.since.clone();
    assert_eq!(lists(&Client { since, ..bed.client("alice") }.sync().await), NOTHING);
}

/// What a client that follows the answers knows: whose lists, as of which change.
struct Follower<'b> {
    client: Client<'b>,
    knows: BTreeMap<OwnedUserId, u32>,
}

/// Users, rooms and lists as they are.
#[derive(Default)]
struct World {
    members: BTreeMap<OwnedRoomId, BTreeSet<&'static str>>,
    versions: BTreeMap<&'static str, u32>,
}

impl World {
    fn share(&self, one: &str, other: &str) -> bool {
        self.members.values().any(|members| members.contains(one) && members.contains(other))
    }
}

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// Whatever happens, however late a client asks, and whether the server remembers or not: a client knows the newest list of everybody with whom it shares a
/// room, and is told of everybody with whom it does not any more.
#[tokio::test(start_paused = true)]
async fn a_client_that_follows_knows_every_list_and_no_other() {
    for remembers in [true, false] {
        let mut bed = with(&NAMES).await;
        let mut world = World::default();
        for name in &NAMES[..3] {
            world.members.insert(bed.room(name).await, BTreeSet::from([*name]));
        }
        let mut tokens: BTreeMap<&str, (Option<String>, BTreeMap<OwnedUserId, u32>)> = BTreeMap::new();
        let mut number = 7_usize;
        for step in 0..400 {
            number = number * 48_271 % 2_147_483_647;
            let name = NAMES[number % NAMES.len()];
            let which = number / 7 % world.members.len();
            let room = world.members.keys().nth(which).expect("a room").clone();
            match number / 31 % 10 {
                0..=3 => {
                    let members = world.members.get_mut(&room).expect("a room");
                    if members.contains(name) && members.len() > 1 {
                        bed.leave(name, &room).await;
                        members.remove(name);
                    } else if members.insert(name) {
                        bed.join(name, &room).await;
                    }
                }
                4..=5 => {
                    let version = world.versions.entry(name).or_default();
                    *version += 1;
                    publish(&bed, name, u8::try_from(*version % 200).expect("a number") + 1).await;
                }
                _ => {
                    let (since, knows) = tokens.remove(name).unwrap_or_default();
                    let mut follower = Follower { client: Client { since, ..bed.client(name) }, knows };
                    let is_first = follower.client.since.is_none();
                    follow(&mut follower, &world, name, is_first, step).await;
                    let since = follower.client.since.clone();
                    tokens.insert(name, (since, follower.knows));
                    if !remembers && number.is_multiple_of(3) {
                        bed = bed.restarted().await;
                    }
                }
            }
        }
    }
}

async fn follow(follower: &mut Follower<'_>, world: &World, name: &str, is_first: bool, step: usize) {
    let answer = follower.client.sync().await;
    let told = |key: &str| -> BTreeSet<OwnedUserId> {
        serde_json::from_value(lists(&answer)[key].clone()).unwrap_or_default()
    };
    let (changed, left) = (told("changed"), told("left"));
    for other in NAMES.into_iter().filter(|other| *other != name) {
        let (user, version) = (id(other), world.versions.get(other).copied().unwrap_or_default());
        let shares = world.share(name, other);
        if is_first && shares || changed.contains(&user) {
            // The client asks for the list.
            follower.knows.insert(user.clone(), version);
        }
        if left.contains(&user) {
            assert!(!shares, "step {step}: {name} does share a room with {other}");
            follower.knows.remove(&user);
        }
        let expected = shares.then_some(&version);
        assert_eq!(follower.knows.get(&user), expected, "step {step}: {name} about {other}, {answer}");
    }
}
