//! Profiles: fields, owners, limits.

use plop_accounts::profile::{MAX_PROFILE_BYTES, MemberProfile, ProfileError, member_profile};
use plop_base::Actor;
use serde_json::{Value, json};

use crate::bed::{Bed, actor, id};

#[tokio::test(start_paused = true)]
async fn fields_are_set_read_and_removed() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    assert_eq!(bed.accounts.profile(&user).await.expect("read").expect("a user").len(), 0);
    assert_eq!(bed.accounts.profile(&id("nobody")).await, Ok(None));
    let fields: [(&str, Value); 5] = [
        ("displayname", json!("Alice ☃")),
        ("avatar_url", json!("mxc://plop.example/abc")),
        ("m.tz", json!("Europe/London")),
        ("org.example.languages", json!(["en", { "x": 1.5 }])),
        ("org.example.nothing", json!(null)),
    ];
    for (field, value) in &fields {
        bed.accounts.set_profile_field(&alice, &user, field, value).await.expect("a field");
        let stored = bed.accounts.profile_field(&user, field).await.expect("read").expect("a value");
        assert_eq!(serde_json::from_str::<Value>(&stored).expect("JSON"), *value);
    }
    let bed = bed.restarted();
    assert_eq!(bed.accounts.profile(&user).await.expect("read").expect("a user").len(), 5);
    let member = member_profile(&bed.db.snapshot(), &user).await.expect("read");
    let expected = MemberProfile {
        displayname: Some("Alice ☃".to_owned()),
        avatar_url: Some("mxc://plop.example/abc".to_owned()),
    };
    assert_eq!(member, expected);
    for _ in 0..2 {
        bed.accounts.delete_profile_field(&alice, &user, "m.tz").await.expect("a removal");
    }
    bed.accounts.set_profile_field(&alice, &user, "displayname", &json!("")).await.expect("a removal");
    assert_eq!(bed.accounts.profile(&user).await.expect("read").expect("a user").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_user_changes_no_profile_but_their_own() {
    let bed = Bed::new();
    bed.user("alice").await;
    let bob = actor(&bed.user("bob").await);
    for actor in [bob, Actor::Server] {
        let refused =
            bed.accounts.set_profile_field(&actor, &id("alice"), "displayname", &json!("Eve")).await;
        assert!(matches!(refused, Err(ProfileError::Forbidden(_))));
        let refused = bed.accounts.delete_profile_field(&actor, &id("alice"), "displayname").await;
        assert!(matches!(refused, Err(ProfileError::Forbidden(_))));
    }
    let admin = Actor::AdminAs { admin: id("bob"), user: id("alice") };
    bed.accounts.set_profile_field(&admin, &id("alice"), "displayname", &json!("A")).await.expect("a field");
}

#[tokio::test(start_paused = true)]
async fn names_and_values_of_fields_are_checked() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    for name in ["", "name", "Org.example", "org.exämple", "1a.b", "a.b c", ".a", "org.Example"] {
        let refused = bed.accounts.set_profile_field(&alice, &user, name, &json!(1)).await;
        assert!(matches!(refused, Err(ProfileError::InvalidField)), "{name:?}");
    }
    let long = format!("a.{}", "b".repeat(254));
    let refused = bed.accounts.set_profile_field(&alice, &user, &long, &json!(1)).await;
    assert!(matches!(refused, Err(ProfileError::FieldNameTooLong)));
    for (name, value) in [
        ("displayname", json!(1)),
        ("displayname", json!(null)),
        ("displayname", json!("x".repeat(1_025))),
        ("avatar_url", json!("https://plop.example/a.png")),
        ("avatar_url", json!({})),
        ("m.tz", json!("Europe London")),
        ("m.tz", json!("")),
    ] {
        let refused = bed.accounts.set_profile_field(&alice, &user, name, &value).await;
        assert!(matches!(refused, Err(ProfileError::InvalidValue)), "{name} {value}");
    }
    assert_eq!(bed.accounts.profile(&user).await.expect("read").expect("a user").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_profile_stays_below_64_kib_in_whole() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let set = async |field: &str, length: usize| {
        let value = json!("x".repeat(length));
        bed.accounts.set_profile_field(&alice, &user, field, &value).await
    };
    set("org.a", 40_000).await.expect("a field");
    assert!(matches!(set("org.b", 40_000).await, Err(ProfileError::TooLarge)));
    // A field takes the place of what it was.
    set("org.a", 60_000).await.expect("a field");
    set("org.a", 10).await.expect("a field");
    // {"org.a":"x","org.b":"x"} is 21 bytes longer than the two values.
    let rest = MAX_PROFILE_BYTES - 1 - 10 - "{\"org.a\":\"\",\"org.b\":\"\"}".len();
    assert!(matches!(set("org.b", rest + 1).await, Err(ProfileError::TooLarge)));
    set("org.b", rest).await.expect("a field");
    let fields = bed.accounts.profile(&user).await.expect("read").expect("a user");
    let whole =
        fields.into_iter().map(|(name, value)| (name, serde_json::from_str::<Value>(&value).expect("JSON")));
    let whole: serde_json::Map<String, Value> = whole.collect();
    assert_eq!(Value::Object(whole).to_string().len(), MAX_PROFILE_BYTES - 1);
}
