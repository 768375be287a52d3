//! Terms of service: documents that whoever registers accepts (client-server API, "Terms of service at registration").
//!
//! Owns: the rows that say who accepted which version. Does not own: what a document is ([`crate::policies`]), when it is asked for ([`crate::registration`]).
//!
//! Invariant: the rows are written with the account, in its batch, so nobody is registered whose consent is not kept.

use plop_base::UnixMillis;
use plop_db::{Batch, KeyRange, ReadError};
use ruma::{OwnedUserId, UserId};

use crate::accounts::Accounts;
pub use crate::policies::{Policy, PolicyText};
use crate::rows::all_rows;
use crate::schema::{AcceptedTerms, AcceptedTermsRow};

/// Notes that a user who is being registered has accepted the documents.
pub(crate) fn put_accepted(batch: &mut Batch, user: &OwnedUserId, policies: &[Policy], now: UnixMillis) {
    for policy in policies {
        let row = AcceptedTermsRow { version: policy.version.clone(), at: now };
        batch.put::<AcceptedTerms>(&(user.clone(), policy.id.clone()), &row);
    }
}

impl Accounts {
    /// What a user has accepted: documents, in the order of their ids.
    pub async fn accepted_terms(&self, user: &UserId) -> Result<Vec<(String, AcceptedTermsRow)>, ReadError> {
        let rows = all_rows(&self.snapshot(), KeyRange::<AcceptedTerms>::prefix(&user.to_owned())).await?;
        Ok(rows.into_iter().map(|((_, policy), row)| (policy, row)).collect())
    }
}
