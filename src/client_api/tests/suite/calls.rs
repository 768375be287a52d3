//! TURN credentials, and where calls take place.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use plop_client_api::{Transport, Transports, Turn, TurnAccess};
use serde_json::json;
use sha1::Sha1;

use crate::bed::Bed;

const TURN: &str = "/_matrix/client/v3/voip/turnServer";
const TRANSPORTS: &str = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports";

async fn bed(access: TurnAccess) -> Bed {
    let (uris, lifetime) = (vec!["turn:turn.plop.example".to_owned()], Duration::from_secs(3_600));
    Bed::with(|choices| choices.turn = Some(Arc::new(Turn { uris, access, lifetime, for_guests: false })))
        .await
}

/// Row 136 of the hostile input: for users only, of each user, and not for long.
#[tokio::test(start_paused = true)]
async fn row_136_turn_credentials_are_a_mac_of_a_user_and_a_time() {
    let bed = bed(TurnAccess::Secret("north".to_owned())).await;
    bed.get(TURN).await.refused(401, "M_MISSING_TOKEN");
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    for user in [&alice, &bob] {
        let answer = bed.get(TURN).by(user).await.ok();
        let username = format!("{}:{}", bed.clock.now().0 / 1_000 + 3_600, user.id);
        let mut mac = Hmac::<Sha1>::new_from_slice(b"north").expect("a key");
        mac.update(username.as_bytes());
        let password = STANDARD.encode(mac.finalize().into_bytes());
        let uris = ["turn:turn.plop.example"];
        let expected = json!({ "username": username, "password": password, "uris": uris, "ttl": 3_600 });
        assert_eq!(answer, expected);
        bed.pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fixed_name_is_told_as_it_is() {
    let access = TurnAccess::Fixed { username: "relay".to_owned(), password: "open".to_owned() };
    let bed = bed(access).await;
    let alice = bed.user("alice").await;
    let uris = ["turn:turn.plop.example"];
    let expected = json!({ "username": "relay", "password": "open", "uris": uris, "ttl": 3_600 });
    assert_eq!(bed.get(TURN).by(&alice).await.ok(), expected);
}

#[tokio::test(start_paused = true)]
async fn without_configuration_there_is_nothing() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    assert_eq!(bed.get(TURN).by(&alice).await.ok(), json!({}));
    assert_eq!(bed.get(TRANSPORTS).by(&alice).await.ok(), json!({ "rtc_transports": [] }));
}

#[tokio::test(start_paused = true)]
async fn clients_are_told_where_calls_take_place() {
    let url = "https://calls.plop.example".to_owned();
    let bed = Bed::with(|choices| {
        choices.settings.public_url = Some("https://plop.example".to_owned());
        choices.transports = Transports(Arc::new([Transport::LiveKit { livekit_service_url: url }]));
    })
    .await;
    let alice = bed.user("alice").await;
    let expected = json!([{ "type": "livekit", "livekit_service_url": "https://calls.plop.example" }]);
    assert_eq!(bed.get(TRANSPORTS).by(&alice).await.ok(), json!({ "rtc_transports": expected }));
    bed.get(TRANSPORTS).await.refused(401, "M_MISSING_TOKEN");
    let known = bed.get("/.well-known/matrix/client").await.ok();
    assert_eq!(known["org.matrix.msc4143.rtc_foci"], expected);
    assert_eq!(known["m.homeserver"]["base_url"], "https://plop.example");
}
