//! Documents that whoever registers accepts.

use std::collections::BTreeMap;

use plop_accounts::parameters::RegistrationMode;
use plop_accounts::registration_tokens::NewRegistrationToken;
use plop_accounts::terms::{Policy, PolicyText};
use plop_base::Actor;
use ruma::user_id;
use serde_json::{Value, json};

use crate::bed::{Bed, PASSWORD};

const REGISTER: &str = "/_matrix/client/v3/register";

fn policy(id: &str, version: &str, languages: &[&str]) -> Policy {
    let text = |language: &&str| {
        let text = PolicyText { name: id.to_uppercase(), url: format!("https://e.example/{language}/{id}") };
        ((*language).to_owned(), text)
    };
    Policy {
        id: id.to_owned(),
        version: version.to_owned(),
        translations: languages.iter().map(text).collect::<BTreeMap<_, _>>(),
    }
}

async fn bed(mode: RegistrationMode) -> Bed {
    Bed::with(|choices| {
        choices.parameters.registration = mode;
        choices.parameters.terms =
            vec![policy("terms", "1.2", &["en", "fr"]), policy("privacy", "7", &["en"])];
    })
    .await
}

fn register(session: &Value, mut auth: Value) -> Value {
    auth["session"] = session.clone();
    json!({ "username": "alice", "password": PASSWORD, "auth": auth })
}

#[tokio::test(start_paused = true)]
async fn who_registers_accepts_the_terms_and_that_is_kept() {
    let bed = bed(RegistrationMode::Open).await;
    let challenge = bed.post(REGISTER).json(&json!({ "username": "alice" })).await.challenged();
    assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.terms"] }]));
    let text = |name: &str, url: &str| json!({ "name": name, "url": url });
    let terms = json!({
        "version": "1.2",
        "en": text("TERMS", "https://e.example/en/terms"),
        "fr": text("TERMS", "https://e.example/fr/terms"),
    });
    let privacy = json!({ "version": "7", "en": text("PRIVACY", "https://e.example/en/privacy") });
    let policies = json!({ "policies": { "terms": terms, "privacy": privacy } });
    assert_eq!(challenge["params"], json!({ "m.login.terms": policies }));
    // What another mode would take proves nothing.
    let dummy = register(&challenge["session"], json!({ "type": "m.login.dummy" }));
    assert_eq!(bed.post(REGISTER).json(&dummy).await.challenged()["errcode"], "M_UNRECOGNIZED");
    let accept = register(&challenge["session"], json!({ "type": "m.login.terms" }));
    bed.post(REGISTER).json(&accept).await.ok();
    let accepted = bed.api.accounts.accepted_terms(user_id!("@alice:plop.example")).await.expect("rows");
    let versions: Vec<_> = accepted.iter().map(|(id, row)| (id.as_str(), row.version.as_str())).collect();
    assert_eq!(versions, [("privacy", "7"), ("terms", "1.2")]);
}

#[tokio::test(start_paused = true)]
async fn b8_120_neither_the_terms_nor_a_token_alone_register() {
    let bed = bed(RegistrationMode::Token).await;
    let new = NewRegistrationToken { uses_allowed: Some(1), ..NewRegistrationToken::default() };
    let token = bed.api.accounts.create_registration_token(&Actor::Server, new).await.expect("a token");
    let challenge = bed.post(REGISTER).json(&json!({})).await.challenged();
    assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.registration_token", "m.login.terms"] }]));
    let session = &challenge["session"];
    let terms = register(session, json!({ "type": "m.login.terms" }));
    let half = bed.post(REGISTER).json(&terms).await.challenged();
    assert_eq!((&half["completed"], half.get("errcode")), (&json!(["m.login.terms"]), None));
    let shown = register(session, json!({ "type": "m.login.registration_token", "token": token }));
    bed.post(REGISTER).json(&shown).await.ok();
}

#[tokio::test(start_paused = true)]
async fn b8_135_what_was_accepted_goes_with_the_account() {
    let bed = bed(RegistrationMode::Open).await;
    let challenge = bed.post(REGISTER).json(&json!({})).await.challenged();
    let accept = register(&challenge["session"], json!({ "type": "m.login.terms" }));
    let token =
        bed.post(REGISTER).json(&accept).await.ok()["access_token"].as_str().expect("text").to_owned();
    let identifier = json!({ "type": "m.id.user", "user": "alice" });
    let auth = json!({ "type": "m.login.password", "identifier": identifier, "password": PASSWORD });
    let deactivate = bed.post("/_matrix/client/v3/account/deactivate").token(&token);
    deactivate.json(&json!({ "auth": auth })).await.ok();
    let accepted = bed.api.accounts.accepted_terms(user_id!("@alice:plop.example")).await.expect("rows");
    assert!(accepted.is_empty());
}
