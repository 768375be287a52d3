//! Rank 3: events that are sent later.
