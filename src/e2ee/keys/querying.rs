//! Queries (client-server API, `POST /keys/query`).
//!
//! Owns: whose keys are told to whom, and the signatures that only their maker sees. Does not own: what everybody sees of a user ([`super::public_keys`]), which
//! of it a client believes.
//!
//! Invariants: a user sees their own signatures on the master keys of others, and nobody else's; a user-signing key is shown to its user only. What is told of a user
//! is of one moment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_base::Actor;
use plop_db::{Direction, KeyRange, ReadError};
use ruma::{OwnedDeviceId, OwnedServerName, OwnedUserId};

use super::error::QueryError;
use super::public_keys::PublicKeys;
use super::{Keys, MAX_QUERIED};
use crate::schema::{UserSignatureRow, UserSignatures};

/// Whose keys are wanted: of some devices, or of all.
pub type Wanted = BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>;

/// The answer to a query.
#[derive(Debug, Default)]
pub struct Queried {
    /// Every user of this server who was asked about.
    pub users: BTreeMap<OwnedUserId, QueriedUser>,
    /// Servers that were not asked.
    pub elsewhere: BTreeSet<OwnedServerName>,
}

/// The keys of a user as the reader sees them, perhaps none.
#[derive(Debug)]
pub struct QueriedUser {
    keys: Arc<PublicKeys>,
    /// The devices that were asked for; none for all.
    named: Vec<OwnedDeviceId>,
    is_reader: bool,
    /// The master key with the reader's signature.
    master: Option<String>,
}

impl QueriedUser {
    /// The keys of devices by their names: a JSON object.
    pub fn devices(&self) -> Cow<'_, str> {
        match self.named.as_slice() {
            [] => self.keys.devices().into(),
            named => self.keys.named_devices(named).into(),
        }
    }

    /// The master key, as JSON.
    pub fn master(&self) -> Option<&str> {
        self.master.as_deref().or_else(|| Some(&self.keys.master.as_ref()?.text))
    }

    /// The self-signing key, as JSON.
    pub fn self_signing(&self) -> Option<&str> {
        self.keys.self_signing.as_deref()
    }

    /// The reader's own user-signing key, as JSON.
    pub fn user_signing(&self) -> Option<&str> {
        let key = self.keys.user_signing.as_ref().filter(|_| self.is_reader)?;
        Some(&key.text)
    }
}

impl Keys {
    /// The keys of users. Reads nothing of those whose keys are in memory.
    pub async fn query(&self, actor: &Actor, wanted: &Wanted) -> Result<Queried, QueryError> {
        let reader = actor.user_id().ok_or(QueryError::NoUser)?;
        if wanted.len() > MAX_QUERIED || wanted.values().map(Vec::len).sum::<usize>() > MAX_QUERIED {
            return Err(QueryError::TooMany);
        }
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            wanted.iter().partition(|(user, _)| user.server_name() == self.0.server);
        let elsewhere = elsewhere.into_iter().map(|(user, _)| user.server_name().to_owned()).collect();
        // The reader's own keys say which of the reader's signatures count.
        let users: Vec<OwnedUserId> =
            here.iter().map(|(user, _)| (*user).clone()).chain([reader.to_owned()]).collect();
        let mut keys = self.0.known.of(&users).await?;
        let own = keys.pop();
        let mut queried: BTreeMap<OwnedUserId, QueriedUser> = here
            .into_iter()
            .zip(keys)
            .map(|((user, named), keys)| {
                let is_reader = *user == *reader;
                (user.clone(), QueriedUser { keys, named: named.clone(), is_reader, master: None })
            })
            .collect();
        if let Some(own) = own {
            self.sign(&reader.to_owned(), &own, &mut queried).await?;
        }
        Ok(Queried { users: queried, elsewhere })
    }

    /// Puts the reader's signatures on the master keys of others.
    async fn sign(
        &self,
        reader: &OwnedUserId,
        own: &PublicKeys,
        queried: &mut BTreeMap<OwnedUserId, QueriedUser>,
    ) -> Result<(), ReadError> {
        let Some(signer) = &own.user_signing else { return Ok(()) };
        let others = queried.iter().filter(|(_, of)| !of.is_reader && of.keys.master.is_some());
        let others: Vec<OwnedUserId> = others.map(|(user, _)| user.clone()).collect();
        if others.is_empty() {
            return Ok(());
        }
        for (user, row) in self.signed_by(reader, others).await? {
            let Some(of) = queried.get_mut(&user) else { continue };
            let Some(master) = &of.keys.master else { continue };
            if row.master == master.public() && row.by.key == signer.public {
                let by = (&**reader, row.by.key.as_str(), row.by.signature.as_str());
                of.master = Some(master.signed_by(&user, by));
            }
        }
        Ok(())
    }

    /// What a user has signed of these users, and perhaps of others.
    async fn signed_by(
        &self,
        signer: &OwnedUserId,
        others: Vec<OwnedUserId>,
    ) -> Result<Vec<(OwnedUserId, UserSignatureRow)>, ReadError> {
        let snapshot = self.0.db.snapshot();
        // Most have signed few: one page has all of them, and is cheaper than to ask for each.
        let range = KeyRange::<UserSignatures>::prefix(signer);
        let page = snapshot.scan(range, Direction::Forward, others.len()).await?;
        if !page.more {
            return Ok(page.rows.into_iter().map(|((_, signed), row)| (signed, row)).collect());
        }
        let pairs: Vec<_> = others.iter().map(|user| (signer.clone(), user.clone())).collect();
        let rows = snapshot.get_many::<UserSignatures>(&pairs).await?;
        Ok(others.into_iter().zip(rows).filter_map(|(user, row)| Some((user, row?))).collect())
    }
}
