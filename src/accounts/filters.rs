//! Filters that clients keep on the server (client-server API, "Filtering").
//!
//! Invariants: the identifier is made of the content, so a filter that is uploaded again is the same row and the same identifier; a
//! stored filter can be read as one; number and size are bounded.

use plop_base::Actor;
use plop_db::codec::Tail;
use plop_db::{Batch, Direction, KeyRange};
use ruma::UserId;
use ruma::api::client::filter::FilterDefinition;
use serde_json::{Map, Value};

use crate::accounts::Accounts;
use crate::authority::{Forbidden, acting_for};
use crate::error::StoreError;
use crate::schema::{Filters, Users};

/// Largest filter, in bytes of compact JSON: about 500 rooms.
pub const MAX_FILTER_BYTES: usize = 32 << 10;
/// Most filters of one user. A client has a handful, and the same ones each time.
pub const MAX_FILTERS: usize = 500;

/// Hexadecimal digits of an identifier: no `{`, which would be a filter in place, and two filters of one user never share it.
const ID_DIGITS: usize = 32;

/// Why a filter is not stored or not found.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("not a filter: {0}")]
    Invalid(String),
    #[error("the filter is larger than {MAX_FILTER_BYTES} bytes")]
    TooLarge,
    #[error("the user has {MAX_FILTERS} filters already")]
    TooMany,
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Stores a filter and names it.
    pub async fn add_filter(
        &self,
        actor: &Actor,
        user: &UserId,
        filter: &Map<String, Value>,
    ) -> Result<String, FilterError> {
        acting_for(actor, user)?;
        let filter = Value::Object(filter.clone());
        let text = filter.to_string();
        if text.len() > MAX_FILTER_BYTES {
            return Err(FilterError::TooLarge);
        }
        serde_json::from_value::<FilterDefinition>(filter)
            .map_err(|error| FilterError::Invalid(error.to_string()))?;
        let id: String = blake3::hash(text.as_bytes()).to_hex().chars().take(ID_DIGITS).collect();
        let key = (user.to_owned(), id);

        let parts = self.parts();
        let guard = parts.user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        if snapshot.get::<Filters>(&key).await.map_err(StoreError::from)?.is_some() {
            return Ok(key.1);
        }
        let row = self.active_user(&snapshot, user).await.map_err(StoreError::from)?;
        let row = row.ok_or(FilterError::NoAccount)?;
        let range = KeyRange::<Filters>::prefix(&key.0);
        let present =
            snapshot.scan(range, Direction::Forward, MAX_FILTERS).await.map_err(StoreError::from)?;
        if present.more || present.rows.len() >= MAX_FILTERS {
            return Err(FilterError::TooMany);
        }
        let mut batch = Batch::durable();
        batch.expect::<Users>(&key.0, Some(&row));
        batch.put::<Filters>(&key, &Tail(text));
        parts.db.commit_under(guard, batch).await.map_err(StoreError::from)?;
        Ok(key.1)
    }

    /// A stored filter, as JSON text.
    pub async fn filter(
        &self,
        actor: &Actor,
        user: &UserId,
        id: &str,
    ) -> Result<Option<String>, FilterError> {
        acting_for(actor, user)?;
        let key = (user.to_owned(), id.to_owned());
        let row = self.snapshot().get::<Filters>(&key).await.map_err(StoreError::from)?;
        Ok(row.map(|Tail(text)| text))
    }
}
