//! Events of other rooms.

use http::Method;
use serde_json::json;

use crate::bed::{Bed, User};

/// Rows 74 and 77 of the hostile input: an event of another room, of a room that is not here, and one that is not there are the same.
#[tokio::test(start_paused = true)]
async fn row_74_an_event_is_found_in_its_room_only() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let (shared, private) = (bed.public_room(&alice, &[&bob]).await, bed.room(&alice, json!({})).await);
    let secret = bed.say(&alice, &private, "secret").await;
    let said = bed.say(&alice, &shared, "hi").await;
    for way in ["event", "context"] {
        let refused = async |by: &User, room: &str, event: &str| {
            let call = bed.ask(by, Method::GET, "/rooms/{}/{}/{}", &[room, way, event]);
            bed.without_effect(call).await.refused(404, "M_NOT_FOUND")
        };
        let absent = refused(&bob, &shared, "$absent").await;
        for (by, room, event) in [
            (&bob, shared.as_str(), secret.as_str()),
            (&bob, &private, &secret),
            (&bob, &private, "$absent"),
            (&bob, "!absent:plop.example", &secret),
            (&alice, &private, &said),
        ] {
            assert_eq!(refused(by, room, event).await, absent, "{way} {room} {event}");
        }
        bed.ask(&bob, Method::GET, "/rooms/{}/{}/{}", &[&shared, way, "x"])
            .await
            .refused(400, "M_INVALID_PARAM");
    }
}
