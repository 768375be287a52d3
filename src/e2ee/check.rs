//! What `plop check` asks of what is stored for devices: that a request that was done and its time lead to each other, a claimed key and its place in the
//! order of claims, a device on a list and its keys, a signature and its change.
//!
//! Owns: the references between this crate's keyspaces. Repairs nothing.

use plop_accounts::schema::ListedDevices;
use plop_db::{Reference, ReferenceCheck};

use crate::backup;
use crate::schema::{
    ClaimedKeyOrder, ClaimedKeys, DeviceKeys, SignatureChanges, ToDeviceTransactionTimes,
    ToDeviceTransactions, UserSignatures,
};
use crate::to_device::done_at;

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    let checks = [transactions(), claimed_keys(), lists(), backup::check::reference_checks()];
    checks.into_iter().flatten().collect()
}

/// A key that was claimed stands where it says.
fn claimed_keys() -> Vec<Box<dyn ReferenceCheck>> {
    vec![Box::new(Reference::<ClaimedKeyOrder, ClaimedKeys> {
        name: "claimed one-time keys",
        names: |(user, device, since, _, algorithm, id), ()| {
            vec![(user.clone(), device.clone(), *since, algorithm.clone(), id.clone())]
        },
        agrees: |((_, _, _, position, ..), ()), (_, row)| row.position == *position,
    })]
}

/// What others are told of is there.
fn lists() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<ListedDevices, DeviceKeys>::exists("keys of listed devices", |key, since| {
            vec![(key.0.clone(), key.1.clone(), *since)]
        })),
        Box::new(Reference::<UserSignatures, SignatureChanges> {
            name: "signatures of users",
            names: |(signer, _), row| vec![(signer.clone(), row.position)],
            agrees: |((_, signed), _), (_, changed)| signed == changed,
        }),
    ]
}

fn transactions() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<ToDeviceTransactions, ToDeviceTransactionTimes>::exists(
            "times of requests to devices",
            |transaction, row| vec![done_at(row.at, transaction)],
        )),
        Box::new(Reference::<ToDeviceTransactionTimes, ToDeviceTransactions> {
            name: "requests to devices",
            names: |(_, user, device, kind, id), ()| {
                vec![(user.clone(), device.clone(), kind.clone(), id.clone())]
            },
            agrees: |((at, ..), ()), (_, row)| row.at == *at,
        }),
    ]
}
