//! Key backups.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Answer;
use crate::chat::text;

const ALGORITHM: &str = "m.megolm_backup.v1.curve25519-aes-sha2";

impl Bed {
    async fn backup(&self, user: &User) -> String {
        let body = json!({ "algorithm": ALGORITHM, "auth_data": { "public_key": "abc" } });
        text(&self.post("/_matrix/client/v3/room_keys/version").by(user).json(&body).await.ok()["version"])
    }

    /// A request about keys: `path` is what follows `keys`.
    async fn keys(
        &self,
        by: &User,
        method: Method,
        path: &str,
        version: &str,
        body: Option<Value>,
    ) -> Answer {
        let uri = format!("/_matrix/client/v3/room_keys/keys{path}?version={version}");
        let call = self.call(method, &uri).by(by);
        match body {
            Some(body) => call.json(&body).await,
            None => call.await,
        }
    }

    async fn store(&self, by: &User, path: &str, version: &str, body: Value) -> Answer {
        self.keys(by, Method::PUT, path, version, Some(body)).await
    }
}

fn key(is_verified: bool, first_message_index: u64, forwarded_count: u64) -> Value {
    json!({
        "first_message_index": first_message_index,
        "forwarded_count": forwarded_count,
        "is_verified": is_verified,
        "session_data": { "ephemeral": "e", "ciphertext": "c", "mac": "m" },
    })
}

/// What is asked at each start of a client.
#[tokio::test(start_paused = true)]
async fn a_user_without_a_backup_is_told_so() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    bed.get("/_matrix/client/v3/room_keys/version").by(&alice).await.refused(404, "M_NOT_FOUND");
    bed.get("/_matrix/client/v3/room_keys/version/1").by(&alice).await.refused(404, "M_NOT_FOUND");
    bed.delete("/_matrix/client/v3/room_keys/version/1").by(&alice).await.refused(404, "M_NOT_FOUND");
    bed.keys(&alice, Method::GET, "", "1", None).await.refused(404, "M_NOT_FOUND");
    bed.store(&alice, "/!r:b.c/s", "1", key(true, 0, 0)).await.refused(404, "M_NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_made_read_signed_anew_and_deleted() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let version = bed.backup(&alice).await;
    let path = format!("/_matrix/client/v3/room_keys/version/{version}");
    let expected = json!({
        "algorithm": ALGORITHM, "auth_data": { "public_key": "abc" },
        "count": 0, "etag": "0", "version": version,
    });
    for path in ["/_matrix/client/v3/room_keys/version", "/_matrix/client/r0/room_keys/version", &path] {
        assert_eq!(bed.get(path).by(&alice).await.ok(), expected);
    }
    let signed = json!({ "public_key": "abc", "signatures": { "@a:b.c": { "ed25519:A": "s" } } });
    let update = |algorithm: &str, version: Value| {
        let body = json!({ "algorithm": algorithm, "auth_data": signed, "version": version });
        bed.put(&path).by(&alice).json(&body)
    };
    update("m.other", json!(version)).await.refused(400, "M_INVALID_PARAM");
    update(ALGORITHM, json!("7")).await.refused(400, "M_INVALID_PARAM");
    assert_eq!(bed.get(&path).by(&alice).await.ok(), expected);
    assert_eq!(update(ALGORITHM, json!(version)).await.ok(), json!({}));
    let without = json!({ "algorithm": ALGORITHM, "auth_data": signed });
    bed.put(&path).by(&alice).json(&without).await.ok();
    assert_eq!(bed.get(&path).by(&alice).await.ok()["auth_data"], signed);
    let unknown = bed.put("/_matrix/client/v3/room_keys/version/9").by(&alice);
    unknown.json(&without).await.refused(404, "M_NOT_FOUND");

    for _ in 0..2 {
        assert_eq!(bed.delete(&path).by(&alice).await.ok(), json!({}), "again, too");
    }
    bed.get(&path).by(&alice).await.refused(404, "M_NOT_FOUND");
    assert_ne!(bed.backup(&alice).await, version);
}

#[tokio::test(start_paused = true)]
async fn keys_are_stored_read_and_deleted_in_all_three_ways() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let version = bed.backup(&alice).await;
    let (a, b) = ("!a:b.c", "!b");
    let stored = bed.store(&alice, "/!a:b.c/s%2F+%3D", &version, key(true, 1, 0)).await.ok();
    assert_eq!(stored, json!({ "count": 1, "etag": "1" }));
    let of_room = json!({ "sessions": { "t": key(true, 2, 0), "u": key(false, 3, 1) } });
    assert_eq!(
        bed.store(&alice, "/!a:b.c", &version, of_room).await.ok(),
        json!({ "count": 3, "etag": "2" })
    );
    let all =
        json!({ "rooms": { (b): { "sessions": { "s": key(false, 0, 0) } }, "!c": { "sessions": {} } } });
    assert_eq!(bed.store(&alice, "", &version, all).await.ok(), json!({ "count": 4, "etag": "3" }));

    let sessions = json!({ "s/+=": key(true, 1, 0), "t": key(true, 2, 0), "u": key(false, 3, 1) });
    let read = async |path: &str| bed.keys(&alice, Method::GET, path, &version, None).await;
    let rooms = json!({ (a): { "sessions": sessions }, (b): { "sessions": { "s": key(false, 0, 0) } } });
    assert_eq!(read("").await.ok(), json!({ "rooms": rooms }));
    assert_eq!(read("/!a:b.c").await.ok(), json!({ "sessions": sessions }));
    assert_eq!(read("/!a:b.c/s%2F+%3D").await.ok(), key(true, 1, 0));
    assert_eq!(read("/!nothing").await.ok(), json!({ "sessions": {} }));
    read("/!a:b.c/v").await.refused(404, "M_NOT_FOUND");
    read("/nonsense").await.refused(400, "M_INVALID_PARAM");
    bed.get("/_matrix/client/v3/room_keys/keys").by(&alice).await.refused(400, "M_MISSING_PARAM");

    let delete = async |path: &str| bed.keys(&alice, Method::DELETE, path, &version, None).await.ok();
    assert_eq!(delete("/!a:b.c/t").await, json!({ "count": 3, "etag": "4" }));
    assert_eq!(delete("/!a:b.c").await, json!({ "count": 1, "etag": "5" }));
    assert_eq!(delete("").await, json!({ "count": 0, "etag": "6" }));
    assert_eq!(delete("").await, json!({ "count": 0, "etag": "6" }));
    assert_eq!(read("").await.ok(), json!({ "rooms": {} }));
}

#[tokio::test(start_paused = true)]
async fn row_95_an_old_backup_takes_no_keys_and_the_client_is_told_of_the_new_one() {
    let bed = Bed::new().await;
    let [alice, bob] = [bed.user("alice").await, bed.user("bob").await];
    let (old, new) = (bed.backup(&alice).await, bed.backup(&alice).await);
    for (path, body) in [
        ("", json!({ "rooms": { "!r": { "sessions": { "s": key(true, 0, 0) } } } })),
        ("/!r", json!({ "sessions": { "s": key(true, 0, 0) } })),
        ("/!r/s", key(true, 0, 0)),
    ] {
        let told =
            bed.store(&alice, path, &old, body.clone()).await.refused(403, "M_WRONG_ROOM_KEYS_VERSION");
        assert_eq!(told["current_version"], json!(new));
        bed.store(&alice, path, &new, body.clone()).await.ok();
        bed.store(&bob, path, &new, body).await.refused(404, "M_NOT_FOUND");
        bed.keys(&bob, Method::GET, path, &new, None).await.refused(404, "M_NOT_FOUND");
        bed.keys(&bob, Method::DELETE, path, &new, None).await.refused(404, "M_NOT_FOUND");
    }
    assert_eq!(bed.keys(&alice, Method::GET, "", &old, None).await.ok(), json!({ "rooms": {} }));
}

/// The rules, and Complement's `TestE2EKeyBackupReplaceRoomKeyRules` with its algorithm that nobody knows.
#[tokio::test(start_paused = true)]
async fn a_worse_key_replaces_nothing_and_a_better_one_does() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let body = json!({ "algorithm": "m.megolm_backup.v1", "auth_data": { "foo": "bar" } });
    let made = bed.post("/_matrix/client/r0/room_keys/version").by(&alice).json(&body).await.ok();
    let version = text(&made["version"]);
    for (verified, session) in [(false, "a"), (true, "b")] {
        let path = format!("/!foo:hs1/{session}");
        let kept = key(verified, 10, 5);
        bed.store(&alice, &path, &version, kept.clone()).await.ok();
        for (first, forwarded) in [(11, 5), (10, 6), (11, 6), (10, 5), (11, 0)] {
            for worse in [key(false, first, forwarded), key(verified, first, forwarded)] {
                bed.store(&alice, &path, &version, worse).await.ok();
                assert_eq!(bed.keys(&alice, Method::GET, &path, &version, None).await.ok(), kept);
            }
        }
        for better in [key(verified, 10, 4), key(verified, 9, 9), key(true, 8, 10)] {
            bed.store(&alice, &path, &version, better.clone()).await.ok();
            assert_eq!(bed.keys(&alice, Method::GET, &path, &version, None).await.ok(), better);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_key_is_refused_and_nothing_of_its_request_is_stored() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let version = bed.backup(&alice).await;
    let with = |name: &str, value: Value| {
        let mut key = key(true, 0, 0);
        key[name] = value;
        key
    };
    for wrong in [
        with("first_message_index", json!(-1)),
        with("first_message_index", json!(1.5)),
        with("forwarded_count", json!(9_007_199_254_740_992_u64)),
        with("is_verified", json!("true")),
        with("session_data", json!("text")),
        json!({ "first_message_index": 0, "forwarded_count": 0, "is_verified": true }),
    ] {
        let both = json!({ "sessions": { "good": key(true, 0, 0), "wrong": wrong } });
        bed.without_effect(
            bed.put(&format!("/_matrix/client/v3/room_keys/keys/!r?version={version}"))
                .by(&alice)
                .json(&both),
        )
        .await
        .refused(400, "M_BAD_JSON");
    }
    let large = with("session_data", json!({ "ciphertext": "x".repeat(20_000) }));
    bed.store(&alice, "/!r/s", &version, large).await.refused(413, "M_TOO_LARGE");
    let long = format!("/!r/{}", "s".repeat(256));
    bed.store(&alice, &long, &version, key(true, 0, 0)).await.refused(400, "M_INVALID_PARAM");
    let no_room = json!({ "rooms": { "nonsense": { "sessions": {} } } });
    bed.store(&alice, "", &version, no_room).await.refused(400, "M_BAD_JSON");
}

/// As many as a client sends at once, and an answer of several parts.
#[tokio::test(start_paused = true)]
async fn a_large_backup_is_one_answer() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let version = bed.backup(&alice).await;
    for batch in 0..10 {
        let sessions: serde_json::Map<_, _> =
            (0..200).map(|number| (format!("{batch}.{number}"), key(true, number, 0))).collect();
        let mut rooms = serde_json::Map::new();
        rooms.insert(format!("!{}:b.c", batch / 3), json!({ "sessions": sessions }));
        bed.store(&alice, "", &version, json!({ "rooms": rooms })).await.ok();
    }
    let all = bed.keys(&alice, Method::GET, "", &version, None).await.ok();
    let rooms = all["rooms"].as_object().expect("rooms");
    let counts = rooms.values().map(|room| room["sessions"].as_object().map_or(0, |sessions| sessions.len()));
    assert_eq!(counts.collect::<Vec<_>>(), [600, 600, 600, 200]);
    // The backup of an account that has ended is out of reach at once.
    plop_bed::deactivate(&bed.api.accounts, &alice.actor(), false).await.expect("a deactivation");
    bed.keys(&alice, Method::GET, "", &version, None).await.refused(401, "M_UNKNOWN_TOKEN");
}
