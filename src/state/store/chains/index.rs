//! The index: adding events, and the views that questions are asked of.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plop_db::{Batch, Db};
use plop_state::StateKey;
use quick_cache::sync::Cache;

use super::view::{ByMemory, LinksCache, Overlay, View};
use crate::error::StateError;
use crate::in_flight::InFlight;
use crate::keyspaces::{AuthCitations, AuthLinks, AuthLinksRow};
use crate::numbers::{EventNumber, RoomNumber};
use crate::secret::Secret;

/// The auth-chain index of a database. Clones share the cache.
#[derive(Clone)]
pub struct Chains {
    shared: Arc<Shared>,
}

struct Shared {
    db: Db,
    secret: Secret,
    cache: Arc<LinksCache>,
    in_flight: Mutex<InFlightRows>,
}

#[derive(Default)]
struct InFlightRows {
    overlay: Overlay,
    /// How many additions there have been: what tells the rows of one from those of another under the same event number.
    additions: u64,
}

impl Chains {
    /// `cache_bytes` is the memory for decoded rows.
    pub fn new(db: &Db, secret: &Secret, cache_bytes: u64) -> Chains {
        // What a usual row weighs, to size the cache's tables.
        const USUAL_ROW_BYTES: u64 = 144;
        let expected_rows = usize::try_from(cache_bytes / USUAL_ROW_BYTES).unwrap_or(usize::MAX);
        let cache = Arc::new(Cache::with_weighter(expected_rows, cache_bytes, ByMemory));
        let shared = Shared { db: db.clone(), secret: secret.clone(), cache, in_flight: Mutex::default() };
        Chains { shared: Arc::new(shared) }
    }

    /// Adds a state event that was not rejected. Refused with [`StateError::Incomplete`] if the chain of one of its auth events is
    /// not known to its end: the event can be added once that is.
    pub async fn add(
        &self,
        batch: &mut Batch,
        room: RoomNumber,
        event: EventNumber,
        key: &StateKey,
        auth: &[EventNumber],
    ) -> Result<InFlight, StateError> {
        let mut auth = auth.to_vec();
        auth.sort_unstable();
        auth.dedup();
        let view = self.view(room);
        let key = self.shared.secret.key_hash(key);
        let links = view.links(&auth).await?;
        // A depth of 2^64 would need as many events.
        let auth_depth = links.iter().map(|links| links.auth_depth.saturating_add(1)).max().unwrap_or(0);
        let same_key = auth.iter().zip(&links).filter(|(_, links)| links.key == key);
        let earlier =
            same_key.max_by_key(|(_, links)| links.length).map(|(event, links)| (*event, links.clone()));
        let row = match earlier {
            None => AuthLinksRow { auth_depth, key, auth, length: 0, earlier: None, jump: None },
            Some((earlier, links)) => {
                let jump = view.jump_over(earlier, &links).await?;
                let length = links.length.saturating_add(1);
                AuthLinksRow { auth_depth, key, auth, length, earlier: Some(earlier), jump: Some(jump) }
            }
        };
        batch.put::<AuthLinks>(&(room, event), &row);
        for cited in &row.auth {
            batch.put::<AuthCitations>(&(room, *cited, event), &());
        }
        Ok(self.pin(room, event, Arc::new(row)))
    }

    /// What is known now. A question takes its own view, so it sees whatever was added before it was asked.
    pub(super) fn view(&self, room: RoomNumber) -> View {
        let overlay = self.in_flight().overlay.clone();
        View::new(room, overlay, self.shared.db.snapshot(), self.shared.cache.clone())
    }

    fn pin(&self, room: RoomNumber, event: EventNumber, links: Arc<AuthLinksRow>) -> InFlight {
        let mut in_flight = self.in_flight();
        in_flight.additions += 1;
        let addition = in_flight.additions;
        for cited in &links.auth {
            in_flight.overlay.citations.insert((room, *cited, event), addition);
        }
        in_flight.overlay.links.insert((room, event), (addition, links.clone()));
        drop(in_flight);

        let chains = self.clone();
        InFlight::new(move || {
            let overlay = &mut chains.in_flight().overlay;
            // A refused batch may be released after another event got the number.
            if overlay.links.get(&(room, event)).is_some_and(|(holder, _)| *holder == addition) {
                overlay.links.remove(&(room, event));
            }
            for cited in &links.auth {
                let citation = (room, *cited, event);
                if overlay.citations.get(&citation) == Some(&addition) {
                    overlay.citations.remove(&citation);
                }
            }
        })
    }

    fn in_flight(&self) -> MutexGuard<'_, InFlightRows> {
        // Nothing panics while it is held, and a row that is there is whole.
        self.shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
