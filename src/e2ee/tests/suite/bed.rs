//! What the tests send messages with.

use plop_accounts::Accounts;
use plop_accounts::ended_devices::UNDER_WAY;
use plop_accounts::registration::NewAccount;
use plop_accounts::schema::{DeviceRow, Devices};
use plop_base::{Actor, Clock};
use plop_bed::{Ground, START, parameters, server};
use plop_db::{Batch, Counter, Db, KeyRange, Keyspace, MemoryDisk, Pages, Position, Snapshot};
use plop_e2ee::keys::Keys;
use plop_e2ee::schema::{ToDeviceBytes, ToDeviceMessages};
use plop_e2ee::to_device::{Messages, SendError, ToDevice, ToDevicePage, to_device_messages};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use serde_json::{Value, json};

/// A server of accounts and messages.
pub struct Bed {
    pub db: Db,
    pub clock: Clock,
    pub accounts: Accounts,
    pub to_device: ToDevice,
    pub keys: Keys,
    pub disk: MemoryDisk,
}

impl Bed {
    pub fn new() -> Self {
        Self::on_disk(&MemoryDisk::new())
    }

    pub fn on_disk(disk: &MemoryDisk) -> Self {
        Self::on(disk.clone(), Clock::simulated(START))
    }

    fn on(disk: MemoryDisk, clock: Clock) -> Self {
        let keyspaces = [
            plop_accounts::schema::KEYSPACES,
            plop_e2ee::schema::KEYSPACES,
            plop_e2ee::backup::schema::KEYSPACES,
        ]
        .concat();
        let ground = Ground { clock, ..Ground::on_disk(&disk, keyspaces, 2) };
        let accounts = plop_bed::accounts(&ground, parameters());
        let Ground { db, clock, .. } = ground;
        let to_device = ToDevice::new(db.clone(), clock.clone(), server());
        let keys = Keys::new(db.clone(), accounts.clone(), server());
        Self { db, clock, accounts, to_device, keys, disk }
    }

    /// The same disk after an orderly end of the process.
    pub async fn restarted(self) -> Self {
        let Self { db, clock, accounts, to_device, keys, disk } = self;
        drop((accounts, to_device, keys));
        db.close().await;
        Self::on(disk, clock)
    }

    /// A user with these devices.
    pub async fn user(&self, name: &str, devices: &[&str]) -> OwnedUserId {
        let account = NewAccount { username: Some(name.to_owned()), ..NewAccount::default() };
        let registered = self.accounts.create_account(&Actor::Server, account, false).await;
        let user = registered.expect("an account").user;
        for device in devices {
            self.device(&user, device).await;
        }
        user
    }

    /// Makes a device, as only application services can without a login.
    pub async fn device(&self, user: &UserId, device: &str) {
        let made = self.accounts.update_device(&bridge(user), device.into(), None).await;
        made.expect("a device");
    }

    /// Writes devices past the limit of what a user may have.
    pub async fn many_devices(&self, user: &UserId, devices: &[String]) {
        let mut batch = Batch::durable();
        for device in devices {
            let row = DeviceRow {
                since: Position::pending(0),
                display_name: None,
                created: self.clock.now(),
                generation: 0,
            };
            batch.put::<Devices>(&(user.to_owned(), device.as_str().into()), &row);
        }
        self.db.commit(batch).await.expect("committed");
    }

    pub async fn logout(&self, user: &UserId, device: &str) {
        let gone = self.accounts.logout(&actor(user, device)).await;
        assert_eq!(gone.expect("a logout"), [OwnedDeviceId::from(device)]);
    }

    /// Sends one message with a number in it to each of these recipients.
    pub async fn send(
        &self,
        from: &Actor,
        transaction: &str,
        to: &[(&UserId, &str)],
        number: u64,
    ) -> Result<(), SendError> {
        self.to_device.send(from, "org.example", transaction, &messages(to, &json!({ "n": number }))).await
    }

    /// What waits for a device.
    pub async fn page(&self, user: &UserId, device: &str, after: Position, limit: usize) -> ToDevicePage {
        let snapshot = self.db.snapshot();
        page_of(&snapshot, user, device.into(), after, limit).await
    }

    /// The numbers that wait for a device.
    pub async fn numbers(&self, user: &UserId, device: &str) -> Vec<u64> {
        numbers(&self.page(user, device, Position::START, usize::MAX).await)
    }

    /// What an actor is told of the keys of a user.
    pub async fn told(&self, reader: &Actor, user: &UserId) -> Value {
        told(&self.keys, reader, user).await
    }

    /// Reads of the store so far: rows and pages.
    pub fn reads(&self) -> u64 {
        self.db.stats().engine.inline_reads
    }

    /// Sweeps when nothing is on the way any more to devices that ended.
    pub async fn sweep_ended(&self) {
        self.clock.sleep(UNDER_WAY).await;
        self.to_device.sweep().await.expect("swept");
        self.keys.sweep(self.clock.now()).await.expect("swept");
    }

    /// Every stored message, whosever it is.
    pub async fn stored(&self) -> usize {
        self.rows::<ToDeviceMessages>().await
    }

    /// How many rows there are.
    pub async fn rows<K: Keyspace>(&self) -> usize {
        let mut pages = Pages::new(KeyRange::<K>::all(), 1_000);
        let mut stored = 0;
        while let Some(rows) = pages.next(&self.db.snapshot()).await.expect("rows") {
            stored += rows.len();
        }
        stored
    }

    /// What is counted for the inbox of a device.
    pub async fn counted_for(&self, user: &UserId, device: &str) -> i64 {
        let (snapshot, owner) = (self.db.snapshot(), (user.to_owned(), device.into()));
        let row = snapshot.get::<Devices>(&owner).await.expect("a row").expect("a device");
        let counted = snapshot.get::<ToDeviceBytes>(&(owner.0, owner.1, row.since)).await;
        counted.expect("a row").unwrap_or_default().0
    }

    /// What is counted for each inbox.
    pub async fn counted(&self) -> Vec<i64> {
        let mut pages = Pages::new(KeyRange::<ToDeviceBytes>::all(), 1_000);
        let rows = pages.next(&self.db.snapshot()).await.expect("rows").unwrap_or_default();
        rows.into_iter().map(|(_, Counter(bytes))| bytes).collect()
    }
}

/// What an actor is told of the keys of a user.
pub async fn told(keys: &Keys, reader: &Actor, user: &UserId) -> Value {
    let queried = keys.query(reader, &[(user.to_owned(), Vec::new())].into()).await.expect("keys");
    let keys = &queried.users[user];
    let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    json!({
        "devices": value(&keys.devices()),
        "master": keys.master().map(value),
        "self_signing": keys.self_signing().map(value),
        "user_signing": keys.user_signing().map(value),
    })
}

pub async fn page_of(
    snapshot: &Snapshot,
    user: &UserId,
    device: &DeviceId,
    after: Position,
    limit: usize,
) -> ToDevicePage {
    let page = to_device_messages(snapshot, user, device, after, snapshot.position(), limit).await;
    page.expect("messages")
}

pub fn numbers(page: &ToDevicePage) -> Vec<u64> {
    let number = |event: &str| {
        let event: Value = serde_json::from_str(event).expect("JSON");
        event["content"]["n"].as_u64().expect("a number")
    };
    page.messages.iter().map(|event| number(event)).collect()
}

/// The same content for each of these recipients; `*` is all devices.
pub fn messages(to: &[(&UserId, &str)], content: &Value) -> Messages {
    let content = content.as_object().expect("an object");
    let mut messages = Messages::new();
    for (user, device) in to {
        let device = (*device).try_into().expect("a device");
        messages.entry((*user).to_owned()).or_default().insert(device, content.clone());
    }
    messages
}

pub fn actor(user: &UserId, device: &str) -> Actor {
    Actor::User { user: user.to_owned(), device: device.into() }
}

pub fn bridge(user: &UserId) -> Actor {
    Actor::AppService { registration: "bridge".to_owned(), user: user.to_owned(), device: None }
}
