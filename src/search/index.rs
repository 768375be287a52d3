//! The index as it is stored.
//!
//! Owns: opening it, or making it anew; writing, committing, asking it. Does not own: what is written when ([`crate::following`]).
//!
//! Invariants: a commit carries the progress that belongs to it. An index that cannot be opened, is of another form, language or database, or is ahead of its
//! database, is emptied and begins from the start. Everything here blocks: it runs on the pools of [`crate::search`]. The budget of memory is the writer's,
//! whatever is indexed; what is searched is mapped from files, which nobody but this process writes.

use plop_db::Position;
use plop_state_store::{EventNumber, RoomNumber};
use tantivy::directory::Directory;
use tantivy::indexer::IndexWriterOptions;
use tantivy::merge_policy::LogMergePolicy;
use tantivy::query::Query;
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, TantivyError};

use crate::collecting::{Collected, First};
use crate::entry::Entry;
use crate::fields::{FORM, Fields, WORDS, schema};
use crate::folder::{FolderError, Place};
use crate::language::Language;
use crate::progress::{Progress, Stamp};

/// The part of a segment's events that may be deleted ones: with more it is written anew, and the words of those are gone from the disk.
const MOST_DELETED: f32 = 0.1;
/// Bytes of new documents in memory, before they go to files: the least that the library takes, and one thread.
const WRITER_BYTES: usize = 16 << 20;

/// The index does not work.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("the search index: {0}")]
    Index(#[from] TantivyError),
    #[error("the server is stopping")]
    Stopping,
}

/// An index that is open.
pub(crate) struct StoredIndex {
    place: Place,
    index: Index,
    reader: IndexReader,
    pub fields: Fields,
    pub analyzer: TextAnalyzer,
}

/// What changes in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Put(Entry),
    Delete(RoomNumber, EventNumber),
}

impl StoredIndex {
    /// The index of a database that has published this far, and how far it goes itself.
    pub fn open(
        place: &Place,
        language: Language,
        stamp: &Stamp,
        published: Position,
    ) -> Result<(Self, Progress), IndexError> {
        let directory = place.open()?;
        match Self::existing(place, directory, language) {
            Ok(Some((index, progress))) if progress.is_of(stamp, published) => return Ok((index, progress)),
            Ok(Some(_)) => tracing::info!("the search index is of something else and is made anew"),
            Ok(None) => {}
            Err(error @ TantivyError::LockFailure(..)) => return Err(error.into()),
            Err(error) => tracing::warn!(%error, "the search index cannot be opened and is made anew"),
        }
        Self::create(place, language, stamp)
    }

    /// The same after something went wrong: every file is looked at.
    pub fn open_with_care(
        place: &Place,
        language: Language,
        stamp: &Stamp,
        published: Position,
    ) -> Result<(Self, Progress), IndexError> {
        let opened = Self::open(place, language, stamp, published)?;
        match opened.0.index.validate_checksum() {
            Ok(damaged) if damaged.is_empty() => Ok(opened),
            Ok(_) | Err(_) => {
                tracing::warn!("the search index is damaged and is made anew");
                Self::create(place, language, stamp)
            }
        }
    }

    /// An empty index in the place of what is there.
    pub fn create(place: &Place, language: Language, stamp: &Stamp) -> Result<(Self, Progress), IndexError> {
        let place = place.emptied()?;
        let index = Index::create(place.open()?, schema().0, IndexSettings::default())?;
        let index = Self::of(&place, index, language)?;
        Ok((index, Progress::nothing(stamp.clone())))
    }

    /// What is there, if it says how far it goes.
    fn existing(
        place: &Place,
        directory: Box<dyn Directory>,
        language: Language,
    ) -> Result<Option<(Self, Progress)>, TantivyError> {
        if !Index::exists(&*directory)? {
            return Ok(None);
        }
        let index = Index::open(directory)?;
        let progress = index.load_metas()?.payload.and_then(|text| Progress::of_text(&text));
        if index.schema() != schema().0 {
            return Ok(None);
        }
        let index = Self::of(place, index, language)?;
        Ok(progress.map(|progress| (index, progress)))
    }

    fn of(place: &Place, index: Index, language: Language) -> Result<Self, TantivyError> {
        let (_, fields) = schema();
        let analyzer = language.analyzer();
        index.tokenizers().register(WORDS, analyzer.clone());
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { place: place.clone(), index, reader, fields, analyzer })
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What this index is of.
    pub fn stamp(language: Language, database: plop_db::Identity) -> Stamp {
        Stamp { form: FORM, language: language.name().to_owned(), database }
    }

    /// The one writer.
    pub fn writer(&self) -> Result<IndexWriter, TantivyError> {
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(WRITER_BYTES)
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let writer = self.index.writer_with_options(options)?;
        let mut merging = LogMergePolicy::default();
        merging.set_del_docs_ratio_before_merge(MOST_DELETED);
        writer.set_merge_policy(Box::new(merging));
        Ok(writer)
    }

    /// Writes changes, which are seen after the next commit.
    pub fn write(&self, writer: &IndexWriter, changes: &[Change]) -> Result<(), TantivyError> {
        for change in changes {
            match change {
                Change::Put(entry) => drop(writer.add_document(self.fields.document(entry))?),
                Change::Delete(room, event) => drop(writer.delete_term(self.fields.id_term(*room, *event))),
            }
        }
        Ok(())
    }

    /// Commits what was written, with how far the index goes then, and shows it to those who search from now on.
    pub fn commit(&self, writer: &mut IndexWriter, progress: &Progress) -> Result<(), TantivyError> {
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&progress.to_text());
        commit.commit()?;
        self.reader.reload()
    }

    /// The first documents of a query.
    pub fn search(&self, query: &dyn Query, first: &First) -> Result<Vec<Collected>, TantivyError> {
        self.reader.searcher().search(query, first)
    }

    /// How many documents there are.
    pub fn documents(&self) -> u64 {
        self.reader.searcher().num_docs()
    }
}
