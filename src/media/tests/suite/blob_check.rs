//! What `plop check` says of blobs.

use std::fs;
use std::path::{Path, PathBuf};

use plop_media::schema::MediaFiles;
use plop_media::{BlobReport, BlobStore, Settings, check_blobs};

use crate::bed::Bed;

struct Folder {
    bed: Bed,
    store: BlobStore,
    path: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        let path = tempfile::tempdir().expect("a folder");
        let store = BlobStore::folder(path.path(), 0).expect("a store");
        Self { bed: Bed::with(store.clone(), Settings::default()), store, path }
    }

    async fn report(&self) -> BlobReport {
        check_blobs(&self.bed.ground.db, &self.store).await.expect("a report")
    }

    /// The file of an upload.
    async fn file(&self, id: &str) -> PathBuf {
        let key = (plop_bed::server(), id.to_owned());
        let row = self.bed.ground.db.snapshot().get::<MediaFiles>(&key).await.expect("a row");
        let (folder, rest) = row.as_ref().expect("a file").blob.split_at(2);
        self.path.path().join(folder).join(rest)
    }
}

#[tokio::test]
async fn each_file_has_its_blob_with_its_length() {
    let folder = Folder::new();
    let mut files = Vec::new();
    for size in [0, 10, 3_000_000] {
        let id = folder.bed.upload("alice", &vec![7; size]).await.expect("an upload");
        files.push((id.clone(), folder.file(&id).await));
    }
    let sound = folder.report().await;
    assert!(sound.is_sound(), "{sound:?}");
    assert_eq!((sound.blobs, sound.bytes, sound.unnamed.count), (3, 3_000_010, 0));

    fs::remove_file(&files[1].1).expect("removed");
    fs::write(&files[2].1, "short").expect("written");
    let broken = folder.report().await;
    assert_eq!((broken.is_sound(), broken.broken.count, broken.unnamed.count), (false, 2, 0));
    let says =
        |id: &str, what: &str| broken.broken.kept.iter().any(|line| line.contains(id) && line.contains(what));
    assert!(says(&files[1].0, "is missing") && says(&files[2].0, "has 5 bytes, not 3000000"), "{broken:?}");
}

/// They are named and left alone; what the server is about to delete by itself is not even named.
#[tokio::test]
async fn blobs_without_a_row_are_named() {
    let folder = Folder::new();
    let id = folder.bed.upload("alice", b"a file").await.expect("an upload");
    let blob = folder.file(&id).await;
    let copy = |to: &Path| {
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(&blob, to).expect("a copy");
    };
    let strays = [folder.path.path().join("zz/stray"), folder.path.path().join("other")];
    for stray in &strays {
        copy(stray);
    }
    let report = folder.report().await;
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.blobs, report.unnamed.count, report.unnamed_bytes), (1, 2, 12));
    assert!(report.unnamed.kept.iter().any(|line| line.contains("zz/stray")), "{report:?}");
    assert!(strays.iter().all(|stray| stray.exists()));

    let mut begun = plop_db::Batch::durable();
    begun.put::<plop_media::schema::UnplacedBlobs>(&"zzstray".to_owned(), &plop_base::UnixMillis(0));
    folder.bed.ground.db.commit(begun).await.expect("committed");
    assert_eq!(folder.report().await.unnamed.count, 1);
}
