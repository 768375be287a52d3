//! What `plop check` asks of what is stored for devices: that a request that was done and its time lead to each other.
//!
//! Owns: the references between this crate's keyspaces. Repairs nothing.

use plop_db::{Reference, ReferenceCheck};

use crate::backup;
use crate::schema::{ToDeviceTransactionTimes, ToDeviceTransactions};
use crate::to_device::done_at;

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    let mut checks = backup::check::reference_checks();
    checks.extend(to_device());
    checks
}

fn to_device() -> Vec<Box<dyn ReferenceCheck>> {
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
