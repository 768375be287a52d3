//! Files come in.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use plop_base::{Actor, Clock};
use plop_bed::{id, user};
use plop_media::{
    BlobStore, MAX_FILE_NAME_BYTES, NotReceived, OpenError, Quota, Settings, Upload, UploadError,
};
use ruma::owned_device_id;

use crate::bed::{Bed, body};

/// Names of files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() { files(&path) } else { vec![path.to_string_lossy().into_owned()] }
        })
        .collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn what_goes_in_comes_out_and_ranges_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let stores = [BlobStore::memory(), BlobStore::folder(&folder.path().join("media"), 0).expect("a store")];
    for blobs in stores {
        let bed = Bed::with(blobs, Settings::default());
        // Of several parts, of one, of none.
        for size in [3_000_000, 10, 0] {
            let bytes: Vec<u8> = (0..size).map(|at: u32| (at % 251) as u8).collect();
            let id = bed.upload("alice", &bytes).await.expect("an upload");
            assert_eq!(bed.bytes(&id).await, bytes);
            let found = bed.find(&id).await.expect("a file");
            assert_eq!((found.row.size, found.row.blob.len()), (u64::from(size), 32));
            if size > 5 {
                let part = bed.media.read(&found, Some(2..5)).await.expect("a part");
                let part: Vec<_> = part.collect().await;
                assert_eq!(part.concat_bytes(), bytes[2..5]);
            }
        }
        assert_eq!(bed.unplaced().await, 0);
        bed.check().await;
    }
}

trait Concat {
    fn concat_bytes(self) -> Vec<u8>;
}

impl<E: std::fmt::Debug> Concat for Vec<Result<Bytes, E>> {
    fn concat_bytes(self) -> Vec<u8> {
        self.into_iter().flat_map(|part| part.expect("a part").to_vec()).collect()
    }
}

/// Row 106 of the hostile input: names are random, whatever ids and file names say.
#[tokio::test(start_paused = true)]
async fn row_106_files_are_under_the_root_only_and_no_id_is_a_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("media");
    let bed = Bed::with(BlobStore::folder(&root, 0).expect("a store"), Settings::default());
    let named = Upload { file_name: Some("../../../etc/x".to_owned()), ..Upload::default() };
    bed.media.upload(&user("alice"), named, body(b"a")).await.expect("an upload");
    let all = files(folder.path());
    assert_eq!(all.len(), 1);
    let inside = all[0].strip_prefix(root.to_str().expect("text")).expect("below the root");
    assert!(inside.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '/'), "{inside}");
    let long = "a".repeat(300);
    for id in ["", "../../etc/x", "%2e%2e", "/etc/passwd", "a\0", "a.b", "ä", "CON ", long.as_str()] {
        assert!(matches!(bed.find(id).await, Err(OpenError::NotFound)), "{id:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_cut_off_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = BlobStore::folder(folder.path(), 0).expect("a store");
    let bed = Bed::with(blobs, Settings { max_upload: 2_000_000, ..Settings::default() });
    bed.upload("alice", &[1; 2_000_000]).await.expect("as large as allowed");
    let over = bed.upload("alice", &[1; 2_000_001]).await;
    assert!(matches!(over, Err(UploadError::NotReceived(NotReceived::TooLarge))));
    let announced = Upload { announced: Some(2_000_001), ..Upload::default() };
    let over = bed.media.upload(&user("alice"), announced, stream::pending::<Result<Bytes, String>>()).await;
    assert!(
        matches!(over, Err(UploadError::NotReceived(NotReceived::TooLarge))),
        "who says so is not waited for"
    );
    assert_eq!((files(folder.path()).len(), bed.unplaced().await), (1, 0));
}

/// Row 113 of the hostile input: the connection breaks, the client goes, the process is killed.
#[tokio::test(start_paused = true)]
async fn row_113_half_a_file_is_no_file_and_what_is_left_of_it_is_swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = BlobStore::folder(folder.path(), 0).expect("a store");
    let bed = Bed::with(blobs.clone(), Settings::default());
    let half = || stream::iter([Ok(Bytes::from(vec![1; 2_000_000]))]);
    let broken = half().chain(stream::iter([Err("reset".to_owned())]));
    let outcome = bed.media.upload(&user("alice"), Upload::default(), broken).await;
    assert!(matches!(outcome, Err(UploadError::NotReceived(NotReceived::Broken(_)))));
    assert_eq!((files(folder.path()).len(), bed.unplaced().await), (0, 0));

    // The process ends in the middle: nobody takes anything back.
    let stalled = half().chain(stream::pending()).map(|part: Result<Bytes, String>| part);
    let actor = user("alice");
    let mut upload = Box::pin(bed.media.upload(&actor, Upload::default(), Box::pin(stalled)));
    while files(folder.path()).is_empty() {
        assert!((&mut upload).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    std::mem::forget(upload);
    assert!(files(folder.path())[0].ends_with("#1"), "nothing has its name yet");
    let restarted = bed.ground.restarted();
    let bed = Bed { media: Bed::media(&restarted, blobs, Settings::default()), ground: restarted };
    bed.media.sweep().await.expect("swept");
    assert_eq!((files(folder.path()).len(), bed.unplaced().await), (1, 1), "it might still be written");
    bed.pass(Duration::from_secs(24 * 60 * 60)).await;
    bed.media.sweep().await.expect("swept");
    assert_eq!((files(folder.path()).len(), bed.unplaced().await), (0, 0));
}

/// The sweep goes by the wall clock, which may be set right while a file comes in: what it gives up is no file.
#[tokio::test(start_paused = true)]
async fn a_blob_that_the_sweep_gave_up_is_placed_no_more() {
    // The blob appears when it is finished, after the sweep looked for it.
    let blobs = BlobStore::memory();
    let bed = Bed::with(blobs.clone(), Settings::default());
    let mut tomorrow = bed.ground.clone();
    tomorrow.clock = Clock::simulated(bed.ground.clock.now().plus(Duration::from_secs(24 * 60 * 60)));
    let later = Bed::media(&tomorrow, blobs, Settings::default());
    let sweeps = stream::once(async move {
        later.sweep().await.expect("swept");
        Ok(Bytes::from(vec![2; 10]))
    });
    let body = stream::iter([Ok::<_, String>(Bytes::from(vec![1; 2_000_000]))]).chain(sweeps);
    let outcome = bed.media.upload(&user("alice"), Upload::default(), Box::pin(body)).await;
    assert!(matches!(outcome, Err(UploadError::NotReceived(NotReceived::TooSlow))), "{outcome:?}");
    assert_eq!(bed.unplaced().await, 0);
    bed.check().await;
}

/// Row 113 of the hostile input: a full disk.
#[tokio::test(start_paused = true)]
async fn row_113_a_disk_without_room_takes_no_files_and_gives_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let bed = Bed::with(BlobStore::folder(folder.path(), 0).expect("a store"), Settings::default());
    let file = bed.upload("alice", b"a").await.expect("an upload");
    let full = BlobStore::folder(folder.path(), u64::MAX).expect("a store");
    let bed = Bed { media: Bed::media(&bed.ground, full, Settings::default()), ground: bed.ground };
    let outcome = bed.upload("alice", b"b").await;
    assert!(matches!(outcome, Err(UploadError::NotReceived(NotReceived::Full))));
    assert_eq!(bed.bytes(&file).await, b"a");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_or_too_slowly_is_not_waited_for() {
    let bed = Bed::new();
    let actor = user("alice");
    let silent = stream::pending::<Result<Bytes, String>>();
    let outcome = bed.media.upload(&actor, Upload::default(), silent).await;
    assert!(matches!(outcome, Err(UploadError::NotReceived(NotReceived::TooSlow))));
    // A byte every 20 seconds is never silent.
    let clock = bed.ground.clock.clone();
    let drip = Box::pin(stream::unfold(clock.clone(), |clock| async move {
        clock.sleep(Duration::from_secs(20)).await;
        Some((Ok::<_, String>(Bytes::from_static(b"a")), clock))
    }));
    let begun = clock.monotonic();
    let outcome = bed.media.upload(&actor, Upload::default(), drip).await;
    assert!(matches!(outcome, Err(UploadError::NotReceived(NotReceived::TooSlow))));
    assert!(clock.monotonic() - begun < Duration::from_secs(120));
    assert_eq!(bed.unplaced().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_user_has_so_much_and_so_many_and_the_next_one_too() {
    let quota = Quota { bytes: 100, files: 3 };
    let bed = Bed::with(BlobStore::memory(), Settings { quota, ..Settings::default() });
    bed.upload("alice", &[1; 60]).await.expect("an upload");
    assert!(matches!(bed.upload("alice", &[1; 41]).await, Err(UploadError::Quota)));
    bed.upload("alice", &[1; 40]).await.expect("all of it");
    assert!(matches!(bed.upload("alice", &[1]).await, Err(UploadError::Quota)));
    bed.upload("bob", &[]).await.expect("an upload");
    bed.upload("bob", &[]).await.expect("an upload");
    bed.upload("bob", &[]).await.expect("an upload");
    assert!(matches!(bed.upload("bob", &[]).await, Err(UploadError::Quota)));
    // At the same time: each looks before the other has written.
    let both = futures_util::join!(bed.upload("carol", &[1; 60]), bed.upload("carol", &[1; 60]));
    assert!(both.0.is_ok() ^ both.1.is_ok());
    assert_eq!(bed.unplaced().await, 0, "what was refused late left no blob");
    bed.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_user_uploads_some_at_a_time() {
    let bed = Bed::new();
    let actor = user("alice");
    let mut stalled: Vec<_> = (0..8)
        .map(|_| {
            let never = stream::pending::<Result<Bytes, String>>();
            Box::pin(bed.media.upload(&actor, Upload::default(), never))
        })
        .collect();
    for upload in &mut stalled {
        assert!(upload.now_or_never().is_none());
    }
    assert!(matches!(bed.upload("alice", b"a").await, Err(UploadError::Busy)));
    bed.upload("bob", b"a").await.expect("another user");
    stalled.pop();
    bed.upload("alice", b"a").await.expect("a place");
}

#[tokio::test(start_paused = true)]
async fn guests_and_the_server_upload_nothing_and_names_are_bounded() {
    let bed = Bed::new();
    let guest = Actor::Guest { user: id("guest"), device: owned_device_id!("D") };
    for actor in [guest, Actor::Server] {
        let outcome = bed.media.upload(&actor, Upload::default(), body(b"a")).await;
        assert!(matches!(outcome, Err(UploadError::Forbidden)));
    }
    let named = |length| Upload { file_name: Some("a".repeat(length)), ..Upload::default() };
    let outcome = bed.media.upload(&user("alice"), named(MAX_FILE_NAME_BYTES + 1), body(b"a")).await;
    assert!(matches!(outcome, Err(UploadError::NameTooLong)));
    bed.media.upload(&user("alice"), named(MAX_FILE_NAME_BYTES), body(b"a")).await.expect("an upload");
    // What cannot be a header is no content type.
    for content_type in ["image/png\r\nX: y", "ä", "", &"a".repeat(256)] {
        let upload = Upload { content_type: Some(content_type.to_owned()), ..Upload::default() };
        let id = bed.media.upload(&user("alice"), upload, body(b"a")).await.expect("an upload");
        assert_eq!(bed.find(&id).await.expect("a file").row.content_type, None, "{content_type:?}");
    }
}
