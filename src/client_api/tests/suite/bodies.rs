//! Bodies: how much of one is read, and how long it is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use http::Method;

use crate::authentication::path;
use crate::bed::{Bed, MOST_BYTES, STRANGER_BYTES};

/// A part of a body.
const PART: usize = 16 << 10;

/// A body without an end, and how many bytes of it were taken.
fn endless() -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let parts = stream::repeat_with(move || {
        count.fetch_add(PART, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from(vec![b' '; PART]))
    });
    (Body::from_stream(parts), taken)
}

/// Row 13 of the hostile input: a chunked body without length, 10 GB, to every endpoint.
#[tokio::test(start_paused = true)]
async fn row_13_no_endpoint_reads_more_of_a_body_than_its_limit() {
    let bed = Bed::new().await;
    let table = plop_client_api::table();
    for (number, (method, template)) in table.listed().iter().filter(|row| row.0 != Method::GET).enumerate() {
        let user = bed.user(&format!("user{number}")).await;
        // Files have a limit of their own, and are never held whole.
        let file = usize::try_from(bed.api.media.max_upload()).expect("a size");
        let most = if template.starts_with("/_matrix/media/v3/upload") { file } else { MOST_BYTES };
        for (token, most) in [(None, STRANGER_BYTES), (Some(&user), most)] {
            let (body, taken) = endless();
            let mut call = bed.call(method.clone(), &path(template));
            *call.request.body_mut() = body;
            let call = if let Some(user) = token { call.by(user) } else { call };
            let answer = call.await;
            assert!(!answer.status.is_server_error(), "{method} {template}: {answer:?}");
            let taken = taken.load(Ordering::Relaxed);
            assert!(taken <= most + PART, "{method} {template} took {taken} bytes");
        }
    }
}

/// Row 17 of the hostile input: one byte per 10 s in a body.
#[tokio::test(start_paused = true)]
async fn row_17_a_body_that_drips_is_waited_for_as_long_as_its_sender_deserves() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    for (path, user, seconds) in
        [("/_matrix/client/v3/login", None, 15), ("/_matrix/client/v3/createRoom", Some(&alice), 60)]
    {
        let clock = bed.clock.clone();
        let drips = stream::repeat(()).then(move |()| {
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_secs(10)).await;
                Ok::<_, std::io::Error>(Bytes::from_static(b" "))
            }
        });
        let mut call = bed.post(path);
        *call.request.body_mut() = Body::from_stream(drips);
        let call = if let Some(user) = user { call.by(user) } else { call };
        let started = bed.clock.monotonic();
        call.await.refused(408, "M_UNKNOWN");
        let waited = bed.clock.monotonic().saturating_sub(started);
        assert_eq!(waited.as_secs(), seconds, "{path}");
    }
}

/// A body of which a part comes at once and the rest never does.
fn stuck(bytes: usize) -> Body {
    let part = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; bytes]))]);
    Body::from_stream(part.chain(stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn row_13_all_bodies_together_have_a_budget_and_strangers_do_not_take_that_of_users() {
    let bed = Bed::with(|choices| choices.bodies.all = 2 * MOST_BYTES).await;
    let alice = bed.user("alice").await;
    let send = |body: Body| {
        let mut call = bed.post("/_matrix/client/v3/createRoom").by(&alice);
        *call.request.body_mut() = body;
        call.into_future()
    };
    let login = |body: Body| {
        let mut call = bed.post("/_matrix/client/v3/login");
        *call.request.body_mut() = body;
        call.into_future()
    };
    // Strangers take all that is theirs, half a mebibyte.
    let mut strangers: Vec<_> = (0..8).map(|_| login(stuck(STRANGER_BYTES))).collect();
    for stranger in &mut strangers {
        assert!(stranger.as_mut().now_or_never().is_none());
    }
    login(Body::from("{}")).await.refused(429, "M_LIMIT_EXCEEDED");
    send(Body::from("{}")).await.ok();

    let mut users: Vec<_> = (0..2).map(|_| send(stuck(MOST_BYTES))).collect();
    for user in &mut users {
        assert!(user.as_mut().now_or_never().is_none());
    }
    let refused = send(Body::from("{}")).await;
    assert_eq!(refused.body["retry_after_ms"], 1_000);
    refused.refused(429, "M_LIMIT_EXCEEDED");
    // Who goes makes room.
    users.pop();
    send(Body::from("{}")).await.ok();
    drop(strangers);
    login(Body::from("{}")).await.refused(400, "M_BAD_JSON");
}
