//! What uploads and queries of keys cost. `cargo bench --profile release -p plop-e2ee`.
//!
//! On RocksDB with everything in its caches; HTTP is not in it. An upload waits for the disk, so its figure is not of the CPU alone.
//! `PLOP_BENCH_DIR` chooses the disk.

#![expect(clippy::disallowed_methods, reason = "a bench takes the time")]

use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use plop_accounts::Accounts;
use plop_accounts::registration::NewAccount;
use plop_base::{Actor, Random};
use plop_bed::{Ground, Signer, parameters, server};
use plop_db::{Db, Options};
use plop_e2ee::keys::{Keys, Upload, Wanted};
use ruma::{OwnedUserId, device_id};
use tokio::runtime::Runtime;

/// What clients keep there.
const ONE_TIME_KEYS: u32 = 50;
/// Users of a query.
const QUERIED: usize = 50;

/// Users with one device each.
struct Scene {
    db: Db,
    accounts: Accounts,
    keys: Keys,
}

impl Scene {
    fn new(folder: &Path) -> Self {
        let random = Random::seeded(7);
        let keyspaces = [plop_accounts::schema::KEYSPACES, plop_e2ee::schema::KEYSPACES].concat();
        let db = Db::open(Options::new(folder.join("db"), keyspaces), &random).expect("a database");
        let ground = Ground::on(db.clone(), random);
        let accounts = plop_bed::accounts(&ground, parameters());
        let keys = Keys::new(db.clone(), accounts.clone(), server());
        Self { db, accounts, keys }
    }

    /// A device without keys.
    async fn device(&self) -> Actor {
        let account = self.accounts.create_account(&Actor::Server, NewAccount::default(), false).await;
        let user = account.expect("an account").user;
        let actor =
            Actor::AppService { registration: "bench".to_owned(), user, device: Some("DEVICE".into()) };
        self.accounts.update_device(&actor, device_id!("DEVICE"), None).await.expect("a device");
        actor
    }

    /// Uploads the first keys of new devices, or those that come after others.
    async fn upload(&self, times: u64, is_first: bool) -> Duration {
        let mut sum = Duration::ZERO;
        for _ in 0..times {
            let device = self.device().await;
            if !is_first {
                self.keys.upload(&device, &keys_of(&device, 0)).await.expect("published");
            }
            let upload = keys_of(&device, ONE_TIME_KEYS);
            let start = Instant::now();
            self.keys.upload(&device, &upload).await.expect("published");
            sum += start.elapsed();
        }
        sum
    }

    /// Users whose devices have keys.
    async fn users(&self) -> Vec<OwnedUserId> {
        let mut users = Vec::new();
        for _ in 0..QUERIED {
            let device = self.device().await;
            self.keys.upload(&device, &keys_of(&device, 0)).await.expect("published");
            users.extend(device.user_id().map(ToOwned::to_owned));
        }
        users
    }
}

/// Identity keys, and one-time keys from a number on.
fn keys_of(device: &Actor, first: u32) -> Upload {
    let (user, key) = (device.user_id().expect("a user"), Signer::new(1));
    Upload {
        device_keys: Some(key.device_keys(user, "DEVICE")),
        one_time_keys: Some(key.one_time_keys(user, "DEVICE", first..first + ONE_TIME_KEYS)),
        fallback_keys: None,
    }
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = std::env::var_os("PLOP_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    let scene = runtime.block_on(async { Scene::new(folder.path()) });
    let mut group = criterion.benchmark_group("keys");
    group.sample_size(20);
    for (name, is_first) in [("upload, the first of a device", true), ("upload, 50 more", false)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| runtime.block_on(scene.upload(times, is_first)));
        });
    }
    let users = runtime.block_on(scene.users());
    let reader = Actor::AppService { registration: "bench".to_owned(), user: users[0].clone(), device: None };
    let wanted: Wanted = users.into_iter().map(|user| (user, Vec::new())).collect();
    group.bench_function("query of 50 users, asked before", |bencher| {
        bencher.iter(|| runtime.block_on(scene.keys.query(&reader, &wanted)).expect("keys"));
    });
    // Each time as after a restart.
    group.bench_function("query of 50 users, asked now", |bencher| {
        bencher.iter(|| {
            let keys = Keys::new(scene.db.clone(), scene.accounts.clone(), server());
            runtime.block_on(keys.query(&reader, &wanted)).expect("keys")
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
