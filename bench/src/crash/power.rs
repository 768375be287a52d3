//! Power cuts: what the server has not synced is rolled back after it was killed, by `plop-powerloss`.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use plop_powerloss::{Cut, Dice, Lost, Watched};
use rand::RngExt;
use rand::rngs::StdRng;

/// Single sectors and names are lost twice as often: they leave the strangest folders.
const CUTS: [Cut; 4] = [Cut::All, Cut::Some, Cut::Some, Cut::Torn];

/// The power of one data folder.
#[derive(Debug)]
pub struct Power {
    watched: Watched,
    pub cuts: u64,
    /// The last cut.
    pub last: Option<Lost>,
    unsynced: usize,
    bytes: usize,
    names: usize,
}

impl Power {
    /// What is written down about the folder is beside it, in `….powerloss`.
    pub fn of(data: &Path) -> io::Result<Self> {
        let data = data.canonicalize()?;
        let mut records = data.clone().into_os_string();
        records.push(".powerloss");
        let watched = Watched::new(data, records.into());
        Ok(Self { watched, cuts: 0, last: None, unsynced: 0, bytes: 0, names: 0 })
    }

    /// What a launcher is told, so that the server's process loads the library.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let library = ("PRELOAD", self.watched.library().into_os_string());
        let folders = self.watched.environment().map(|(name, value)| (name, value.to_owned()));
        std::iter::once(library).chain(folders).collect()
    }

    /// Call it before each start of the server.
    pub fn on(&mut self) -> io::Result<()> {
        self.watched.arm()
    }

    /// Call it when the server is gone.
    pub fn cut(&mut self, random: &mut StdRng) -> io::Result<()> {
        let cut = CUTS[random.random_range(0..CUTS.len())];
        let lost = self.watched.cut_power(cut, &mut Dice(random.random()))?;
        self.cuts += 1;
        self.unsynced += lost.unsynced;
        self.bytes += lost.bytes;
        self.names += lost.names;
        self.last = Some(lost);
        Ok(())
    }

    /// What all cuts took.
    pub fn summary(&self) -> String {
        let Self { cuts, unsynced, bytes, names, .. } = self;
        format!("{cuts} power cuts: of {unsynced} unsynced writes {bytes} bytes lost, and {names} names")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_server_that_does_not_load_the_library_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir_all(data.join("media")).unwrap();
        let mut power = Power::of(&data).unwrap();
        let mut random = StdRng::seed_from_u64(1);
        power.on().unwrap();
        power.cut(&mut random).unwrap();
        assert!(data.join("media").is_dir());
        power.on().unwrap();
        (0..9).for_each(|i| fs::write(data.join(format!("media/{i}")), "x").unwrap());
        assert!(power.cut(&mut random).is_err());
        assert_eq!(power.cuts, 1);
    }

    #[test]
    fn the_launcher_is_told_of_the_library_and_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let power = Power::of(folder.path()).unwrap();
        let names: Vec<_> = power.environment().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["PRELOAD", "POWERLOSS_WATCH", "POWERLOSS_DIR"]);
    }
}
