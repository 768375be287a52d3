//! `/user_directory/search`, `/mutual_rooms`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::chat::encoded;

async fn found(bed: &Bed, by: &User, term: &str) -> Value {
    let call = bed.ask(by, Method::POST, "/user_directory/search", &[]);
    call.json(&json!({ "search_term": term })).await.ok()
}

fn mutual<'a>(bed: &'a Bed, by: &'a User, query: &str) -> crate::call::Call {
    bed.get(&format!("/_matrix/client/v1/mutual_rooms{query}")).by(by)
}

/// The name of a room is not told outside of it, whether it was set on the way in or later.
#[tokio::test(start_paused = true)]
async fn a_name_for_one_room_is_not_in_the_directory() {
    let bed = Bed::new().await;
    let [alice, bob, eve] = bed.users(["user-1-alice", "user-2-bob", "user-3-eve"]).await;
    let profile = bed.ask(&alice, Method::PUT, "/profile/{}/displayname", &[alice.id.as_str()]);
    profile.json(&json!({ "displayname": "Alice Cooper" })).await.ok();
    bed.room(&alice, json!({ "visibility": "public" })).await;
    let private = bed.room(&bob, json!({ "visibility": "private", "invite": [alice.id] })).await;
    bed.join(&alice, &private).await.ok();
    let member =
        bed.ask(&alice, Method::PUT, "/rooms/{}/state/m.room.member/{}", &[&private, alice.id.as_str()]);
    member.json(&json!({ "membership": "join", "displayname": "Freddy" })).await.ok();

    let expected =
        json!({ "results": [{ "user_id": alice.id, "display_name": "Alice Cooper" }], "limited": false });
    for user in [&bob, &eve] {
        for term in ["Alice Cooper", "@user", "@user-1-alice:plop.example", "alice"] {
            assert_eq!(found(&bed, user, term).await, expected, "{term}");
        }
        assert_eq!(found(&bed, user, "Freddy").await, json!({ "results": [], "limited": false }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_of_users_takes_what_clients_send() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    bed.public_room(&alice, &[&bob]).await;
    let search = |body: Value| bed.ask(&bob, Method::POST, "/user_directory/search", &[]).json(&body);
    let all = search(json!({ "search_term": "alice", "limit": 9_007_199_254_740_991_u64 })).await.ok();
    assert_eq!(all["results"][0]["user_id"], json!(alice.id));
    let none = search(json!({ "search_term": "alice", "limit": 0 })).await.ok();
    assert_eq!(none, json!({ "results": [], "limited": true }));
    for body in [json!({}), json!({ "search_term": 1 }), json!({ "search_term": "a", "limit": -1 })] {
        search(body).await.refused(400, "M_BAD_JSON");
    }
}

/// Row 79 of the hostile input: a user who is not there is answered as one with whom nothing is shared.
#[tokio::test(start_paused = true)]
async fn row_79_mutual_rooms_tell_of_own_rooms_only() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let shared = bed.public_room(&alice, &[&bob]).await;
    bed.public_room(&bob, &[]).await;
    let nothing = json!({ "joined": [], "count": 0 });
    let with = |user: &str| format!("?user_id={}", encoded(user));
    assert_eq!(
        mutual(&bed, &alice, &with(bob.id.as_str())).await.ok(),
        json!({ "joined": [shared], "count": 1 })
    );
    for absent in ["@nobody:plop.example", "@bob:there.example"] {
        assert_eq!(mutual(&bed, &alice, &with(absent)).await.ok(), nothing, "{absent}");
    }
    bed.leave(&bob, &shared).await.ok();
    assert_eq!(mutual(&bed, &alice, &with(bob.id.as_str())).await.ok(), nothing);
    mutual(&bed, &alice, "").await.refused(400, "M_MISSING_PARAM");
    for query in [
        "?user_id=".to_owned(),
        "?user_id=bob".to_owned(),
        with("@Bob:plop.example"),
        with(alice.id.as_str()),
        format!("{}&from=x", with(bob.id.as_str())),
        format!("{}&from=", with(bob.id.as_str())),
    ] {
        mutual(&bed, &alice, &query).await.refused(400, "M_INVALID_PARAM");
    }
}
