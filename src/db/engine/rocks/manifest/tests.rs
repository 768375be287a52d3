//! Which manifests are cut, and where.

use super::*;

/// A file as RocksDB writes it, and where each record ends.
struct Written {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Written {
    /// Records of these lengths, without a zero in them.
    fn with(lengths: &[usize]) -> Self {
        let mut written = Self { bytes: Vec::new(), ends: Vec::new() };
        for length in lengths {
            written.append(&(0..*length).map(|i| (i % 251) as u8 | 1).collect::<Vec<u8>>());
        }
        written
    }

    fn append(&mut self, mut payload: &[u8]) {
        let mut is_first = true;
        loop {
            let mut room = BLOCK - self.bytes.len() % BLOCK;
            if room < HEAD {
                self.bytes.resize(self.bytes.len() + room, 0);
                room = BLOCK;
            }
            let (fragment, rest) = payload.split_at(payload.len().min(room - HEAD));
            let kind = match (is_first, rest.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            let covered = [&[kind], fragment].concat();
            self.bytes.extend(masked(crc32c(&covered)).to_le_bytes());
            self.bytes.extend((fragment.len() as u16).to_le_bytes());
            self.bytes.extend(covered);
            (payload, is_first) = (rest, false);
            if rest.is_empty() {
                break self.ends.push(self.bytes.len());
            }
        }
    }
}

fn torn(bytes: &[u8]) -> Option<usize> {
    torn_after(bytes).unwrap().map(|end| end as usize)
}

/// Short ones, one that fills some sectors, ones that cross blocks, and an end of a block that is too short for a head.
const LENGTHS: [usize; 9] = [100, 30, 900, 70_000, 5, 300, 27_700, 2_000, 64];

#[test]
fn the_checksum_is_the_known_one() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn a_whole_file_and_one_that_is_short_stay() {
    let written = Written::with(&LENGTHS);
    for length in (0..=written.bytes.len()).rev().step_by(37).chain(written.ends.iter().copied()) {
        assert_eq!(torn(&written.bytes[..length]), None, "{length} bytes");
    }
}

#[test]
fn records_that_miss_a_sector_are_cut_with_all_that_comes_after() {
    let written = Written::with(&LENGTHS);
    // Everything up to here was synced, and so cannot be missing.
    for synced in &written.ends {
        for sector in (synced / SECTOR * SECTOR..written.bytes.len()).step_by(SECTOR) {
            let lost = sector.max(*synced)..written.bytes.len().min(sector + SECTOR);
            // The empty end of a block loses nothing.
            if written.bytes[lost.clone()].iter().all(|byte| *byte == 0) {
                continue;
            }
            let mut bytes = written.bytes.clone();
            bytes[lost.clone()].fill(0);
            let whole = written.ends.iter().rev().find(|end| **end <= lost.start);
            assert_eq!(torn(&bytes), whole.copied(), "synced {synced}, lost {lost:?}");
        }
    }
}

#[test]
fn a_flipped_bit_stays() {
    let written = Written::with(&LENGTHS);
    for at in (0..written.bytes.len()).step_by(13) {
        let mut bytes = written.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        assert_eq!(torn(&bytes), None, "at {at}");
    }
}

#[test]
fn a_file_without_a_whole_record_stays() {
    let mut bytes = Written::with(&[900]).bytes;
    bytes[512..].fill(0);
    assert_eq!(torn(&bytes), None);
}
