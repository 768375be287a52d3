//! `/room_summary/{roomIdOrAlias}`.

use serde_json::json;

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::encoded;

fn summary(bed: &Bed, by: Option<&User>, target: &str) -> Call {
    let call =
        bed.get(&format!("/_matrix/client/v1/room_summary/{}?via=a.example&via=b.example", encoded(target)));
    match by {
        Some(user) => call.by(user),
        None => call,
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_is_summed_up_with_the_membership_of_who_asks() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let encryption =
        json!({ "type": "m.room.encryption", "content": { "algorithm": "m.megolm.v1.aes-sha2" } });
    let options = json!({ "preset": "public_chat", "name": "Den", "topic": "Tea", "room_alias_name": "den",
        "initial_state": [encryption] });
    let room = bed.room(&alice, options).await;
    let mut expected = json!({
        "room_id": room, "name": "Den", "topic": "Tea", "canonical_alias": "#den:plop.example",
        "num_joined_members": 1, "world_readable": false, "guest_can_join": false, "join_rule": "public",
        "encryption": "m.megolm.v1.aes-sha2", "room_version": "12",
    });
    assert_eq!(summary(&bed, None, &room).await.ok(), expected);
    assert_eq!(summary(&bed, None, "#den:plop.example").await.ok(), expected);
    let memberships = async || {
        let of = async |user| summary(&bed, Some(user), &room).await.ok()["membership"].clone();
        [of(&alice).await, of(&bob).await]
    };
    assert_eq!(memberships().await, ["join", "leave"]);
    bed.act_on(&alice, &room, "invite", &bob).await.ok();
    assert_eq!(memberships().await, ["join", "invite"]);
    let former = format!("/_matrix/client/unstable/im.nheko.summary/summary/{}", encoded(&room));
    expected["membership"] = "join".into();
    expected["im.nheko.summary.room_version"] = "12".into();
    expected["im.nheko.summary.encryption"] = "m.megolm.v1.aes-sha2".into();
    assert_eq!(bed.get(&former).by(&alice).await.ok(), expected);
}

/// Row 79 of the hostile input: private rooms in summaries.
#[tokio::test(start_paused = true)]
async fn row_79_a_room_that_is_not_shown_is_one_that_is_not_there() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let private = bed.room(&alice, json!({ "room_alias_name": "hidden" })).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": private }]);
    let rule =
        json!({ "type": "m.room.join_rules", "content": { "join_rule": "restricted", "allow": allow } });
    let restricted = bed.room(&alice, json!({ "initial_state": [rule] })).await;
    let absent = summary(&bed, None, "!absent:plop.example").await.refused(404, "M_NOT_FOUND");
    for target in [&private, &restricted, "#hidden:plop.example"] {
        for by in [None, Some(&bob)] {
            assert_eq!(summary(&bed, by, target).await.refused(404, "M_NOT_FOUND"), absent);
        }
        assert_eq!(summary(&bed, Some(&alice), target).await.ok()["membership"], "join");
    }
    bed.act_on(&alice, &private, "invite", &bob).await.ok();
    bed.join(&bob, &private).await.ok();
    let shown = summary(&bed, Some(&bob), &restricted).await.ok();
    assert_eq!((&shown["membership"], &shown["allowed_room_ids"]), (&json!("leave"), &json!([private])));
    summary(&bed, None, &restricted).await.refused(404, "M_NOT_FOUND");
    let knock = json!({ "type": "m.room.join_rules", "content": { "join_rule": "knock" } });
    let knock = bed.room(&alice, json!({ "initial_state": [knock] })).await;
    assert_eq!(summary(&bed, None, &knock).await.ok()["join_rule"], "knock");
    summary(&bed, None, "nothing").await.refused(400, "M_INVALID_PARAM");
    bed.get(&format!("/_matrix/client/v1/room_summary/{}", encoded(&knock)))
        .token("made up")
        .await
        .refused(401, "M_UNKNOWN_TOKEN");
}
