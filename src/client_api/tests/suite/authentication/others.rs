//! Endpoints whose path names a user: it is the one who asks.

use http::Method;

use super::{ENDPOINTS, path};
use crate::bed::Bed;

/// What is told of other users, and what one may tell of them. Presence is for those who share a room; here they do.
const OF_OTHERS: &[(&str, &str)] = &[
    ("GET", "/_matrix/client/v3/profile/{userId}"),
    ("GET", "/_matrix/client/v3/profile/{userId}/{keyName}"),
    ("GET", "/_matrix/client/v3/presence/{userId}/status"),
    ("POST", "/_matrix/client/v3/users/{userId}/report"),
];

/// Row 83 of the hostile input: what is another user's is neither read nor changed, by anybody who is not that user.
#[tokio::test(start_paused = true)]
async fn row_83_whoever_names_another_user_is_refused() {
    let bed = Bed::new().await;
    let [alice, mallory] = bed.users(["alice", "mallory"]).await;
    bed.public_room(&alice, &[&mallory]).await;
    // A body that every one of them takes.
    let body = r#"{"typing":true,"presence":"online","displayname":"y","suspended":true,"locked":true}"#;
    for (method, template, _) in ENDPOINTS.iter().filter(|(_, path, _)| path.contains("{userId}")) {
        let of_alice = template.replace("{userId}", alice.id.as_str()).replace("{keyName}", "displayname");
        let of_alice = path(&of_alice);
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let call = bed.call(method.clone(), &of_alice).by(&mallory);
        let call = if method == Method::GET { call } else { call.text(body) };
        if OF_OTHERS.contains(&(method.as_str(), template)) {
            let answer = call.await;
            assert_ne!(answer.status, 403, "{method} {template}: {answer:?}");
        } else {
            bed.without_effect(call).await.refused(403, "M_FORBIDDEN");
        }
    }
}
