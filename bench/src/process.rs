//! What /proc knows about the server: CPU time, memory, bytes on disk, and how busy the machine was.
//!
//! The server may be several processes (a launcher, a database with its backends), so figures are sums over process
//! trees. CPU time of children that ended is counted by their parents (`cutime`, `cstime`), so nothing is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Process ids whose trees make up the server.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    /// The server itself.
    pub server: Vec<u32>,
    /// What it needs beside it, such as a database. Counts for CPU, not for resident memory.
    pub helpers: Vec<u32>,
}

/// What one `/proc/PID/stat` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// utime + stime + cutime + cstime, in clock ticks.
    ticks: u64,
    rss_pages: u64,
}

impl Processes {
    pub fn is_empty(&self) -> bool {
        self.server.is_empty()
    }

    /// User and system time of server and helpers so far.
    pub fn cpu(&self) -> Duration {
        let stats = all_stats();
        let roots: Vec<u32> = self.server.iter().chain(&self.helpers).copied().collect();
        ticks(tree(&stats, &roots).map(|stat| stat.ticks).sum())
    }

    /// Resident bytes of the server, without its helpers.
    pub fn resident(&self) -> u64 {
        let stats = all_stats();
        let pages: u64 = tree(&stats, &self.server).map(|stat| stat.rss_pages).sum();
        pages * rustix::param::page_size() as u64
    }
}

/// The stats of `roots` and all their descendants, each once.
fn tree<'a>(stats: &'a BTreeMap<u32, Stat>, roots: &'a [u32]) -> impl Iterator<Item = &'a Stat> {
    let belongs = move |mut pid: u32| {
        // A chain of parents is shorter than the list of processes; a pid that was reused while we read could close a loop.
        for _ in 0..=stats.len() {
            if roots.contains(&pid) {
                return true;
            }
            match stats.get(&pid) {
                Some(stat) if stat.parent != 0 => pid = stat.parent,
                _ => return false,
            }
        }
        false
    };
    stats.iter().filter(move |(pid, _)| belongs(**pid)).map(|(_, stat)| stat)
}

fn all_stats() -> BTreeMap<u32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let read = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, parse_stat(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
    };
    entries.flatten().filter_map(read).collect()
}

/// Reads a line of `/proc/PID/stat` (proc(5)). The command's name may hold spaces and brackets; the last bracket ends it.
fn parse_stat(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    // The state is field 3 of the manual page and the first here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(4)?).ok()?,
        ticks: number(14)? + number(15)? + number(16)? + number(17)?,
        rss_pages: number(24)?,
    })
}

/// User and system time of this process.
pub fn own_cpu() -> Duration {
    let own = fs::read_to_string("/proc/self/stat").ok().and_then(|line| parse_stat(&line));
    own.map(|stat| ticks(stat.ticks)).unwrap_or_default()
}

/// The time that all processors together have spent working since the start of the machine.
pub fn machine_busy() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let fields: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guest time is within user time.
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|field| fields.get(*field)).sum();
    ticks(busy)
}

fn ticks(count: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(count.saturating_mul(1000) / per_second)
}

/// Bytes on disk below a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    pub data: u64,
    /// Write-ahead logs: RocksDB's `*.log`, PostgreSQL's `pg_wal`.
    pub logs: u64,
}

/// Adds up the allocated blocks of all files. What disappears meanwhile is skipped.
pub fn disk_use(folder: &Path) -> DiskUse {
    use std::os::unix::fs::MetadataExt;
    let mut total = DiskUse::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (Ok(metadata), path) = (entry.metadata(), entry.path()) else { continue };
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            let is_log = path.extension().is_some_and(|extension| extension == "log")
                || path.components().any(|part| part.as_os_str() == "pg_wal");
            let bytes = metadata.blocks() * 512;
            if is_log { total.logs += bytes } else { total.data += bytes }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_with_brackets_in_the_name_is_read() {
        let line =
            "7 (a b) c) S 3 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 99 1000 55 18446744073709551615 1";
        assert_eq!(parse_stat(line), Some(Stat { parent: 3, ticks: 100, rss_pages: 55 }));
        assert_eq!(parse_stat("7 (x) S"), None);
    }

    #[test]
    fn a_tree_holds_its_root_and_all_below_it_once() {
        let stat = |parent| Stat { parent, ticks: 1, rss_pages: 1 };
        let stats = BTreeMap::from([(1, stat(0)), (2, stat(1)), (3, stat(2)), (4, stat(1)), (5, stat(3))]);
        assert_eq!(tree(&stats, &[2]).count(), 3);
        assert_eq!(tree(&stats, &[2, 3]).count(), 3);
        assert_eq!(tree(&stats, &[9]).count(), 0);
    }

    #[test]
    fn write_ahead_logs_are_counted_apart() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("pg_wal")).unwrap();
        fs::write(folder.path().join("000007.sst"), [1; 5000]).unwrap();
        fs::write(folder.path().join("000008.log"), [1; 5000]).unwrap();
        fs::write(folder.path().join("pg_wal/0001"), [1; 5000]).unwrap();
        let used = disk_use(folder.path());
        assert!(used.data >= 4096, "{used:?}");
        assert_eq!(used.logs, 2 * used.data);
    }
}
