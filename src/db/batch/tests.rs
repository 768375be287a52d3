//! Batches as people read them, and the rows and notices that they come to.

use super::*;
use crate::position::Position;

crate::keyspaces! {
    const KEYSPACES;
    /// Rows with positions in keys and values.
    Arrivals = 100 "arrivals" Scan { (u64, Position) => (Position, String) } stream u64
    /// Numbers.
    Counts = 101 "counts" Counter { u64 => Counter }
}

#[test]
fn a_batch_can_be_read_by_people() {
    assert_eq!(KEYSPACES.len(), 2);
    let mut batch = Batch::durable();
    batch.expect::<Counts>(&5, Some(&Counter(1)));
    batch.expect::<Counts>(&6, None);
    batch.append::<Arrivals>(&7, &(7, Position::pending(2)), &(Position::pending(0), "hi".to_owned()));
    batch.delete::<Arrivals>(&(7, Position::START));
    batch.delete_range::<Arrivals>(KeyRange::prefix(&7u64));
    batch.add::<Counts>(&5, -3);
    insta::assert_snapshot!(format!("{batch:?}"), @r"
    Durable
      expect counts [\x01\x05] = [\x81\x01]
      expect counts [\x01\x06] absent
      put arrivals [\x01\x07<pending 2>] = [<pending 0>hi\x00\x00]
      delete arrivals [\x01\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00]
      delete arrivals [\x01\x07] .. [\x01\x08]
      add counts [\x01\x05] -3
      Notice(100 \x01\x07)
    ");
}

#[test]
fn a_range_that_is_empty_writes_nothing() {
    let mut batch = Batch::relaxed();
    batch.delete_range::<Counts>(KeyRange::all().from(&9u64).before(&9u64));
    assert!(batch.is_empty());
    assert_eq!(batch.size(), 0);
}

#[test]
fn a_subject_is_noticed_once_and_only_by_its_stream() {
    crate::keyspaces! {
        const OTHERS;
        /// Another stream.
        Other = 102 "other" Scan { u64 => u64 } stream u64
    }
    assert_eq!(OTHERS.len(), 1);
    let mut batch = Batch::relaxed();
    batch.notify::<Arrivals>(&7);
    batch.notify::<Other>(&7);
    batch.notify::<Arrivals>(&7);
    let subjects: Vec<_> = batch.notices.iter().map(Notice::subject::<Arrivals>).collect();
    assert_eq!(subjects, [Some(7), None]);
    assert!(!batch.is_empty(), "waking is worth a commit");
}
