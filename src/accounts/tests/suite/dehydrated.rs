//! Dehydrated devices: what ends them and what does not, and that they are no sessions.

use plop_accounts::dehydrated::{DehydrationError, MAX_DEVICE_DATA_BYTES, NewDehydratedDevice};
use plop_accounts::devices::{DeviceError, MAX_DEVICES};
use plop_accounts::ended_devices::{UNDER_WAY, ended_devices};
use plop_accounts::login::LoginError;
use plop_accounts::schema::{DehydratedDevices, Devices};
use plop_accounts::sessions::{DeviceRejected, LoggedIn, MAX_DEVICE_NAME_BYTES, NewDevice};
use plop_base::UnixMillis;
use plop_db::{Batch, KeyRange};
use plop_state::json::{NumberRule, parse_object};
use ruma::OwnedDeviceId;

use crate::bed::{Bed, PASSWORD, actor};
use crate::ends::Reader;

fn device(id: &str) -> NewDehydratedDevice {
    with_data(id, r#"{"algorithm":"org.example"}"#)
}

fn with_data(id: &str, data: &str) -> NewDehydratedDevice {
    let data = parse_object(data.as_bytes(), NumberRule::Strict).expect("an object");
    NewDehydratedDevice { id: id.into(), display_name: None, data }
}

async fn dehydrate(bed: &Bed, by: &LoggedIn, device: NewDehydratedDevice) -> Result<(), DehydrationError> {
    let _guard = bed.accounts.lock_user(&by.user).await;
    let mut batch = Batch::durable();
    bed.accounts.dehydrate(&bed.db.snapshot(), &mut batch, &by.user, device, false).await?;
    bed.db.commit(batch).await.expect("committed");
    Ok(())
}

async fn ids(bed: &Bed, by: &LoggedIn) -> Vec<OwnedDeviceId> {
    let devices = bed.accounts.devices(&actor(by)).await.expect("devices");
    devices.into_iter().map(|device| device.id).collect()
}

#[tokio::test(start_paused = true)]
async fn there_is_one_and_it_outlives_sessions() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let none = bed.accounts.dehydrated_device(&actor(&phone)).await;
    assert!(matches!(none, Err(DeviceError::NotFound)));
    for id in ["FIRST", "SECOND"] {
        dehydrate(&bed, &phone, device(id)).await.expect("dehydrated");
        let listed = ids(&bed, &phone).await;
        assert!(listed.len() == 2 && listed.contains(&id.into()), "{listed:?}");
    }
    bed.clock.sleep(UNDER_WAY).await;
    let ended =
        ended_devices::<Reader>(&bed.db.snapshot(), bed.clock.now(), 10).await.expect("ended devices");
    assert_eq!(ended.iter().map(|(_, _, device, _)| device.as_str()).collect::<Vec<_>>(), ["FIRST"]);

    let gone = plop_bed::change_password(&bed.accounts, &actor(&phone), "another one", true).await;
    assert_eq!(gone.expect("a change"), Vec::<OwnedDeviceId>::new());
    bed.accounts.logout_all(&actor(&phone)).await.expect("a logout");
    let phone = bed.login("alice", "another one", "192.0.2.1").await.expect("a login");
    let bed = bed.restarted();
    let kept = bed.accounts.dehydrated_device(&actor(&phone)).await.expect("a device");
    assert_eq!((kept.id.as_str(), kept.data.as_str()), ("SECOND", r#"{"algorithm":"org.example"}"#));

    let gone = bed.accounts.delete_dehydrated_device(&actor(&phone)).await.expect("a deletion");
    assert_eq!(gone.as_deref().map(AsRef::as_ref), Some("SECOND"));
    assert_eq!(bed.accounts.delete_dehydrated_device(&actor(&phone)).await.expect("nothing"), None);
    assert_eq!(ids(&bed, &phone).await, std::slice::from_ref(&phone.device));
}

#[tokio::test(start_paused = true)]
async fn who_names_it_deletes_it_and_the_account_takes_it_along() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    dehydrate(&bed, &phone, device("DRY")).await.expect("dehydrated");
    plop_bed::delete_devices(&bed.accounts, &actor(&phone), &["DRY".into()]).await.expect("a deletion");
    let none = bed.accounts.dehydrated_device(&actor(&phone)).await;
    assert!(matches!(none, Err(DeviceError::NotFound)));

    dehydrate(&bed, &phone, device("DRY")).await.expect("dehydrated");
    plop_bed::deactivate(&bed.accounts, &actor(&phone), false).await.expect("the end");
    let snapshot = bed.db.snapshot();
    assert_eq!(snapshot.get::<DehydratedDevices>(&phone.user).await.expect("a row"), None);
    let left = snapshot.scan(KeyRange::<Devices>::all(), plop_db::Direction::Forward, 10).await;
    assert_eq!(left.expect("rows").rows, []);
    let refused = dehydrate(&bed, &phone, device("DRY")).await;
    assert!(matches!(refused, Err(DehydrationError::NoAccount)));
}

#[tokio::test(start_paused = true)]
async fn it_is_no_session_and_no_session_becomes_one() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let refused = dehydrate(&bed, &phone, device("PHONE")).await;
    assert!(matches!(refused, Err(DehydrationError::InUse)));
    dehydrate(&bed, &phone, device("DRY")).await.expect("dehydrated");
    let dry = || NewDevice { id: Some("DRY".into()), ..NewDevice::default() };
    let refused = bed.login_on("alice", PASSWORD, "192.0.2.1", dry()).await;
    assert!(matches!(refused, Err(LoginError::Device(DeviceRejected::Dehydrated))));
    let (token, _) = plop_bed::login_token(&bed.accounts, &actor(&phone)).await;
    let refused = bed.accounts.login_with_token(&token, dry()).await;
    assert!(matches!(refused, Err(LoginError::Device(DeviceRejected::Dehydrated))));
}

#[tokio::test(start_paused = true)]
async fn many_logins_do_not_push_it_out() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    dehydrate(&bed, &phone, device("DRY")).await.expect("dehydrated");
    let mut batch = Batch::durable();
    for number in 1..MAX_DEVICES {
        let row = plop_accounts::schema::DeviceRow {
            since: plop_db::Position::pending(0),
            display_name: None,
            created: UnixMillis(bed.clock.now().0 + 1_000),
            generation: 0,
        };
        batch.put::<Devices>(&(phone.user.clone(), format!("D{number}").into()), &row);
    }
    bed.db.commit(batch).await.expect("committed");
    bed.pass(60).await;
    let last = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    let left = ids(&bed, &last).await;
    assert_eq!(left.len(), MAX_DEVICES + 1);
    assert!(left.contains(&"DRY".into()) && !left.contains(&"PHONE".into()));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_or_says_nothing_is_refused() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let of_size = |bytes: usize| {
        let around = r#"{"algorithm":"a","x":""}"#.len();
        with_data("DRY", &format!(r#"{{"algorithm":"a","x":"{}"}}"#, "x".repeat(bytes - around)))
    };
    let long =
        NewDehydratedDevice { display_name: Some("n".repeat(MAX_DEVICE_NAME_BYTES + 1)), ..device("DRY") };
    let refused = [
        of_size(MAX_DEVICE_DATA_BYTES + 1),
        with_data("DRY", "{}"),
        with_data("DRY", r#"{"algorithm":1}"#),
        device(""),
        device(&"x".repeat(256)),
        long,
    ];
    for device in refused {
        let shown = format!("{:?}", device.id);
        assert!(dehydrate(&bed, &phone, device).await.is_err(), "{shown}");
    }
    dehydrate(&bed, &phone, of_size(MAX_DEVICE_DATA_BYTES)).await.expect("dehydrated");
}
