//! What a client asks before it knows anything: versions, addresses, capabilities.

use plop_client_api::Contact;
use serde_json::json;

use crate::bed::Bed;

#[tokio::test(start_paused = true)]
async fn versions_are_for_everyone() {
    let bed = Bed::new().await;
    let body = bed.get("/_matrix/client/versions").await.ok();
    let expected: Vec<_> = (1..=19).map(|minor| format!("v1.{minor}")).collect();
    assert_eq!(body["versions"], json!(expected));
    // Each has tests of its own.
    let announced = [
        "org.matrix.msc3391",
        "org.matrix.msc3814",
        "org.matrix.msc3874",
        "org.matrix.msc3881",
        "org.matrix.msc3890",
        "org.matrix.msc4140",
        "org.matrix.msc4155",
        "org.matrix.msc4306",
        "org.matrix.msc4308",
        "org.matrix.simplified_msc3575",
    ];
    let features = body["unstable_features"].as_object().expect("features");
    assert!(features.iter().all(|(name, on)| announced.contains(&name.as_str()) && *on == true), "{body}");
    bed.get("/_matrix/client/versions").token("made up").await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_client_discovers_the_public_address_if_there_is_one() {
    let silent = Bed::new().await;
    silent.get("/.well-known/matrix/client").await.refused(404, "M_NOT_FOUND");
    let url = "https://matrix.plop.example";
    let bed = Bed::with(|choices| choices.settings.public_url = Some(url.to_owned())).await;
    let body = bed.get("/.well-known/matrix/client").await.ok();
    assert_eq!(body, json!({ "m.homeserver": { "base_url": url }, "org.matrix.msc3814": true }));
}

#[tokio::test(start_paused = true)]
async fn everybody_learns_whom_to_turn_to_if_that_is_named() {
    const SUPPORT: &str = "/.well-known/matrix/support";
    let silent = Bed::new().await;
    silent.get(SUPPORT).await.refused(404, "M_NOT_FOUND");
    let contact = |role, matrix_id: Option<&str>, email_address: Option<&str>| Contact {
        role,
        matrix_id: matrix_id.map(|id| id.try_into().expect("a user")),
        email_address: email_address.map(ToOwned::to_owned),
    };
    let bed = Bed::with(|choices| {
        choices.settings.contacts = vec![
            contact("m.role.admin", Some("@admin:other.example"), None),
            contact("m.role.security", None, Some("security@plop.example")),
        ];
    })
    .await;
    let contacts = json!([
        { "role": "m.role.admin", "matrix_id": "@admin:other.example" },
        { "role": "m.role.security", "email_address": "security@plop.example" },
    ]);
    assert_eq!(bed.get(SUPPORT).await.ok(), json!({ "contacts": contacts }));
    let page = "https://plop.example/help";
    let bed = Bed::with(|choices| choices.settings.support_page = Some(page.to_owned())).await;
    assert_eq!(bed.get(SUPPORT).await.ok(), json!({ "support_page": page }));
}

#[tokio::test(start_paused = true)]
async fn capabilities_say_all_that_a_client_would_otherwise_assume() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    for prefix in ["v3", "r0"] {
        let body = bed.get(&format!("/_matrix/client/{prefix}/capabilities")).by(&alice).await.ok();
        let capabilities = &body["capabilities"];
        assert_eq!(capabilities["m.change_password"], json!({ "enabled": true }));
        assert_eq!(capabilities["m.set_displayname"], json!({ "enabled": true }));
        assert_eq!(capabilities["m.set_avatar_url"], json!({ "enabled": true }));
        assert_eq!(capabilities["m.profile_fields"], json!({ "enabled": true }));
        assert_eq!(capabilities["m.3pid_changes"], json!({ "enabled": false }));
        assert_eq!(capabilities["m.get_login_token"], json!({ "enabled": true }));
        let versions = &capabilities["m.room_versions"];
        assert_eq!(versions["default"], "12");
        let available = versions["available"].as_object().expect("an object");
        assert_eq!(available.len(), 13);
        assert_eq!(available["org.matrix.msc3757.10"], "unstable");
        assert!((1..=12).all(|version: u32| available[&version.to_string()] == "stable"));
    }
}
