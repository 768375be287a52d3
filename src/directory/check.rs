//! What `plop check` asks of the directory: that words and entries lead to each other.
//!
//! Owns: the references between this crate's keyspaces. Repairs nothing.

use plop_db::{Reference, ReferenceCheck};

use crate::schema::{Entries, Words};

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<Words, Entries> {
            name: "entries of the user directory",
            names: |(_, user), ()| vec![user.clone()],
            agrees: |((word, _), ()), (_, entry)| entry.words.contains(word),
        }),
        Box::new(Reference::<Entries, Words>::exists("words of the user directory", |user, entry| {
            entry.words.iter().map(|word| (word.clone(), user.clone())).collect()
        })),
    ]
}
