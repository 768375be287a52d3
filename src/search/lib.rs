//! Rank 4: events by their words.
