//! Rank 3: files that users upload, and what is made of them.
