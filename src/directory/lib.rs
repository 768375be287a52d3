//! Rank 3: users by name, for those who may see them.
