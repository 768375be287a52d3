//! The seeds of each target and what is near them, the same inputs each time: so the targets stay true where nobody fuzzes.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use plop_base::Random;
use plop_fuzz::TARGETS;

/// Inputs made of each seed.
const VARIANTS: usize = 300;

/// Pieces that parsers trip over.
const PIECES: [&[u8]; 14] = [
    b"\0",
    b"\0\0",
    b"\0\xff",
    b"\xff\xff\xff\xff",
    b"\x08\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"[[[[[[[[",
    b"1e400",
    b"-0",
    b"9007199254740992",
    b"null",
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder("seeds").join(target)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A seed with one to four changes.
fn variant(seeds: &[Vec<u8>], seed: &[u8], random: &Random) -> Vec<u8> {
    let below = |bound: usize| random.below(bound as u64) as usize;
    let mut data = seed.to_vec();
    for _ in 0..=below(4) {
        let at = below(data.len() + 1);
        match below(6) {
            0 => data.truncate(at),
            1 if at < data.len() => data[at] ^= 1 << below(8),
            2 if at < data.len() => data[at] = random.u64() as u8,
            3 if at < data.len() => drop(data.drain(at..(at + 1 + below(8)).min(data.len()))),
            4 => {
                let other = &seeds[below(seeds.len())];
                data.splice(at.., other[below(other.len() + 1)..].iter().copied());
            }
            _ => {
                data.splice(at..at, PIECES[below(PIECES.len())].iter().copied());
            }
        }
    }
    data
}

#[test]
fn nothing_near_the_seeds_breaks_a_target() {
    for (name, target) in TARGETS {
        let (seeds, random) = (seeds(name), Random::seeded(1));
        assert!(seeds.len() > 2, "{name} has {} seeds", seeds.len());
        for seed in &seeds {
            for data in
                [seed.clone()].into_iter().chain((0..VARIANTS).map(|_| variant(&seeds, seed, &random)))
            {
                let broken = catch_unwind(|| target(&data)).is_err();
                assert!(!broken, "{name} breaks with {}", data.escape_ascii());
            }
        }
    }
}

/// What has a binary, a folder of seeds, a row in the table and a module is the same.
#[test]
fn the_targets_are_complete() {
    let names = |folder: PathBuf| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let table: BTreeSet<String> = TARGETS.iter().map(|target| target.0.to_owned()).collect();
    assert_eq!(names(folder("targets")), table);
    assert_eq!(names(folder("seeds")), table);
}
