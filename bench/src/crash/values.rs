//! Values of which only the last one counts: which of those that were written may be read back.
//!
//! Pure: no I/O. A value is written by one worker at a time, so that what may be read is the last acknowledged value or one
//! that was in doubt after it. Where the power is cut, a relaxed value may be an older one as well, until its worker was
//! answered to something durable: both are in one log, and its sync covers all that is before it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A value of which only the last one counts, of this user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    pub kind: CellKind,
    pub user_id: String,
    /// Absent for account data.
    pub room: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellKind {
    /// The user's own state event in the room.
    State,
    /// `join` or `leave`.
    Membership,
    /// The event that the user's read receipt points to.
    Receipt,
    AccountData,
    /// The key that the user backed up last.
    Backup,
}

impl CellKind {
    /// Whether it may be answered before it is on the disk. All else that the driver asks for may not.
    pub fn is_relaxed(self) -> bool {
        match self {
            // A client that reads on sends the next one.
            Self::Receipt => true,
            Self::State | Self::Membership | Self::AccountData | Self::Backup => false,
        }
    }
}

/// What each cell may hold.
#[derive(Debug, Default)]
pub struct Values {
    /// Nothing included; empty where that is not known.
    cells: BTreeMap<Cell, BTreeSet<Option<String>>>,
    /// Whether the load ends with a power cut, and not with a killed process alone.
    pub power_cuts: bool,
    /// The last relaxed values, acknowledged, whose sync nothing has proved yet.
    unsynced: BTreeMap<Cell, String>,
}

impl Values {
    pub fn write(&mut self, cell: Cell, value: String, acknowledged: bool) {
        if acknowledged && !cell.kind.is_relaxed() {
            self.synced(&cell.user_id);
        }
        if cell.kind == CellKind::Membership && value == "leave" {
            // A server may forget the receipts of who leaves, or keep them for when they come back.
            let receipt = Cell { kind: CellKind::Receipt, ..cell.clone() };
            self.cells.entry(receipt).and_modify(|values| {
                values.insert(None);
            });
        }
        let may_be_lost = self.power_cuts && cell.kind.is_relaxed();
        if acknowledged && may_be_lost {
            self.unsynced.insert(cell.clone(), value.clone());
        }
        let values = self.cells.entry(cell).or_insert_with(|| BTreeSet::from([None]));
        if acknowledged && !may_be_lost {
            *values = BTreeSet::from([Some(value)]);
        } else if !values.is_empty() {
            values.insert(Some(value));
        }
    }

    /// The user was answered to something durable: so is all that was acknowledged to them before.
    pub fn synced(&mut self, user_id: &str) {
        let cells = &mut self.cells;
        self.unsynced.retain(|cell, value| {
            if cell.user_id == user_id {
                cells.insert(cell.clone(), BTreeSet::from([Some(value.clone())]));
            }
            cell.user_id != user_id
        });
    }

    /// The load has ended: what has not been synced by now is there or not, whatever comes later.
    pub fn ended(&mut self) {
        self.unsynced.clear();
    }

    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.keys()
    }

    /// What the cell is known to hold; None when it holds nothing or that is not known.
    pub fn value(&self, cell: &Cell) -> Option<&str> {
        let values = self.cells.get(cell)?;
        if values.len() == 1 { values.first()?.as_deref() } else { None }
    }

    /// Judges what was read from a cell. A value that was possible is settled: from now on it is the only one.
    pub fn settle(&mut self, cell: &Cell, read: Option<String>) -> Result<(), String> {
        let Some(possible) = self.cells.get_mut(cell) else { return Ok(()) };
        // Nothing is known after a cycle whose records were lost with the driver: what is there is adopted.
        if !possible.is_empty() && !possible.contains(&read) {
            return Err(format!("{cell:?} is {read:?} and not one of {possible:?}"));
        }
        *possible = BTreeSet::from([read]);
        Ok(())
    }

    /// What the cells hold is not known any more.
    pub fn forget(&mut self) {
        self.cells.values_mut().for_each(BTreeSet::clear);
        self.unsynced.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(kind: CellKind) -> Cell {
        Cell { kind, user_id: "@a:b".into(), room: Some("!r".into()) }
    }

    fn written(values: &[(&str, bool)]) -> Values {
        let mut written = Values::default();
        for (value, acknowledged) in values {
            written.write(cell(CellKind::State), (*value).into(), *acknowledged);
        }
        written
    }

    fn settles(values: &mut Values, kind: CellKind, read: Option<&str>) -> bool {
        values.settle(&cell(kind), read.map(str::to_owned)).is_ok()
    }

    #[test]
    fn an_acknowledged_value_must_be_there() {
        let mut values = written(&[("1", true), ("2", true)]);
        assert!(!settles(&mut values, CellKind::State, Some("1")));
        assert!(!settles(&mut values, CellKind::State, None));
        assert!(settles(&mut values, CellKind::State, Some("2")));
    }

    #[test]
    fn a_value_in_doubt_may_be_there_until_one_of_both_was_seen() {
        let mut values = written(&[("1", true), ("2", false)]);
        assert_eq!(values.value(&cell(CellKind::State)), None);
        assert!(!settles(&mut values, CellKind::State, Some("3")));
        assert!(settles(&mut values, CellKind::State, Some("1")));
        assert!(!settles(&mut values, CellKind::State, Some("2")));
    }

    #[test]
    fn a_first_write_in_doubt_may_have_left_nothing() {
        let mut values = written(&[("1", false)]);
        assert!(settles(&mut values, CellKind::State, None));
        assert!(!settles(&mut values, CellKind::State, Some("1")));
    }

    #[test]
    fn after_a_lost_cycle_the_next_value_is_adopted() {
        let mut values = written(&[("1", true)]);
        values.forget();
        assert!(settles(&mut values, CellKind::State, Some("9")));
        assert!(!settles(&mut values, CellKind::State, Some("1")));
    }

    /// Receipts 1 and 2 after a settled one, 0, and what comes then.
    fn after_receipts(power_cuts: bool, then: impl FnOnce(&mut Values)) -> impl Fn(Option<&str>) -> bool {
        let mut values = Values { power_cuts, ..Values::default() };
        for value in ["0", "1", "2"] {
            values.write(cell(CellKind::Receipt), value.into(), true);
            if value == "0" {
                assert!(settles(&mut values, CellKind::Receipt, Some("0")));
            }
        }
        then(&mut values);
        let possible = values.cells[&cell(CellKind::Receipt)].clone();
        move |read| possible.contains(&read.map(str::to_owned))
    }

    #[test]
    fn a_power_cut_may_take_relaxed_values_and_a_kill_may_not() {
        let may_be = after_receipts(true, |_| {});
        assert!(may_be(Some("0")) && may_be(Some("1")) && may_be(Some("2")));
        assert!(!may_be(None), "it was settled that one is there");
        assert!(!may_be(Some("3")), "it was never written");
        let may_be = after_receipts(false, |_| {});
        assert!(may_be(Some("2")) && !may_be(Some("1")) && !may_be(Some("0")));
    }

    #[test]
    fn a_durable_answer_makes_what_was_relaxed_before_it_durable() {
        for kind in [CellKind::State, CellKind::Membership, CellKind::AccountData, CellKind::Backup] {
            let may_be = after_receipts(true, |values| values.write(cell(kind), "x".into(), true));
            assert!(may_be(Some("2")) && !may_be(Some("1")), "{kind:?}");
        }
        let in_doubt = after_receipts(true, |values| values.write(cell(CellKind::State), "x".into(), false));
        assert!(in_doubt(Some("1")));
        let of_another = after_receipts(true, |values| values.synced("@c:d"));
        assert!(of_another(Some("1")));
        let left =
            after_receipts(true, |values| values.write(cell(CellKind::Membership), "leave".into(), true));
        assert!(left(None) && left(Some("2")) && !left(Some("1")));
        let in_a_later_load = after_receipts(true, |values| {
            values.ended();
            values.synced("@a:b");
        });
        assert!(in_a_later_load(Some("0")), "it was lost before");
    }
}
