//! A workload whose every trace can be checked: what was acknowledged is there whole, nothing is there in part, no position is given twice.
//!
//! Each writer commits batches numbered 0, 1, 2 ...; each batch touches several tables. [`Ledger`] keeps what was acknowledged
//! over all crashes and compares it with what a reopened database holds.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use plop_base::Random;
use plop_db::{Batch, CommitError, Counter, Db, Direction, KeyRange, Keyspace, Options, Position, Receipt};

plop_db::keyspaces! {
    pub const KEYSPACES;
    /// The payload of each batch.
    pub Cells = 100 "cells" Point { (u32, u64) => Vec<u8> }
    /// The batches of a writer in the order of their positions.
    pub Arrivals = 101 "arrivals" Scan { (u32, Position) => u64 } stream u32
    /// How many batches a writer has in the store.
    pub Tally = 102 "tally" Counter { u32 => Counter }
    /// Every seventh batch also has a large row.
    pub Big = 103 "big" Large { (u32, u64) => Vec<u8> }
    /// Each batch replaces the row of the one before.
    pub Newest = 104 "newest" Queue { (u32, u64) => Position }
}

/// Writers with even numbers are durable, the others relaxed.
pub const WRITERS: u32 = 6;

pub fn is_durable(writer: u32) -> bool {
    writer.is_multiple_of(2)
}

pub fn options(folder: &Path) -> Options {
    let mut options = Options::new(folder, KEYSPACES.to_vec());
    options.cache_bytes = 2 << 20;
    options
}

pub fn open(folder: &Path) -> Result<Db, plop_db::OpenError> {
    Db::open(options(folder), &Random::system())
}

/// What batch `number` of a writer holds.
fn payload(writer: u32, number: u64) -> Vec<u8> {
    let length = (number * 131 + u64::from(writer) * 37) % 1500;
    (0..length).map(|i| (i * 7 + number + u64::from(writer)) as u8).collect()
}

fn big(number: u64) -> Option<Vec<u8>> {
    (number % 7 == 3).then(|| vec![(number as u8) | 1; 20_000 + (number as usize * 997) % 40_000])
}

/// The batch that a writer commits as its `number`th.
pub fn batch(writer: u32, number: u64) -> Batch {
    let mut batch = if is_durable(writer) { Batch::durable() } else { Batch::relaxed() };
    batch.expect::<Cells>(&(writer, number), None);
    batch.put::<Cells>(&(writer, number), &payload(writer, number));
    batch.append::<Arrivals>(&writer, &(writer, Position::pending(0)), &number);
    batch.add::<Tally>(&writer, 1);
    if let Some(big) = big(number) {
        batch.put::<Big>(&(writer, number), &big);
    }
    if let Some(before) = number.checked_sub(1) {
        batch.expect::<Cells>(&(writer, before), Some(&payload(writer, before)));
        batch.delete::<Newest>(&(writer, before));
    }
    batch.put::<Newest>(&(writer, number), &Position::pending(0));
    batch
}

/// How many batches of a writer the store holds.
pub async fn count_of(db: &Db, writer: u32) -> u64 {
    db.snapshot().get::<Tally>(&writer).await.unwrap().map_or(0, |count| count.0 as u64)
}

/// When a writer ends by itself; at a refusal in any case.
#[derive(Clone, Copy)]
pub enum Until {
    Refused,
    Batches(u64),
}

/// Commits, a few batches of each writer in flight; prints each acknowledgement on stdout.
pub async fn write(db: &Db, until: Until) {
    let limit = match until {
        Until::Refused => u64::MAX / 2,
        Until::Batches(count) => count,
    };
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let db = db.clone();
        writers.spawn(async move {
            let from = count_of(&db, writer).await;
            let mut in_flight: std::collections::VecDeque<(u64, Receipt)> = Default::default();
            for number in from..from + limit {
                match db.submit(batch(writer, number), |_| ()).await {
                    Ok(receipt) => in_flight.push_back((number, receipt)),
                    Err(error) => return say_refused(writer, number, &error),
                }
                if in_flight.len() > (writer as usize) * 2 {
                    let (number, receipt) = in_flight.pop_front().unwrap();
                    match receipt.await {
                        Ok(committed) => say_acknowledged(writer, number, committed.position),
                        Err(error) => return say_refused(writer, number, &error),
                    }
                }
            }
            for (number, receipt) in in_flight {
                match receipt.await {
                    Ok(committed) => say_acknowledged(writer, number, committed.position),
                    Err(error) => return say_refused(writer, number, &error),
                }
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
}

fn say_acknowledged(writer: u32, number: u64, position: Position) {
    let hex: String = position.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    // One write for each line, so that a kill leaves whole ones.
    std::io::stdout().lock().write_all(format!("\nack {writer} {number} {hex}\n").as_bytes()).unwrap();
}

fn say_refused(writer: u32, number: u64, error: &CommitError) {
    std::io::stdout()
        .lock()
        .write_all(format!("\nrefused {writer} {number} {error:?}\n").as_bytes())
        .unwrap();
}

/// What must be true, over all crashes.
#[derive(Default)]
pub struct Ledger {
    acknowledged: BTreeMap<(u32, u64), Position>,
    /// Every position ever seen, acknowledged or stored, and whose it is.
    seen: BTreeMap<Position, (u32, u64)>,
    highest_before: Option<Position>,
    highest: Option<Position>,
    /// Whether relaxed batches are held to it too: a killed process loses none of them.
    pub relaxed_too: bool,
}

impl Ledger {
    /// Takes in what a child printed, and says how many of its acknowledgements are held to it.
    pub fn read(&mut self, said: &str) -> Result<u64, String> {
        self.highest_before = self.highest;
        let mut count = 0;
        let whole_lines = said.rfind('\n').map_or("", |end| &said[..end]);
        for line in whole_lines.lines().filter_map(|line| line.strip_prefix("ack ")) {
            let mut words = line.split(' ');
            let mut word = || words.next().ok_or(format!("half a line: {line}"));
            let (writer, number): (u32, u64) = (word()?.parse().unwrap(), word()?.parse().unwrap());
            let hex = word()?;
            let bytes: Vec<u8> =
                (0..12).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
            let position = Position::from_bytes(bytes.try_into().unwrap());
            self.see(position, (writer, number))?;
            if self.highest_before.is_some_and(|before| position <= before) {
                return Err(format!(
                    "{position:?} was given out after a restart that had seen {:?}",
                    self.highest_before
                ));
            }
            if is_durable(writer) || self.relaxed_too {
                self.acknowledged.insert((writer, number), position);
                count += 1;
            }
        }
        Ok(count)
    }

    /// Takes in one acknowledgement.
    pub fn acknowledge(&mut self, writer: u32, number: u64, position: Position) {
        self.see(position, (writer, number)).unwrap();
        self.acknowledged.insert((writer, number), position);
    }

    /// The highest position seen so far.
    pub fn highest(&self) -> Position {
        self.highest.unwrap_or(Position::START)
    }

    fn see(&mut self, position: Position, whose: (u32, u64)) -> Result<(), String> {
        self.highest = self.highest.max(Some(position));
        match self.seen.insert(position, whose) {
            Some(other) if other != whose => {
                Err(format!("{position:?} was given to {other:?} and to {whose:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Compares with what the database holds.
    pub async fn compare(&mut self, db: &Db) -> Result<(), String> {
        let cells = rows::<Cells>(db).await?;
        let arrivals = rows::<Arrivals>(db).await?;
        let bigs = rows::<Big>(db).await?;
        let newest = rows::<Newest>(db).await?;
        let mut stored: BTreeMap<(u32, u64), Position> = BTreeMap::new();
        for ((writer, position), number) in &arrivals {
            stored.insert((*writer, *number), *position);
            self.see(*position, (*writer, *number))?;
        }
        for (key, position) in &self.acknowledged {
            match stored.get(key) {
                Some(found) if found == position => {}
                found => return Err(format!("acknowledged {key:?} at {position:?} is lost: {found:?}")),
            }
        }
        if cells.len() != stored.len() || arrivals.len() != stored.len() {
            return Err(format!(
                "{} cells, {} arrivals, {} batches",
                cells.len(),
                arrivals.len(),
                stored.len()
            ));
        }
        let bigs: BTreeMap<_, _> = bigs.into_iter().collect();
        for ((writer, number), value) in cells {
            let whole = value == payload(writer, number)
                && stored.contains_key(&(writer, number))
                && bigs.get(&(writer, number)) == big(number).as_ref();
            if !whole {
                return Err(format!("batch {number} of writer {writer} is there in part"));
            }
        }
        for writer in 0..WRITERS {
            let of_writer: Vec<_> = stored.range((writer, 0)..=(writer, u64::MAX)).collect();
            let count = of_writer.len() as u64;
            if count_of(db, writer).await != count
                || of_writer.last().is_some_and(|((_, n), _)| n + 1 != count)
            {
                return Err(format!("writer {writer}: the tally does not fit {count} batches"));
            }
            if of_writer.windows(2).any(|pair| pair[0].1 >= pair[1].1) {
                return Err(format!("writer {writer}: positions do not rise"));
            }
            let newest: Vec<_> = newest.iter().filter(|((w, _), _)| *w == writer).collect();
            let expected: Vec<_> =
                of_writer.last().into_iter().map(|(key, position)| (**key, **position)).collect();
            if newest.iter().map(|(key, position)| (*key, *position)).collect::<Vec<_>>() != expected {
                return Err(format!("writer {writer}: newest is {newest:?}, not {expected:?}"));
            }
        }
        if bigs.keys().any(|key| !stored.contains_key(key)) {
            return Err("a large row without its batch".to_owned());
        }
        Ok(())
    }
}

/// All rows of a keyspace.
pub async fn rows<K: Keyspace>(db: &Db) -> Result<Vec<(K::Key, K::Value)>, String>
where
    K::Key: Clone,
{
    let snapshot = db.snapshot();
    let mut range = KeyRange::<K>::all();
    let mut rows = Vec::new();
    loop {
        let page = snapshot
            .scan(range.clone(), Direction::Forward, 1000)
            .await
            .map_err(|error| error.to_string())?;
        rows.extend(page.rows);
        match rows.last() {
            Some((last, _)) if page.more => range = range.after(last),
            _ => return Ok(rows),
        }
    }
}
