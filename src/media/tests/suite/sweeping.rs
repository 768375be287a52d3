//! What goes by itself.

use std::time::Duration;

use plop_media::{BlobStore, OpenError, Quota, Retention, Settings};

use crate::bed::Bed;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(start_paused = true)]
async fn what_nobody_asks_for_goes_and_what_is_asked_for_stays() {
    let retention = Retention { uploads: Some(10 * DAY) };
    let settings = Settings { retention, quota: Quota { bytes: 10, files: 0 }, ..Settings::default() };
    let bed = Bed::with(BlobStore::memory(), settings);
    let (wanted, unwanted) = (bed.upload("alice", &[1; 5]).await, bed.upload("alice", &[2; 5]).await);
    let (wanted, unwanted) = (wanted.expect("an upload"), unwanted.expect("an upload"));
    for _ in 0..3 {
        bed.pass(4 * DAY).await;
        bed.find(&wanted).await.expect("the file");
        bed.media.sweep().await.expect("swept");
    }
    assert_eq!(bed.bytes(&wanted).await, [1; 5]);
    assert!(matches!(bed.find(&unwanted).await, Err(OpenError::NotFound)));
    bed.upload("alice", &[3; 5]).await.expect("what is gone counts no more");
    assert_eq!(bed.unplaced().await, 0);
    bed.check().await;
}

#[tokio::test(start_paused = true)]
async fn without_retention_everything_stays() {
    let bed = Bed::new();
    let file = bed.upload("alice", b"a").await.expect("an upload");
    bed.pass(1_000 * DAY).await;
    bed.media.sweep().await.expect("swept");
    assert_eq!(bed.bytes(&file).await, b"a");
}
