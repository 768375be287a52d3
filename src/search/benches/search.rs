//! Search over 100,000 messages in 50 rooms of one user.

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use plop_bed::{Ground, user};
use plop_bed_rooms::RoomBed;
use plop_search::language::Language;
use plop_search::{Ask, Key, Order, Place, Search, SearchParameters};
use tantivy::directory::RamDirectory;
use tokio::runtime::Runtime;

const ROOMS: usize = 50;
const MESSAGES: usize = 100_000;
/// Words of the texts. The rank of a word says how often it is used, as in real texts.
const WORDS: usize = 5_000;

async fn filled() -> Search {
    let bed = RoomBed::on(Ground::new(plop_bed_rooms::keyspaces(), 1)).await;
    let place = Place::Memory(RamDirectory::create());
    let parameters = SearchParameters { place, language: Language::default() };
    let search = Search::open(bed.rooms.clone(), bed.clock.clone(), parameters).await.expect("an index");
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(bed.room("alice").await);
    }
    for number in 0..MESSAGES {
        let mut text = String::new();
        for _ in 0..12 {
            let part = bed.random.u64() % 1_000_000 + 1;
            let rank = WORDS as u64 * part / 1_000_000 * part / 1_000_000 * part / 1_000_000;
            text.push_str(&format!("word{rank} "));
        }
        bed.say("alice", &rooms[number % ROOMS], &text).await;
    }
    search.catch_up().await.expect("an index of everything");
    search
}

fn search(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let search = runtime.block_on(filled());
    let alice = user("alice");
    for (name, term) in
        [("rare word", "word4321"), ("common word", "word0"), ("three words", "word0 word1 word7")]
    {
        for (by, order) in [("rank", Order::Rank), ("recent", Order::Recent)] {
            let keys = BTreeSet::from(Key::ALL);
            let ask = Ask { term: term.to_owned(), keys, order, limit: 10, ..Ask::default() };
            criterion.bench_function(&format!("search 100,000 messages: {name} by {by}"), |bencher| {
                bencher
                    .to_async(&runtime)
                    .iter(async || black_box(search.find(&alice, &ask).await.expect("results")));
            });
        }
    }
}

criterion_group!(benches, search);
criterion_main!(benches);
