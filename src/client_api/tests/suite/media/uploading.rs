//! Files come in.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::json;

use super::{DOWNLOAD, bytes, path};
use crate::bed::Bed;

#[tokio::test(start_paused = true)]
async fn a_file_is_uploaded_and_downloaded() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let address = bed.upload(&alice, "text/plain", "", b"Here is the content".to_vec()).await;
    assert!(address.starts_with("mxc://plop.example/"), "{address}");
    let answer = bed.get(&path(DOWNLOAD, &address)).by(&alice).open().await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[CONTENT_TYPE]),
        (200, &"text/plain".parse().expect("a type"))
    );
    assert_eq!(answer.headers()[CONTENT_LENGTH], "19");
    assert_eq!(bytes(answer).await, b"Here is the content");
    let size = bed.get("/_matrix/client/v1/media/config").by(&alice).await.ok();
    assert_eq!(size, json!({ "m.upload.size": 50 << 20 }));
    assert_eq!(bed.get("/_matrix/media/v3/config").by(&alice).await.ok(), size);
}

/// The token in the query, the path of before version 1.1.
#[tokio::test(start_paused = true)]
async fn older_clients_upload_too() {
    let bed = Bed::with(|choices| choices.settings.freeze_media = false).await;
    let alice = bed.user("alice").await;
    let upload = format!("/_matrix/media/r0/upload?access_token={}", alice.token);
    let address =
        bed.post(&upload).text("a").await.ok()["content_uri"].as_str().expect("an address").to_owned();
    let answer = bed.get(&path("/_matrix/media/r0/download", &address)).open().await;
    assert_eq!(bytes(answer).await, b"a");
}

#[tokio::test(start_paused = true)]
async fn large_files_are_larger_than_other_bodies_and_have_their_own_limit() {
    let bed = Bed::with(|choices| choices.media.max_upload = 3 << 20).await;
    let alice = bed.user("alice").await;
    bed.upload(&alice, "image/png", "", vec![1; 3 << 20]).await;
    let over = bed.post("/_matrix/media/v3/upload").by(&alice).text(vec![1; (3 << 20) + 1]);
    over.await.refused(413, "M_TOO_LARGE");
    let mut said = bed.post("/_matrix/media/v3/upload").by(&alice).text("a");
    said.request.headers_mut().insert(CONTENT_LENGTH, "4000000".parse().expect("a number"));
    said.await.refused(413, "M_TOO_LARGE");
    let mut packed = bed.post("/_matrix/media/v3/upload").by(&alice).text("a");
    packed.request.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().expect("a header"));
    packed.await.refused(415, "M_UNKNOWN");
}

#[tokio::test(start_paused = true)]
async fn quotas_are_refused_as_the_specification_says() {
    let bed = Bed::with(|choices| choices.media.quota.files = 1).await;
    let alice = bed.user("alice").await;
    bed.upload(&alice, "image/png", "", vec![1]).await;
    bed.post("/_matrix/media/v3/upload").by(&alice).text("a").await.refused(403, "M_FORBIDDEN");
}

#[tokio::test(start_paused = true)]
async fn announced_files_are_waited_for_and_uploaded_once() {
    let bed = Bed::with(|choices| choices.settings.freeze_media = false).await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let created = bed.post("/_matrix/media/v1/create").by(&alice).await.ok();
    assert!(created["unused_expires_at"].as_u64().is_some_and(|expires| expires > bed.clock.now().0));
    let address = created["content_uri"].as_str().expect("an address").to_owned();
    // Both endpoints wait; each for as long as is asked, or 20 seconds.
    for endpoint in [DOWNLOAD, "/_matrix/media/v3/download"] {
        let begun = bed.clock.monotonic();
        bed.get(&path(endpoint, &address)).by(&alice).await.refused(504, "M_NOT_YET_UPLOADED");
        assert_eq!((bed.clock.monotonic() - begun).as_secs(), 20);
    }
    let short = format!("{}?timeout_ms=100", path(DOWNLOAD, &address));
    bed.get(&short).by(&alice).await.refused(504, "M_NOT_YET_UPLOADED");

    let upload = path("/_matrix/media/v3/upload", &address);
    bed.put(&upload).by(&bob).text("a").await.refused(403, "M_FORBIDDEN");
    let mut put = bed.put(&format!("{upload}?filename=test.png")).by(&alice).text("png");
    put.request.headers_mut().insert(CONTENT_TYPE, "image/png".parse().expect("a type"));
    assert_eq!(put.await.ok(), json!({}));
    // Without a body, too.
    bed.put(&upload).by(&alice).await.refused(409, "M_CANNOT_OVERWRITE_MEDIA");
    let answer = bed.get(&path(DOWNLOAD, &address)).by(&bob).open().await;
    assert_eq!(answer.headers()[CONTENT_TYPE], "image/png");
    assert_eq!(bytes(answer).await, b"png");
    bed.put("/_matrix/media/v3/upload/plop.example/nothing")
        .by(&alice)
        .text("a")
        .await
        .refused(404, "M_NOT_FOUND");
    bed.put("/_matrix/media/v3/upload/other.example/nothing")
        .by(&alice)
        .text("a")
        .await
        .refused(404, "M_NOT_FOUND");
}

/// Row 112 of the hostile input.
#[tokio::test(start_paused = true)]
async fn row_112_announcing_too_much_is_limited() {
    let bed = Bed::with(|choices| choices.media.max_pending = 2).await;
    let alice = bed.user("alice").await;
    for _ in 0..2 {
        bed.post("/_matrix/media/v1/create").by(&alice).await.ok();
    }
    let refused = bed.post("/_matrix/media/v1/create").by(&alice).await;
    assert!(refused.header("retry-after").is_some());
    refused.refused(429, "M_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn files_survive_a_restart() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let address = bed.upload(&alice, "image/png", "", b"a".to_vec()).await;
    let pending = bed.post("/_matrix/media/v1/create").by(&alice).await.ok()["content_uri"].clone();
    let bed = bed.restarted().await;
    assert_eq!(bytes(bed.get(&path(DOWNLOAD, &address)).by(&alice).open().await).await, b"a");
    let upload = path("/_matrix/media/v3/upload", pending.as_str().expect("an address"));
    bed.put(&upload).by(&alice).text("a").await.ok();
}
