//! What an address is about.

use std::time::Duration;

use plop_base::buckets::Rate;
use plop_bed::web::{Web, ok};
use plop_client_api::{ActionRates, BudgetLimits};
use plop_media::{Hosts, Previewing};
use plop_outbound::Client;

use crate::bed::{Bed, Choices};

const PREVIEW: &str = "/_matrix/client/v1/media/preview_url";

/// A bed whose previews reach loopback.
async fn bed() -> Bed {
    bed_with(|_| ()).await
}

async fn bed_with(choose: impl FnOnce(&mut Choices)) -> Bed {
    Bed::with(|choices| {
        let settings = plop_outbound::Settings {
            open: vec!["127.0.0.1/32".parse().expect("a network")],
            ..plop_outbound::Settings::default()
        };
        let client = Client::new(settings, plop_base::Clock::system()).expect("a client");
        let lifetime = Duration::from_secs(60);
        choices.previewing = Some(Previewing {
            client,
            allowed: None,
            denied: Hosts::default(),
            lifetime,
            max_picture_bytes: 1 << 20,
        });
        choose(choices);
    })
    .await
}

#[tokio::test]
async fn an_address_is_previewed_for_users() {
    let web = Web::start(|_| {
        let mut answer = ok("<title>A page</title>");
        let head = answer.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
        answer.splice(head..head, *b"Content-Type: text/html\r\n");
        answer
    })
    .await;
    let bed = bed().await;
    let alice = bed.user("alice").await;
    for path in [PREVIEW, "/_matrix/media/v3/preview_url", "/_matrix/media/r0/preview_url"] {
        let answer = bed
            .get(&format!("{path}?url={}&ts=1510610716656", web.url("127.0.0.1", "/")))
            .by(&alice)
            .await
            .ok();
        assert_eq!(answer, serde_json::json!({ "og:title": "A page" }));
    }
    assert_eq!(web.connections(), 1);
}

/// Row 98 of the hostile input: the reasons are alike.
#[tokio::test]
async fn row_98_who_asks_learns_nothing_of_the_network() {
    let bed = bed().await;
    let alice = bed.user("alice").await;
    let get = async |url: &str| bed.get(&format!("{PREVIEW}?url={url}")).by(&alice).await;
    let refusals = [
        "http://127.0.0.1:1/",
        "http://127.0.0.2/",
        "http://10.0.0.1/",
        "http://[::1]:8008/",
        "http://127.0.0.1:5432/",
    ];
    let mut answers = Vec::new();
    for url in refusals {
        answers.push(get(url).await.refused(502, "M_UNKNOWN"));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    get("ftp://example.org/").await.refused(400, "M_INVALID_PARAM");
    bed.get(PREVIEW).by(&alice).await.refused(400, "M_MISSING_PARAM");
}

/// Row 102 of the hostile input: each may be a page without an end. Also one that is known counts.
#[tokio::test(start_paused = true)]
async fn row_102_a_user_gets_so_many_previews_and_no_more() {
    let rate = |burst, seconds| Rate { burst, interval: Duration::from_secs(seconds) };
    let bed = bed_with(|choices| {
        choices.budgets = Some(BudgetLimits {
            writes: rate(100, 1),
            reads: rate(100, 1),
            strangers: rate(100, 1),
            full_syncs: 2,
            actions: ActionRates { previews: Some(rate(3, 60)), ..ActionRates::default() },
        });
    })
    .await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let get = |by, number: u8| bed.get(&format!("{PREVIEW}?url=http://10.0.0.{number}/")).by(by);
    for number in [1, 2, 2] {
        get(&alice, number).await.refused(502, "M_UNKNOWN");
    }
    assert_eq!(get(&alice, 1).await.refused(429, "M_LIMIT_EXCEEDED")["retry_after_ms"], 60_000);
    bed.get("/_matrix/media/v3/preview_url?url=http://10.0.0.4/")
        .by(&alice)
        .await
        .refused(429, "M_LIMIT_EXCEEDED");
    get(&bob, 1).await.refused(502, "M_UNKNOWN");
    bed.pass(60).await;
    get(&alice, 3).await.refused(502, "M_UNKNOWN");
    get(&alice, 3).await.refused(429, "M_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn where_it_is_off_it_is_not_there() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    bed.get(&format!("{PREVIEW}?url=http://example.org/")).by(&alice).await.refused(404, "M_UNRECOGNIZED");
}
