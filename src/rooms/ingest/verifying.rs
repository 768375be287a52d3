//! The stages that need nothing of the room: size, strict JSON, format, signatures, content hash.
//!
//! Owns: from raw bytes to an event that its server made. Does not own: whether the room lets it in.
//!
//! Invariants: keys are asked for once for all events of an answer; our own key is never asked for. An event whose content hash does not fit goes
//! on redacted, and in no other form.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use plop_base::clock::UnixMillis;
use plop_state::Pdu;
use plop_state::pdu::FormatError;
use plop_state::sign::{self, KeyId, SignatureError, Verified, VerifyKeys};
use ruma::OwnedEventId;

use super::gate::Ingest;
use super::site::Site;
use crate::remote::{KeysWanted, RawPdu, RemoteError};

/// Key ids of one server that are looked for on behalf of one answer. A server has a few in its life.
const MAX_KEYS_OF_SERVER: usize = 16;

/// Key ids of one server that are looked for on behalf of one event. It is signed with one; while a key is replaced perhaps with two.
const MAX_KEYS_OF_EVENT: usize = 2;

/// Signatures checked before others get the thread.
const AT_A_TIME: usize = 32;

/// Why what was handed over is no event of the room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("it names no room")]
    NoRoom,
    #[error("the room is not here, or none of our users is in it")]
    RoomNotHere,
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("it belongs to another room")]
    OtherRoom,
    #[error("it is another event than the one that was asked for")]
    OtherEvent,
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The keys could not be asked for: no verdict on the event.
    #[error("no keys: {0}")]
    Keys(#[from] RemoteError),
    #[error("a room has one create event")]
    SecondCreate,
}

impl Unfit {
    /// Whether nothing can change it: keys that could not be had may be there tomorrow.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::Keys(_) | Self::Signature(SignatureError::NoUsableKey(_)))
    }
}

/// The events of an answer.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub fit: Vec<Pdu>,
    /// Those that are no events of their servers, whatever is learnt yet.
    pub unfit: BTreeSet<OwnedEventId>,
    /// Those of which nothing can be said without further keys.
    pub undecided: BTreeSet<OwnedEventId>,
}

impl Verdicts {
    pub fn unfit(&mut self, event: OwnedEventId, reason: &Unfit) {
        let ids = if reason.is_final() { &mut self.unfit } else { &mut self.undecided };
        ids.insert(event);
    }
}

impl Ingest {
    /// Verifies one event.
    pub(super) async fn verify(&self, site: &Site, raw: &RawPdu) -> Result<Pdu, Unfit> {
        let event = parse(site, raw)?;
        let keys = self.keys_for(site, std::slice::from_ref(&event)).await?;
        check(site, event, &keys)
    }

    /// Verifies the events of an answer, each on its own. What cannot be parsed has no id by which it could be named.
    pub(super) async fn verify_all(&self, site: &Site, raw: &[RawPdu]) -> Verdicts {
        let parsed: Vec<Pdu> = raw.iter().filter_map(|raw| parse(site, raw).ok()).collect();
        let keys = self.keys_for(site, &parsed).await.unwrap_or_default();
        let mut verdicts = Verdicts::default();
        for (index, event) in parsed.into_iter().enumerate() {
            if index % AT_A_TIME == AT_A_TIME - 1 {
                tokio::task::yield_now().await;
            }
            let id = event.event_id_owned().clone();
            match check(site, event, &keys) {
                Ok(event) => verdicts.fit.push(event),
                Err(reason) => verdicts.unfit(id, &reason),
            }
        }
        verdicts
    }

    /// The keys by which the events claim to be signed.
    async fn keys_for(&self, site: &Site, events: &[Pdu]) -> Result<VerifyKeys, RemoteError> {
        let mut claims = BTreeMap::<_, BTreeMap<KeyId, usize>>::new();
        for event in events {
            // An event that nobody can have signed is refused by the check.
            for (server, ids) in sign::keys_wanted(event, site.rules).unwrap_or_default() {
                let of_server = claims.entry(server).or_default();
                for id in ids.into_iter().take(MAX_KEYS_OF_EVENT) {
                    *of_server.entry(id).or_default() += 1;
                }
            }
        }
        let mut wanted: KeysWanted =
            claims.into_iter().map(|(server, ids)| (server, most_claimed(ids))).collect();
        let core = self.rooms.core();
        let ours = wanted.remove(&core.server).is_some();
        let mut keys = if wanted.is_empty() { VerifyKeys::new() } else { self.remote.keys(&wanted).await? };
        // What another server says about our keys counts for nothing.
        keys.remove(&core.server);
        if ours {
            let key = core.key.verify_key(UnixMillis(u64::MAX));
            keys.insert(core.server.clone(), BTreeMap::from([(core.key.id().into(), key)]));
        }
        Ok(keys)
    }
}

/// The ids by which most events claim to be signed, so that a few with invented ones do not hide those of the others.
fn most_claimed(ids: BTreeMap<KeyId, usize>) -> BTreeSet<KeyId> {
    let mut ids: Vec<_> = ids.into_iter().collect();
    ids.sort_by_key(|(_, claims)| Reverse(*claims));
    ids.into_iter().take(MAX_KEYS_OF_SERVER).map(|(id, _)| id).collect()
}

fn parse(site: &Site, raw: &RawPdu) -> Result<Pdu, Unfit> {
    let event = Pdu::parse(raw.as_bytes(), site.rules)?;
    if event.room_id() == site.id { Ok(event) } else { Err(Unfit::OtherRoom) }
}

fn check(site: &Site, event: Pdu, keys: &VerifyKeys) -> Result<Pdu, Unfit> {
    match sign::verify(&event, keys, site.rules)? {
        Verified::All => Ok(event),
        Verified::HashMismatch => Ok(event.redacted(site.rules)),
    }
}
