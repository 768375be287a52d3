//! Files go out.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_NONE_MATCH, RANGE};

use super::{DOWNLOAD, bytes, path};
use crate::bed::Bed;

/// Row 107 of the hostile input.
#[tokio::test(start_paused = true)]
async fn row_107_what_a_browser_would_run_is_saved_and_nothing_is_sniffed() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let table = [
        ("image/png", "cat.png", "inline; filename=\"cat.png\""),
        ("text/html", "a.html", "attachment; filename=\"a.html\""),
        ("image/svg+xml", "", "attachment"),
        ("img/png", "test.png", "attachment; filename=\"test.png\""),
        ("application/pdf", "%F0%9F%8E%89.pdf", "attachment; filename*=utf-8''%F0%9F%8E%89.pdf"),
        ("image/png", "a%0D%0ASet-Cookie:%20b%22", "inline; filename*=utf-8''aSet-Cookie%3A%20b%22"),
    ];
    for (content_type, name, disposition) in table {
        let address = bed.upload(&alice, content_type, name, b"<script>alert(1)</script>".to_vec()).await;
        let answer = bed.get(&path(DOWNLOAD, &address)).by(&alice).open().await;
        let header = |name: &'static str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("content-type"), Some(content_type));
        assert_eq!(header("content-disposition"), Some(disposition));
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("cross-origin-resource-policy"), Some("cross-origin"));
        assert!(
            header("content-security-policy")
                .is_some_and(|policy| policy.starts_with("sandbox; default-src 'none'"))
        );
        assert!(header("cache-control").is_some_and(|cached| cached.contains("immutable")));
        assert_eq!(header("set-cookie"), None);
    }
    let address = bed.upload(&alice, "image/png", "cat.png", b"a".to_vec()).await;
    let other = bed.get(&format!("{}/dog%22.png", path(DOWNLOAD, &address))).by(&alice).open().await;
    assert_eq!(other.headers()["content-disposition"], "inline; filename*=utf-8''dog%22.png");
}

/// Rows 109 and 111 of the hostile input: what is here, what is not, and what is of others are the same to strangers.
#[tokio::test(start_paused = true)]
async fn row_109_the_older_endpoints_give_nothing_without_a_token() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let address = bed.upload(&alice, "image/png", "", b"a".to_vec()).await;
    let there = path("/_matrix/media/v3/download", &address);
    let mut answers = Vec::new();
    for path in [
        there.as_str(),
        "/_matrix/media/v3/download/plop.example/nothing",
        "/_matrix/media/v3/download/other.example/a",
    ] {
        answers.push(bed.get(path).await.refused(404, "M_NOT_FOUND"));
        answers.push(bed.get(&format!("{path}/name")).by(&alice).await.refused(404, "M_NOT_FOUND"));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let bed = Bed::with(|choices| choices.settings.freeze_media = false).await;
    let alice = bed.user("alice").await;
    let address = bed.upload(&alice, "image/png", "", b"a".to_vec()).await;
    assert_eq!(bytes(bed.get(&path("/_matrix/media/v3/download", &address)).open().await).await, b"a");
}

/// Row 106 of the hostile input.
#[tokio::test(start_paused = true)]
async fn row_106_addresses_that_are_none_are_refused() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let get = async |rest: &str| bed.get(&format!("{DOWNLOAD}/{rest}")).by(&alice).await;
    for id in [
        "nothing",
        "%2e%2e",
        "..%2f..%2fetc%2fx",
        "%2fetc%2fpasswd",
        "a%00",
        "a.b",
        "%C3%A4",
        &"a".repeat(300),
    ] {
        get(&format!("plop.example/{id}")).await.refused(404, "M_NOT_FOUND");
    }
    for server in ["%2e%2e%2f", "a%2fb", "a%00", "a%20b", "%ff"] {
        get(&format!("{server}/abc")).await.refused(400, "M_INVALID_PARAM");
    }
    // Who is a stranger is told so first.
    let nested = format!("{DOWNLOAD}/plop.example/mxc:%2F%2Fplop.example%2Fabc");
    bed.get(&nested).await.refused(401, "M_MISSING_TOKEN");
    bed.get(&format!("{DOWNLOAD}/a%2fb/abc")).await.refused(401, "M_MISSING_TOKEN");
    // It looks like a name, and is in no path.
    get("../abc").await.refused(404, "M_NOT_FOUND");
    get("other.example/abc").await.refused(404, "M_NOT_FOUND");
    get("plop.example/abc?timeout_ms=soon").await.refused(400, "M_INVALID_PARAM");
}

#[tokio::test(start_paused = true)]
async fn parts_of_a_file_are_sent_and_what_the_client_has_is_not() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let address = bed.upload(&alice, "video/mp4", "", b"0123456789".to_vec()).await;
    let get = async |name: HeaderName, value: &str| {
        let mut call = bed.get(&path(DOWNLOAD, &address)).by(&alice);
        call.request.headers_mut().insert(name, value.parse().expect("a header"));
        call.open().await
    };
    let part = get(RANGE, "bytes=2-4").await;
    assert_eq!(
        (part.status().as_u16(), &part.headers()[CONTENT_RANGE]),
        (206, &"bytes 2-4/10".parse().expect("a range"))
    );
    assert_eq!(part.headers()[CONTENT_LENGTH], "3");
    let version = part.headers()[ETAG].to_str().expect("text").to_owned();
    assert_eq!(bytes(part).await, b"234");
    let beyond = get(RANGE, "bytes=10-").await;
    assert_eq!(
        (beyond.status().as_u16(), &beyond.headers()[CONTENT_RANGE]),
        (416, &"bytes */10".parse().expect("a range"))
    );
    assert_eq!(bytes(get(RANGE, "bytes=0-1,4-5").await).await, b"0123456789");
    let known = get(IF_NONE_MATCH, &version).await;
    assert_eq!(known.status(), 304);
    assert!(bytes(known).await.is_empty());
}
