//! The index has every event once, whatever happens.

use std::fs;

use plop_bed::Ground;
use plop_db::{Batch, MemoryDisk};
use plop_search::Place;
use tantivy::directory::RamDirectory;

use crate::bed::{Bed, ask};

#[tokio::test(start_paused = true)]
async fn a_crash_loses_nothing_and_doubles_nothing() {
    let mut bed = Bed::new().await;
    let (one, two) = (bed.den("alice").await, bed.den("alice").await);
    for round in 0..4 {
        for number in 0..30 {
            let room = if number % 3 == 0 { &two } else { &one };
            let event = bed.say("alice", room, &format!("message {round} {number}")).await;
            if number % 10 == 9 {
                bed.redact("alice", room, &event).await;
            }
        }
        if round % 2 == 0 {
            bed.search.catch_up().await.expect("caught up");
        }
        bed = bed.crashed("plain").await;
        let expected = (round + 1) * 27;
        let found = bed.find("alice", &ask("message")).await;
        assert_eq!((found.count, bed.search.events()), (expected, expected), "round {round}");
    }
}

/// More than a piece, more than one commit's worth of rooms, and begun again in the middle.
#[tokio::test(start_paused = true)]
async fn a_pass_that_is_interrupted_goes_on() {
    let bed = Bed::new().await;
    for _ in 0..3 {
        let room = bed.den("alice").await;
        for number in 0..150 {
            bed.say("alice", &room, &format!("message {number}")).await;
        }
    }
    let search = bed.search.clone();
    for _ in 0..20 {
        // Whoever waits gives up at some moment or other.
        let work = search.catch_up();
        tokio::select! {
            biased;
            _ = work => {}
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(bed.find("alice", &ask("message")).await.hits.len(), 10);
    assert_eq!(bed.search.events(), 450);
    let bed = bed.crashed("plain").await;
    bed.search.catch_up().await.expect("caught up");
    assert_eq!(bed.search.events(), 450);
}

/// The index is then further than what is left of the database, and is not made anew for it: that takes hours of a large one.
#[tokio::test(start_paused = true)]
async fn a_power_cut_that_takes_relaxed_rows_leaves_the_index() {
    let (disk, folder) = (MemoryDisk::new(), tempfile::tempdir().expect("a folder"));
    let place = Place::Folder(folder.path().join("search"));
    let start = || Bed::on(Ground::on_disk(&disk, plop_bed_rooms::keyspaces(), 3), place.clone(), "plain");
    let bed = start().await;
    let room = bed.den("alice").await;
    for number in 0..4 {
        bed.say("alice", &room, &format!("message {number}")).await;
    }
    let durable = bed.ground.db.published();
    for _ in 0..50 {
        bed.ground.db.commit(Batch::relaxed()).await.expect("a commit");
    }
    assert!(bed.ground.db.published() > durable);
    bed.search.catch_up().await.expect("caught up");
    // The first process writes nothing more; ended in order it would sync.
    disk.lose_unsynced();
    drop(bed);
    let bed = start().await;
    assert_eq!(bed.search.events(), 4, "before anything is read again");
    bed.say("alice", &room, "message 4").await;
    let found = bed.find("alice", &ask("message")).await;
    assert_eq!((found.count, bed.search.events()), (5, 5));
}

/// More publications than the store keeps for those who are behind.
#[tokio::test(start_paused = true)]
async fn who_was_left_behind_looks_at_everything() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    bed.search.catch_up().await.expect("caught up");
    for number in 0..1_100 {
        bed.say("alice", &room, &format!("message {number}")).await;
    }
    bed.search.catch_up().await.expect("caught up");
    assert_eq!(bed.search.events(), 1_100);
}

#[tokio::test(start_paused = true)]
async fn an_index_of_something_else_is_made_anew() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    bed.say("alice", &room, "running").await;
    assert_eq!(bed.found("alice", "run").await.len(), 0);
    let bed = bed.crashed("english").await;
    assert_eq!(bed.found("alice", "run").await.len(), 1, "another language");
    let place = bed.place.clone();
    drop(bed);
    let other = Bed::on(Ground::new(plop_bed_rooms::keyspaces(), 9), place, "english").await;
    other.search.catch_up().await.expect("caught up");
    assert_eq!(other.search.events(), 0, "another database");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_index_is_made_anew_and_a_foreign_folder_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("search");
    let place = Place::Folder(path.clone());
    let bed = Bed::on(Ground::new(plop_bed_rooms::keyspaces(), 3), place.clone(), "plain").await;
    let room = bed.den("alice").await;
    bed.say("alice", &room, "hello").await;
    assert_eq!(bed.found("alice", "hello").await.len(), 1);
    let ground = bed.ground.clone();
    let mut bed = bed.crashed("plain").await;
    assert_eq!(bed.search.events(), 1, "it was committed");
    for damage in ["", "{", "{}"] {
        drop(bed);
        fs::write(path.join("meta.json"), damage).expect("written");
        bed = Bed::on(ground.restarted(), place.clone(), "plain").await;
        assert_eq!(bed.found("alice", "hello").await.len(), 1, "{damage:?}");
    }
    drop(bed);
    let foreign = folder.path().join("photos");
    fs::create_dir(&foreign).expect("a folder");
    fs::write(foreign.join("cat.png"), "x").expect("written");
    let bed = Bed::on(ground, Place::Memory(RamDirectory::create()), "plain").await;
    let parameters = plop_search::SearchParameters {
        place: Place::Folder(foreign.clone()),
        language: plop_search::language::Language::default(),
    };
    let refused = plop_search::Search::open(bed.rooms.clone(), bed.clock.clone(), parameters).await;
    assert!(refused.is_err() && foreign.join("cat.png").exists());
}
