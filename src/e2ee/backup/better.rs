//! Which of two keys for one session is kept.

use super::schema::BackedUpKeyRow;

/// Whether a key takes the place of one that is there (client-server API, "Server-side key backups"): a verified one does so with one that is not;
/// among equals, one that decrypts more messages; among these, one that came through fewer devices. What is no better changes nothing.
pub(super) fn is_better(new: &BackedUpKeyRow, old: &BackedUpKeyRow) -> bool {
    if new.is_verified != old.is_verified {
        return new.is_verified;
    }
    (new.first_message_index, new.forwarded_count) < (old.first_message_index, old.forwarded_count)
}

#[cfg(test)]
mod tests {
    use plop_db::codec::Tail;

    use super::*;

    fn key(is_verified: bool, first_message_index: u64, forwarded_count: u64) -> BackedUpKeyRow {
        BackedUpKeyRow {
            first_message_index,
            forwarded_count,
            is_verified,
            session_data: Tail("{}".to_owned()),
        }
    }

    /// From the best to the worst, in the words of the specification.
    #[test]
    fn keys_have_one_order() {
        let ordered = [
            key(true, 0, 9),
            key(true, 1, 0),
            key(true, 1, 5),
            key(false, 0, 0),
            key(false, 0, 1),
            key(false, 1, 0),
        ];
        for (place, better) in ordered.iter().enumerate() {
            for (other, worse) in ordered.iter().enumerate() {
                assert_eq!(is_better(better, worse), place < other, "{better:?} {worse:?}");
            }
        }
    }
}
