//! Folders that become a database, and folders that are refused as they are.

use std::collections::BTreeMap;

use super::*;

const SCHEMA: u32 = 3;

fn claim(path: &Path) -> Result<Folder, FolderError> {
    Folder::claim(path, SCHEMA, &Random::seeded(1))
}

/// A complete database folder with something in place of an engine.
fn made(path: &Path) -> Label {
    let mut folder = claim(path).unwrap();
    fs::create_dir(folder.engine()).unwrap();
    folder.complete().unwrap();
    folder.label()
}

fn contents(path: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(contents(&entry.path()));
        }
        found.insert(entry.path(), fs::read(entry.path()).ok());
    }
    found
}

fn refused_untouched(path: &Path) -> FolderError {
    let before = contents(path);
    let error = claim(path).unwrap_err();
    assert_eq!(contents(path), before, "{error}");
    error
}

#[test]
fn a_missing_and_an_empty_folder_become_a_database_that_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("a/b"), dir.path().join("c")] {
        let label = made(&path);
        assert_eq!(label.state, State::Live);
        assert_eq!(claim(&path).unwrap().label(), label);
        assert_eq!(claim(&path).unwrap().acknowledged().unwrap().commit(), 0);
    }
}

#[test]
fn a_foreign_folder_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("homework.txt"), "mine").unwrap();
    assert!(
        matches!(refused_untouched(dir.path()), FolderError::Foreign { entry, .. } if entry == "homework.txt")
    );
    fs::write(dir.path().join(LABEL), "another program's file of that name\n").unwrap();
    assert!(matches!(refused_untouched(dir.path()), FolderError::Foreign { entry, .. } if entry == LABEL));
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let label = made(dir.path());
    Label { schema: SCHEMA + 1, ..label }.store(dir.path()).unwrap();
    assert!(matches!(refused_untouched(dir.path()), FolderError::Newer { found: 4, newest: 3, .. }));
}

#[test]
fn a_half_empty_folder_is_refused_untouched() {
    for missing in [LABEL, ENGINE, ACKNOWLEDGED] {
        let dir = tempfile::tempdir().unwrap();
        made(dir.path());
        let path = dir.path().join(missing);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
        match refused_untouched(dir.path()) {
            FolderError::HalfEmpty { missing: found, .. } => assert_eq!(found, missing),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn every_changed_byte_of_the_label_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path());
    let path = dir.path().join(LABEL);
    let text = fs::read(&path).unwrap();
    for i in 0..text.len() {
        let mut spoiled = text.clone();
        spoiled[i] ^= 0x01;
        fs::write(&path, &spoiled).unwrap();
        let error = refused_untouched(dir.path());
        assert!(
            matches!(error, FolderError::Damaged { .. } | FolderError::Foreign { .. }),
            "byte {i}: {error}"
        );
    }
    for len in 0..text.len() {
        fs::write(&path, &text[..len]).unwrap();
        refused_untouched(dir.path());
    }
}

#[test]
fn a_database_that_was_never_completed_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let folder = claim(dir.path()).unwrap();
    fs::create_dir(folder.engine()).unwrap();
    fs::write(folder.engine().join("half"), "written").unwrap();
    drop(folder);
    let again = claim(dir.path()).unwrap();
    assert_eq!(again.label().state, State::Unfinished);
    assert!(!again.engine().exists());
}

#[test]
fn a_backup_is_not_opened_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let label = made(dir.path());
    Label { state: State::Backup, ..label }.store(dir.path()).unwrap();
    assert!(matches!(refused_untouched(dir.path()), FolderError::Backup { .. }));
}

#[test]
fn two_processes_cannot_hold_one_folder() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path());
    let held = claim(dir.path()).unwrap();
    assert!(matches!(claim(dir.path()), Err(FolderError::InUse { .. })));
    drop(held);
    claim(dir.path()).unwrap();
}

#[test]
fn generations_rise_and_schemas_never_sink() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path());
    let mut folder = claim(dir.path()).unwrap();
    folder.raise_generation().unwrap();
    folder.raise_schema(1).unwrap();
    let Label { schema, restore_generation, .. } = Label::load(dir.path()).unwrap();
    assert_eq!((schema, restore_generation), (SCHEMA, 1));
    Label { restore_generation: u16::MAX, ..folder.label() }.store(dir.path()).unwrap();
    drop(folder);
    let mut folder = claim(dir.path()).unwrap();
    assert!(matches!(folder.raise_generation(), Err(FolderError::GenerationsUsedUp { .. })));
}
