//! Each way to read that looks for an event, or follows from one to others. A way that is new gets its place here.

use super::reader::Reader;
use super::script::Script;
use super::{children, finding, outside, sliding};

/// All cells of the matrix for one visibility: the room is made once.
async fn every_way(visibility: &'static str) {
    let script = Script::play_whole(visibility).await;
    let mut wrong = Vec::new();
    for mut reader in Reader::all(&script) {
        children::relations(&mut reader).await;
        children::threads(&mut reader).await;
        children::bundles(&mut reader).await;
        finding::search(&mut reader).await;
        finding::times(&mut reader).await;
        finding::notifications(&mut reader).await;
        finding::members(&mut reader).await;
        finding::syncing(&mut reader);
        outside::outside(&mut reader).await;
        sliding::followed(&mut reader);
        sliding::first(&mut reader).await;
        finding::doing(&mut reader).await;
        wrong.extend(reader.wrong());
    }
    assert!(wrong.is_empty(), "{} cells are not as specified:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn row_76_every_way_into_a_world_readable_room() {
    every_way("world_readable").await;
}

#[tokio::test(start_paused = true)]
async fn row_76_every_way_into_a_room_with_shared_history() {
    every_way("shared").await;
}

#[tokio::test(start_paused = true)]
async fn row_76_every_way_into_a_room_with_history_for_the_invited() {
    every_way("invited").await;
}

#[tokio::test(start_paused = true)]
async fn row_76_every_way_into_a_room_with_history_for_the_joined() {
    every_way("joined").await;
}
