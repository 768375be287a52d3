//! The stages that need nothing of the room: size, strict JSON, format, signatures, content hash.
//!
//! Owns: from raw bytes to an event that its server made. Does not own: whether the room lets it in.
//!
//! Invariants: keys are asked for once for all events of an answer ([`Claims`]); our own key is never asked for. An event whose content hash does not fit goes
//! on redacted, and in no other form.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use plop_base::clock::UnixMillis;
use plop_state::pdu::FormatError;
use plop_state::sign::{self, KeyId, SignatureError, Verified, VerifyKeys};
use plop_state::{Pdu, Rules};
use ruma::OwnedServerName;

use super::gate::Ingest;
use super::site::Site;
use crate::remote::{KeysWanted, RawPdu, RemoteError};

/// Key ids of one server that are looked for on behalf of one answer. A server has a few in its life.
const MAX_KEYS_OF_SERVER: usize = 16;

/// Key ids of one server that are looked for on behalf of one event. It is signed with one; while a key is replaced perhaps with two.
const MAX_KEYS_OF_EVENT: usize = 2;

/// Key ids of one server that are counted on behalf of one answer.
const MAX_KEYS_COUNTED: usize = 64;

/// Servers of the events of one answer. The largest rooms have some ten thousand.
const MAX_SERVERS: usize = 50_000;

/// Signatures checked before others get the thread.
pub(super) const AT_A_TIME: usize = 32;

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

/// By which keys some events claim to be signed, each key with how many of them. Where a server has more of them than are counted, a new one
/// counts against all the others: what many events claim stays, whatever a few have invented.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<OwnedServerName, BTreeMap<KeyId, usize>>);

impl Claims {
    /// Adds those of an event. One that nobody can have signed has none, and is refused by the check.
    pub fn note(&mut self, event: &Pdu, rules: &Rules) {
        for (server, ids) in sign::keys_wanted(event, rules).unwrap_or_default() {
            self.count(server, ids);
        }
    }

    fn count(&mut self, server: OwnedServerName, ids: BTreeSet<KeyId>) {
        if self.0.len() >= MAX_SERVERS && !self.0.contains_key(&server) {
            return;
        }
        let of_server = self.0.entry(server).or_default();
        for id in ids.into_iter().take(MAX_KEYS_OF_EVENT) {
            if let Some(claims) = of_server.get_mut(&id) {
                *claims += 1;
            } else if of_server.len() < MAX_KEYS_COUNTED {
                of_server.insert(id, 1);
            } else {
                of_server.retain(|_, claims| {
                    *claims -= 1;
                    *claims > 0
                });
            }
        }
    }
}

impl Ingest {
    /// Verifies one event.
    pub(super) async fn verify(&self, site: &Site, raw: &RawPdu) -> Result<Pdu, Unfit> {
        let event = parse(site, raw)?;
        let mut claims = Claims::default();
        claims.note(&event, site.rules);
        let keys = self.keys_for(claims).await?;
        check(site, event, &keys)
    }

    /// Those events of a small answer that are events of their servers, each verified on its own.
    pub(super) async fn verify_all(&self, site: &Site, raw: &[RawPdu]) -> Vec<Pdu> {
        let parsed: Vec<Pdu> = raw.iter().filter_map(|raw| parse(site, raw).ok()).collect();
        let mut claims = Claims::default();
        parsed.iter().for_each(|event| claims.note(event, site.rules));
        let keys = self.keys_for(claims).await.unwrap_or_default();
        let mut fit = Vec::with_capacity(parsed.len());
        for (index, event) in parsed.into_iter().enumerate() {
            if index % AT_A_TIME == AT_A_TIME - 1 {
                tokio::task::yield_now().await;
            }
            fit.extend(check(site, event, &keys));
        }
        fit
    }

    /// The keys by which events claim to be signed.
    pub(super) async fn keys_for(&self, claims: Claims) -> Result<VerifyKeys, RemoteError> {
        let mut wanted: KeysWanted =
            claims.0.into_iter().map(|(server, ids)| (server, most_claimed(ids))).collect();
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

/// An event of the room, from whoever it is.
pub(super) fn parse(site: &Site, raw: &RawPdu) -> Result<Pdu, Unfit> {
    let event = Pdu::parse(raw.as_bytes(), site.rules)?;
    if event.room_id() == site.id { Ok(event) } else { Err(Unfit::OtherRoom) }
}

/// The event as its server made it, or redacted.
pub(super) fn check(site: &Site, event: Pdu, keys: &VerifyKeys) -> Result<Pdu, Unfit> {
    match sign::verify(&event, keys, site.rules)? {
        Verified::All => Ok(event),
        Verified::HashMismatch => Ok(event.redacted(site.rules)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use plop_state::sign::KeyId;
    use ruma::{OwnedServerName, server_name};

    use super::{Claims, MAX_KEYS_COUNTED, MAX_KEYS_OF_SERVER, MAX_SERVERS, most_claimed};

    #[test]
    fn invented_keys_are_not_kept_and_hide_none() {
        let mut claims = Claims::default();
        let server = server_name!("a.example").to_owned();
        for number in 0..10_000 {
            claims.count(server.clone(), BTreeSet::from([format!("ed25519:{number}").into()]));
            if number % 10 == 0 {
                claims.count(server.clone(), BTreeSet::from(["ed25519:real".into()]));
            }
        }
        let of_server = claims.0.remove(&server).expect("its keys");
        assert!(of_server.len() <= MAX_KEYS_COUNTED);
        let wanted = most_claimed(of_server);
        assert!(wanted.len() <= MAX_KEYS_OF_SERVER);
        assert!(wanted.contains(&KeyId::from("ed25519:real")));
    }

    #[test]
    fn invented_servers_are_not_kept() {
        let mut claims = Claims::default();
        for number in 0..=MAX_SERVERS {
            let server = OwnedServerName::try_from(format!("s{number}.example")).expect("a name");
            claims.count(server, BTreeSet::from(["ed25519:a".into()]));
        }
        assert_eq!(claims.0.len(), MAX_SERVERS);
    }
}
