//! The laboratory's own tests: a cut loses exactly what was not synced, and faults hit what they are aimed at.

#![expect(clippy::disallowed_macros, reason = "children talk to these tests through their output")]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use plop_powerloss::{Class, Cut, Dice, Fault, Lab, Watched, child_folder, drain};

fn sync_dir(path: &Path) {
    File::open(path).unwrap().sync_all().unwrap();
}

#[test]
#[ignore = "a child of the tests below"]
fn child() {
    let Some(dir) = child_folder() else { return };
    let dir = dir.parent().unwrap();
    let create = |name: &str, bytes: &[u8]| {
        let mut file = File::create(dir.join(name)).unwrap();
        file.write_all(bytes).unwrap();
        file
    };
    create("kept", &[1; 3000]).sync_all().unwrap();
    create("old", b"old").sync_all().unwrap();
    create("gone", b"gone").sync_all().unwrap();
    create("replaced", b"before").sync_all().unwrap();
    fs::create_dir(dir.join("sub")).unwrap();
    sync_dir(dir);

    // Nothing below is synced, except for the bytes of "nameless" and of "partly".
    let kept = OpenOptions::new().write(true).open(dir.join("kept")).unwrap();
    kept.write_all_at(&[2; 2000], 500).unwrap();
    kept.write_all_at(&[3; 1000], 2800).unwrap();
    kept.set_len(3600).unwrap();
    fs::rename(dir.join("old"), dir.join("new")).unwrap();
    fs::remove_file(dir.join("gone")).unwrap();
    create("replaced.tmp", b"after").sync_all().unwrap();
    fs::rename(dir.join("replaced.tmp"), dir.join("replaced")).unwrap();
    create("nameless", b"bytes").sync_all().unwrap();
    let mut partly = create("sub/partly", b"synced");
    partly.sync_data().unwrap();
    partly.write_all(b" and not").unwrap();
    fs::copy(dir.join("kept"), dir.join("copy")).unwrap();
    println!("\ndone");
    std::process::abort();
}

#[test]
#[ignore = "a child of the tests below"]
fn removing_child() {
    let Some(dir) = child_folder() else { return };
    let dir = dir.parent().unwrap();
    fs::create_dir(dir.join("removed")).unwrap();
    fs::remove_dir(dir.join("removed")).unwrap();
    for i in 0..64 {
        fs::write(dir.join(format!("file{i}")), "bytes").unwrap();
        File::open(dir.join(format!("file{i}"))).unwrap().sync_all().unwrap();
    }
    sync_dir(dir);
    println!("\ndone");
    std::process::abort();
}

#[test]
#[ignore = "a child of the tests below"]
fn child_without_the_c_library() {
    let Some(dir) = child_folder() else { return };
    let dir = dir.parent().unwrap();
    for name in ["before", "gone", "replaced", "lost"] {
        fs::write(dir.join(name), name).unwrap();
    }
    for name in ["before", "gone", "replaced"] {
        rustix::fs::fsync(File::open(dir.join(name)).unwrap()).unwrap();
    }
    rustix::fs::fsync(File::open(dir).unwrap()).unwrap();
    rustix::fs::mkdir(dir.join("new"), rustix::fs::Mode::RWXU).unwrap();
    rustix::fs::rename(dir.join("before"), dir.join("new/after")).unwrap();
    rustix::fs::unlink(dir.join("gone")).unwrap();
    rustix::fs::link(dir.join("lost"), dir.join("another")).unwrap();
    rustix::fs::ftruncate(File::options().write(true).open(dir.join("replaced")).unwrap(), 3).unwrap();
    assert!(rustix::fs::rename(dir.join("nothing"), dir.join("x")).is_err());
    println!("\ndone");
    std::process::abort();
}

/// As a store of files does: a file gets its bytes under another name, in folders that are made for it.
#[test]
#[ignore = "a child of the tests below"]
fn storing_child() {
    let Some(dir) = child_folder() else { return };
    let media = dir.parent().unwrap().join("media");
    fs::set_permissions(dir.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    for (place, is_synced) in [("ab/cd", true), ("ab/ef", false)] {
        let folder = media.join(place);
        fs::create_dir_all(&folder).unwrap();
        let mut file = File::create(folder.join("blob#1")).unwrap();
        file.write_all(&[7; 5000]).unwrap();
        file.sync_all().unwrap();
        fs::set_permissions(folder.join("blob#1"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(folder.join("blob#1"), folder.join("blob")).unwrap();
        if is_synced {
            for folder in [&folder, &media.join("ab"), &media, media.parent().unwrap()] {
                sync_dir(folder);
            }
        }
        file.write_all(b"unsynced").unwrap();
    }
    println!("\ndone");
    std::process::abort();
}

fn after_cut(child: &str, cut: Cut, seed: u64) -> Lab {
    let mut lab = Lab::new();
    let output = lab.child(child).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("\ndone\n"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    lab.cut_power(cut, &mut Dice(seed));
    lab
}

fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_cut_of_all_leaves_what_was_synced() {
    let lab = after_cut("child", Cut::All, 1);
    let dir = lab.watched();
    assert_eq!(listing(&dir), ["gone", "kept", "old", "replaced", "sub"]);
    assert_eq!(fs::read(dir.join("kept")).unwrap(), [1; 3000]);
    assert_eq!(fs::read(dir.join("replaced")).unwrap(), b"before");
    assert_eq!(fs::read(dir.join("gone")).unwrap(), b"gone");
    assert_eq!(listing(&dir.join("sub")), [""; 0]);
}

#[test]
fn calls_that_pass_by_the_c_library_are_seen() {
    let lab = after_cut("child_without_the_c_library", Cut::All, 1);
    let dir = lab.watched();
    assert_eq!(listing(&dir), ["before", "gone", "lost", "replaced"]);
    for name in ["before", "gone", "replaced"] {
        assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), name);
    }
    assert_eq!(fs::read(dir.join("lost")).unwrap(), b"", "its bytes were never synced");
}

#[test]
fn folders_of_folders_lose_what_was_not_synced_in_each() {
    let lab = after_cut("storing_child", Cut::All, 1);
    let media = lab.watched().join("media");
    assert_eq!(listing(&media), ["ab"]);
    assert_eq!(listing(&media.join("ab")), ["cd"]);
    assert_eq!(fs::read(media.join("ab/cd/blob")).unwrap(), [7; 5000]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&media.join("ab/cd/blob")), mode(&lab.watched())), (0o600, 0o700));

    for seed in 0..8 {
        let lab = after_cut("storing_child", if seed % 2 == 0 { Cut::Some } else { Cut::Torn }, seed);
        let ab = lab.watched().join("media/ab");
        assert!(fs::read(ab.join("cd/blob")).unwrap().starts_with(&[7; 5000]));
        if let Ok(bytes) = fs::read(ab.join("ef/blob")) {
            assert!(bytes.starts_with(&[7; 5000]), "it was synced before it got its name");
        }
    }
}

#[test]
fn what_the_journal_has_not_seen_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("watched");
    fs::create_dir(&folder).unwrap();
    let mut watched = Watched::new(folder.clone(), dir.path().join("records"));
    watched.arm().unwrap();
    for i in 0..4 {
        fs::write(folder.join(i.to_string()), "unseen").unwrap();
    }
    let error = watched.cut_power(Cut::All, &mut Dice(1)).unwrap_err();
    assert!(error.to_string().contains("does not know"), "{error}");
}

/// The file system gives the number of a directory that is gone to one of the files.
#[test]
fn a_new_file_is_not_taken_for_a_removed_directory() {
    let lab = after_cut("removing_child", Cut::All, 1);
    assert_eq!(listing(&lab.watched()).len(), 64);
    for i in 0..64 {
        assert_eq!(fs::read(lab.watched().join(format!("file{i}"))).unwrap(), b"bytes");
    }
}

#[test]
fn cuts_of_some_and_torn_differ_by_seed_and_never_lose_what_was_synced() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..16 {
        let cut = if seed % 2 == 0 { Cut::Some } else { Cut::Torn };
        let lab = after_cut("child", cut, seed);
        let dir = lab.watched();
        let kept = fs::read(dir.join("kept")).unwrap();
        assert_eq!(kept[..500], [1; 500]);
        assert!(kept.len() >= 2800 && kept.len() <= 3800);
        assert!(kept[500..2500].iter().all(|b| [1, 2].contains(b)));
        let replaced = fs::read(dir.join("replaced")).unwrap();
        assert!(replaced == b"before" || replaced == b"after");
        assert!(dir.join("old").exists() || dir.join("new").exists());
        if let Ok(partly) = fs::read(dir.join("sub/partly")) {
            assert!(partly.starts_with(b"synced"));
        }
        outcomes.insert((kept, listing(&dir)));
    }
    assert!(outcomes.len() > 8, "{} outcomes", outcomes.len());
}

#[test]
#[ignore = "a child of the test below"]
fn failing_child() {
    let Some(dir) = child_folder() else { return };
    let dir = dir.parent().unwrap();
    let mut file = File::create(dir.join("log")).unwrap();
    for i in 0..4u8 {
        println!("\nwrite {i} {:?}", file.write(&[i; 10]).map_err(|e| e.raw_os_error()));
    }
    println!("sync {:?}", file.sync_all().map_err(|e| e.raw_os_error()));
    println!("rename {:?}", fs::rename(dir.join("log"), dir.join("other")).map_err(|e| e.raw_os_error()));
}

#[test]
fn the_kth_operation_fails_and_no_other() {
    let faults = [
        (Class::Write, 2, "write 1 Err(Some(5))", 35),
        (Class::Sync, 1, "sync Err(Some(5))", 40),
        (Class::Rename, 1, "rename Err(Some(5))", 40),
    ];
    for (class, from, line, bytes) in faults {
        let mut lab = Lab::new();
        let mut command = lab.child("failing_child");
        lab.fail(Some(Fault { class, from, times: 1, errno: libc::EIO, partial: true, name: "log" }));
        // A rename is known by its new name.
        if let Class::Rename = class {
            lab.fail(Some(Fault { class, from, times: 1, errno: libc::EIO, partial: true, name: "other" }));
        }
        let mut child = command.spawn().unwrap();
        let said = drain(child.stdout.take());
        assert!(child.wait().unwrap().success());
        assert_eq!(said.lines().filter(|l| l.contains("Err")).collect::<Vec<_>>(), [line], "{said}");
        assert_eq!(lab.fired(), 1);
        let name = if let Class::Rename = class { "log" } else { "other" };
        let size = fs::metadata(lab.watched().join(name)).unwrap().len();
        assert_eq!(size, bytes, "a failing write first writes half of its bytes");
    }
}
