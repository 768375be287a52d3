//! Pages for clients that do not know a stage, or a kind of login.

use std::collections::BTreeMap;

use http::HeaderMap;
use http_body_util::BodyExt as _;
use plop_accounts::parameters::RegistrationMode;
use plop_accounts::registration_tokens::NewRegistrationToken;
use plop_accounts::terms::{Policy, PolicyText};
use plop_base::Actor;
use serde_json::{Value, json};

use crate::bed::{Bed, PASSWORD};
use crate::call::Call;

const REGISTER: &str = "/_matrix/client/v3/register";
const LOGIN: &str = "/_matrix/static/client/login/";
/// What a page says when a stage is completed (client-server API, "Fallback").
const DONE: &str = r#"window.opener.postMessage("authDone", "*")"#;

/// A page as a browser gets it.
pub struct Shown {
    pub status: u16,
    pub text: String,
    headers: HeaderMap,
}

impl Shown {
    pub async fn of(call: Call) -> Self {
        let answer = call.open().await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("text");
        Self { status: head.status.as_u16(), text, headers: head.headers }
    }

    pub fn is_done(&self) -> bool {
        self.status == 200 && self.text.contains(DONE)
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }
}

pub fn path(stage: &str, session: &str) -> String {
    format!("/_matrix/client/v3/auth/{stage}/fallback/web?session={session}")
}

async fn session(bed: &Bed) -> String {
    let challenge = bed.post(REGISTER).json(&json!({ "username": "alice" })).await.challenged();
    challenge["session"].as_str().expect("text").to_owned()
}

fn registration(session: &str) -> Value {
    json!({ "username": "alice", "password": PASSWORD, "auth": { "session": session } })
}

/// A name and an address that would leave the text that they are in.
fn policy() -> Policy {
    let text = PolicyText {
        name: "Terms <script>alert(1)</script>".to_owned(),
        url: r#"https://e.example/terms?a=1&b="onclick="x"#.to_owned(),
    };
    let translations = BTreeMap::from([("fr".to_owned(), text)]);
    Policy { id: "terms".to_owned(), version: "1".to_owned(), translations }
}

#[tokio::test(start_paused = true)]
async fn the_stages_of_a_registration_are_completed_on_their_pages() {
    let bed = Bed::with(|choices| {
        choices.parameters.registration = RegistrationMode::Token;
        choices.parameters.terms = vec![policy()];
    })
    .await;
    let new = NewRegistrationToken { uses_allowed: Some(1), ..NewRegistrationToken::default() };
    let token = bed.api.accounts.create_registration_token(&Actor::Server, new).await.expect("a token");
    let session = session(&bed).await;

    let terms = path("m.login.terms", &session);
    for _ in 0..2 {
        let shown = Shown::of(bed.get(&terms)).await;
        assert!(shown.status == 200 && shown.text.contains("Accept"), "{}", shown.text);
        assert!(!shown.text.contains("authDone"), "to look completes nothing");
    }
    assert!(Shown::of(bed.post(&terms)).await.is_done());
    assert!(Shown::of(bed.get(&terms)).await.is_done());

    let tokens = path("m.login.registration_token", &session);
    let wrong = Shown::of(bed.post(&tokens).text("token=wrong")).await;
    assert!(wrong.status == 400 && wrong.text.contains("not valid") && wrong.text.contains("name=\"token\""));
    assert_eq!(Shown::of(bed.post(&tokens)).await.status, 400);
    bed.post(&tokens).text("token=one&token=two").await.refused(400, "M_INVALID_PARAM");
    let long = format!("token={}", "a".repeat(1 << 20));
    bed.post(&tokens).text(long).await.refused(413, "M_TOO_LARGE");
    for strange in ["token=%zz%\u{e9}%FF", "&&=&token \r\n"] {
        assert_eq!(Shown::of(bed.post(&tokens).text(strange)).await.status, 400, "{strange}");
    }
    let half = bed.post(REGISTER).json(&registration(&session)).await.challenged();
    assert_eq!(half["completed"], json!(["m.login.terms"]));
    assert!(Shown::of(bed.post(&tokens).text(format!("token=+{token}+"))).await.is_done());
    bed.post(REGISTER).json(&registration(&session)).await.ok();
    // It is used up.
    assert_eq!(Shown::of(bed.get(&terms)).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn the_stage_without_anything_to_prove_has_a_page_too() {
    let bed = Bed::new().await;
    let session = session(&bed).await;
    let dummy = path("m.login.dummy", &session);
    assert!(Shown::of(bed.get(&dummy)).await.text.contains("<button>"));
    assert!(Shown::of(bed.post(&dummy)).await.is_done());
    bed.post(REGISTER).json(&registration(&session)).await.ok();
}

/// Row 132 of the hostile input: what comes with the address is no part of a page, and nobody else's page has it in a frame.
#[tokio::test(start_paused = true)]
async fn row_132_a_page_has_no_text_of_others_and_is_in_no_frame() {
    let bed = Bed::with(|choices| choices.parameters.terms = vec![policy()]).await;
    let session = session(&bed).await;
    let terms = path("m.login.terms", &session);
    let hostile = path("m.login.terms", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
    for call in [bed.get(&terms), bed.post(&terms), bed.get(&hostile), bed.post(&hostile), bed.get(LOGIN)] {
        let shown = Shown::of(call).await;
        assert!(!shown.text.contains("alert(1)</script>"), "{}", shown.text);
        assert!(!shown.text.contains(&session), "{}", shown.text);
        let policy = shown.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
            "{policy}"
        );
        assert!(policy.contains("form-action") && !policy.contains("unsafe"), "{policy}");
        // What a page runs is named by its hash.
        assert_eq!(shown.text.contains("<script>"), policy.contains("script-src 'sha256-"), "{policy}");
        let expected = [
            ("content-type", "text/html; charset=utf-8"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ];
        for (name, value) in expected {
            assert_eq!(shown.header(name), value);
        }
    }
    let text = Shown::of(bed.get(&path("m.login.terms", &self::session(&bed).await))).await.text;
    assert!(text.contains("Terms &lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
    assert!(text.contains(r#"href="https://e.example/terms?a=1&amp;b=&quot;onclick=&quot;x""#), "{text}");
}

#[tokio::test(start_paused = true)]
async fn b8_120_a_page_does_nothing_for_a_session_that_does_not_offer_its_stage() {
    let bed = Bed::new().await;
    let bob = bed.user("bob").await;
    let body = json!({ "new_password": "x" });
    let challenge = bed.post("/_matrix/client/v3/account/password").by(&bob).json(&body).await.challenged();
    let of_password = challenge["session"].as_str().expect("text");
    let of_registration = session(&bed).await;
    for (stage, session) in [
        ("m.login.dummy", of_password),
        ("m.login.terms", of_password),
        ("m.login.terms", &of_registration),
        ("m.login.registration_token", &of_registration),
        ("m.login.email.identity", &of_registration),
        ("m.login.dummy", "unknown"),
        ("m.login.dummy", ""),
    ] {
        for call in
            [bed.get(&path(stage, session)), bed.post(&path(stage, session)).text("token=x&address=a@b.c")]
        {
            let shown = Shown::of(call).await;
            assert!(shown.status == 404 && shown.text.contains("begin again"), "{stage} {}", shown.text);
        }
    }
    // These have no page.
    for stage in ["m.login.password", "m.login.recaptcha", "x"] {
        bed.get(&path(stage, of_password)).await.refused(404, "M_UNRECOGNIZED");
    }
    bed.get("/_matrix/client/v3/auth/m.login.dummy/fallback/web").await.refused(400, "M_MISSING_PARAM");
    bed.post(&path("m.login.dummy", &of_registration)).text("token=%zz&sid=a&sid=b").await;
    let challenge = bed.post(REGISTER).json(&registration(&of_registration)).await;
    assert_eq!(challenge.status, 401, "nothing was completed");
}

#[tokio::test(start_paused = true)]
async fn b8_120_what_a_page_proves_ends_with_its_session() {
    let bed = Bed::new().await;
    let session = session(&bed).await;
    let dummy = path("m.login.dummy", &session);
    assert!(Shown::of(bed.post(&dummy)).await.is_done());
    bed.pass(15 * 60).await;
    assert_eq!(Shown::of(bed.post(&dummy)).await.status, 404);
    assert_eq!(bed.post(REGISTER).json(&registration(&session)).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn who_can_log_in_nowhere_else_logs_in_on_a_page() {
    let bed = Bed::new().await;
    let shown = Shown::of(bed.get(&format!("{LOGIN}?device_id=GHTYAJCE"))).await;
    assert_eq!(shown.status, 200);
    assert!(shown.text.contains("matrixLogin.onLogin(response)") && !shown.text.contains("GHTYAJCE"));
    // The form is sent by the script alone, and to here.
    let policy = shown.header("content-security-policy");
    assert!(policy.contains("connect-src 'self'") && policy.contains("form-action 'none'"), "{policy}");
}
