//! End-to-end encryption, as far as a server has a part in it: keys are uploaded, looked up, and handed out one by one.

use std::cell::Cell;
use std::rc::Rc;

use crate::client::{Account, Identity, Session};
use crate::http::Failure;
use crate::load::{for_each, measure};
use crate::measure::{Bounds, Measured};
use crate::world::{ScenarioError, World};

/// Accounts with keys: those that are in the large room as well.
const GROUP: &str = "crowd";
const DEVICES: usize = 2_000;
const ONE_TIME_KEYS: usize = 50;
/// Users in one query: a room of some size.
const QUERIED: usize = 50;
const AT_ONCE: usize = 8;

/// Uploads what a new device uploads.
async fn upload_all(session: &mut Session) -> Result<(), Failure> {
    let identity = Identity::of(&session.account);
    let keys = identity.one_time_keys((0..ONE_TIME_KEYS).map(|number| format!("K{number:02}")));
    match session.upload_keys(Some(&identity.device_keys()), &keys).await? {
        0 => Err(Failure::Unexpected("the server has no one-time keys".to_owned())),
        _ => Ok(()),
    }
}

/// The first accounts, whose devices have uploaded keys.
async fn with_keys(world: &mut World) -> Result<Vec<Rc<Account>>, ScenarioError> {
    let count = world.scaled(DEVICES, QUERIED);
    let accounts = world.accounts(GROUP, count).await?;
    let there = world.with_keys.min(count);
    let mut workers = vec![(); AT_ONCE];
    for_each(&world.progress, &mut workers, accounts[there..].iter(), async |(), account| {
        upload_all(&mut Session::new(&world.target, Rc::clone(account))).await
    })
    .await?;
    world.with_keys = world.with_keys.max(count);
    Ok(accounts)
}

/// Each operation is the first upload of another device.
pub async fn upload(world: &mut World) -> Result<Measured, ScenarioError> {
    let accounts = world.accounts(GROUP, world.scaled(DEVICES, QUERIED)).await?;
    let without = &accounts[world.with_keys.min(accounts.len())..];
    let bounds = Bounds::time(world.seconds(60.0)).operations(without.len() as u64);
    let mut workers = world.sessions(GROUP, AT_ONCE).await?;
    let measured = measure(&world.meter, &world.progress, bounds, &mut workers, async |worker, number| {
        worker.account = Rc::clone(&without[number as usize]);
        upload_all(worker).await
    })
    .await;
    world.with_keys += measured.operations as usize;
    Ok(measured)
}

pub async fn query(world: &mut World) -> Result<Measured, ScenarioError> {
    let accounts = with_keys(world).await?;
    let mut workers = world.sessions(GROUP, AT_ONCE).await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut workers, async |worker, number| {
        let first = number as usize * QUERIED;
        let users = (first..first + QUERIED).map(|place| accounts[place % accounts.len()].user_id.as_str());
        match worker.query_keys(&users.collect::<Vec<_>>()).await? {
            0 => Err(Failure::Unexpected("nobody has keys".to_owned())),
            _ => Ok(()),
        }
    })
    .await)
}

/// Each operation claims one key; devices take turns, so that no one of them is emptied.
pub async fn claim(world: &mut World) -> Result<Measured, ScenarioError> {
    let accounts = with_keys(world).await?;
    let mut workers = world.sessions(GROUP, AT_ONCE).await?;
    let most = (accounts.len() * ONE_TIME_KEYS).saturating_sub(world.claimed);
    let bounds = Bounds::time(world.seconds(10.0)).operations(most as u64);
    let next = Cell::new(world.claimed);
    let measured = measure(&world.meter, &world.progress, bounds, &mut workers, async |worker, _| {
        let account = &accounts[next.replace(next.get() + 1) % accounts.len()];
        let claimed = worker.claim_key(&account.user_id, &account.device_id).await?;
        claimed.map(drop).ok_or_else(|| Failure::Unexpected("no key is left".to_owned()))
    })
    .await;
    world.claimed = next.get();
    Ok(measured)
}
