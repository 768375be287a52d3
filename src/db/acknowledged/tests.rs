//! The file of what was acknowledged: torn, spoiled, of another database.

use super::*;

const ID: DatabaseId = [7; 16];

fn made() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("acknowledged");
    Acknowledged::create(&path, ID, 0).unwrap();
    (dir, path)
}

#[test]
fn the_highest_commit_comes_back() {
    let (_dir, path) = made();
    let mut file = Acknowledged::open(&path, ID).unwrap().unwrap();
    assert_eq!(file.commit(), 0);
    for commit in [1, 2, 9, 1 << 50] {
        file.advance(commit).unwrap();
        assert_eq!(Acknowledged::open(&path, ID).unwrap().unwrap().commit(), commit);
    }
}

#[test]
fn a_torn_slot_leaves_the_one_before_and_is_written_next() {
    let (_dir, path) = made();
    let mut file = Acknowledged::open(&path, ID).unwrap().unwrap();
    for commit in 1..=4 {
        file.advance(commit).unwrap();
    }
    let raw = File::options().write(true).open(&path).unwrap();
    // Commits 2 and 4 are in the first or second slot; spoil whichever holds 4.
    for slot in 0..SLOTS {
        if read_slot(&raw_reader(&path), slot, ID).unwrap() == Some(4) {
            raw.write_all_at(&[0xAA; 6], slot * SECTOR + 18).unwrap();
        }
    }
    let mut file = Acknowledged::open(&path, ID).unwrap().unwrap();
    assert_eq!(file.commit(), 3);
    file.advance(5).unwrap();
    assert_eq!(Acknowledged::open(&path, ID).unwrap().unwrap().commit(), 5);
    assert!((0..SLOTS).all(|slot| read_slot(&raw_reader(&path), slot, ID).unwrap().is_some()));
}

fn raw_reader(path: &Path) -> File {
    File::open(path).unwrap()
}

#[test]
fn another_database_an_empty_and_a_spoiled_file_are_none() {
    let (_dir, path) = made();
    assert!(Acknowledged::open(&path, [8; 16]).unwrap().is_none());
    std::fs::write(&path, [0; 8192]).unwrap();
    assert!(Acknowledged::open(&path, ID).unwrap().is_none());
    std::fs::write(&path, b"").unwrap();
    assert!(Acknowledged::open(&path, ID).unwrap().is_none());
}
