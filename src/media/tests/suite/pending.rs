//! Files that are announced first.

use std::time::Duration;

use futures_util::FutureExt as _;
use plop_bed::{server, user};
use plop_media::{BlobStore, CreateError, OpenError, Settings, Upload, UploadError};

use crate::bed::{Bed, body};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(start_paused = true)]
async fn whoever_waits_gets_the_file_when_it_comes() {
    let bed = Bed::new();
    let created = bed.media.create(&user("alice")).await.expect("announced");
    let (here, wait) = (server(), Duration::from_secs(20));
    let mut waiting = Box::pin(bed.media.find(&here, &created.id, wait));
    assert!((&mut waiting).now_or_never().is_none());
    let alice = user("alice");
    let upload = bed.media.upload_to(&alice, &created.id, Upload::default(), body(b"a"));
    let (found, uploaded) = futures_util::join!(waiting, upload);
    uploaded.expect("uploaded");
    assert_eq!(found.expect("the file").row.size, 1);
    assert_eq!(bed.bytes(&created.id).await, b"a");
    bed.check().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_asked_and_nobody_for_ever() {
    let bed = Bed::new();
    let created = bed.media.create(&user("alice")).await.expect("announced");
    let clock = &bed.ground.clock;
    for (asked, waited) in [(5, 5), (100_000, 60)] {
        let begun = clock.monotonic();
        let outcome = bed.media.find(&server(), &created.id, Duration::from_secs(asked)).await;
        assert!(matches!(outcome, Err(OpenError::NotYetUploaded)));
        assert_eq!((clock.monotonic() - begun).as_secs(), waited);
    }
    assert!(matches!(bed.find("unannounced").await, Err(OpenError::NotFound)));
    bed.pass(DAY).await;
    assert!(matches!(bed.find(&created.id).await, Err(OpenError::NotFound)), "it has expired");
}

/// Row 112 of the hostile input.
#[tokio::test(start_paused = true)]
async fn row_112_announcements_are_limited_and_belong_to_their_user() {
    let bed = Bed::with(BlobStore::memory(), Settings { max_pending: 3, ..Settings::default() });
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(bed.media.create(&user("alice")).await.expect("announced").id);
        bed.pass(Duration::from_secs(60)).await;
    }
    let Err(CreateError::TooMany { retry_after }) = bed.media.create(&user("alice")).await else {
        panic!("a fourth one");
    };
    assert_eq!(retry_after, DAY - Duration::from_secs(180), "until the first one expires");
    bed.media.create(&user("bob")).await.expect("another user");

    let upload = async |name: &str, id: &str| {
        bed.media.upload_to(&user(name), id, Upload::default(), body(b"a")).await
    };
    assert!(matches!(upload("bob", &ids[0]).await, Err(UploadError::NotYours)));
    assert!(matches!(upload("alice", "unannounced").await, Err(UploadError::NotPending)));
    upload("alice", &ids[0]).await.expect("uploaded");
    assert!(matches!(upload("alice", &ids[0]).await, Err(UploadError::AlreadyUploaded)));
    assert!(matches!(upload("bob", &ids[0]).await, Err(UploadError::NotYours)));
    let both = futures_util::join!(upload("alice", &ids[1]), upload("alice", &ids[1]));
    assert!(both.0.is_ok() ^ both.1.is_ok(), "one of them is the file: {both:?}");
    bed.media.create(&user("alice")).await.expect("there is room again");

    bed.pass(DAY).await;
    assert!(matches!(upload("alice", &ids[2]).await, Err(UploadError::NotPending)), "it has expired");
    for _ in 0..3 {
        bed.media.create(&user("alice")).await.expect("expired ones count no more");
    }
    bed.media.sweep().await.expect("swept");
    assert_eq!(bed.unplaced().await, 0);
    bed.check().await;
}
