//! Pushers: one row for each, gone with whom they wake.

use plop_accounts::pushers::{
    MAX_APP_ID_CHARACTERS, MAX_OWNERS, MAX_PUSH_KEY_BYTES, MAX_PUSHER_DATA_BYTES, MAX_PUSHERS,
    MAX_TEXT_BYTES, NewPusher, Pusher, PusherError, PusherId,
};
use plop_accounts::schema::{PusherOwners, Pushers};
use plop_accounts::sessions::LoggedIn;
use plop_base::Actor;
use plop_db::{Direction, KeyRange};

use crate::bed::{Bed, PASSWORD, actor, id, json};

/// What a phone asks for.
pub fn pusher(push_key: &str) -> NewPusher {
    NewPusher {
        id: PusherId { app: "org.example.app".to_owned(), push_key: push_key.to_owned() },
        app_display_name: "App".to_owned(),
        device_display_name: "Phone".to_owned(),
        profile_tag: None,
        lang: "en".to_owned(),
        data: json(r#"{"url": "https://push.example/_matrix/push/v1/notify", "custom": [1]}"#),
        enabled: None,
        append: false,
    }
}

async fn set(bed: &Bed, login: &LoggedIn, push_key: &str) {
    bed.accounts.set_pusher(&actor(login), pusher(push_key)).await.expect("a pusher");
}

async fn of(bed: &Bed, login: &LoggedIn) -> Vec<Pusher> {
    bed.accounts.pushers(&actor(login)).await.expect("pushers")
}

async fn keys_of(bed: &Bed, login: &LoggedIn) -> Vec<String> {
    of(bed, login).await.into_iter().map(|pusher| pusher.id.push_key).collect()
}

/// Rows of both keyspaces, whoever's.
async fn rows(bed: &Bed) -> (usize, usize) {
    let snapshot = bed.db.snapshot();
    let pushers = snapshot.scan(KeyRange::<Pushers>::all(), Direction::Forward, 1_000).await;
    let owners = snapshot.scan(KeyRange::<PusherOwners>::all(), Direction::Forward, 1_000).await;
    (pushers.expect("rows").rows.len(), owners.expect("rows").rows.len())
}

#[tokio::test(start_paused = true)]
async fn a_pusher_is_made_changed_and_deleted() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    set(&bed, &phone, "a").await;
    let made = of(&bed, &phone).await.remove(0);
    assert_eq!(made.row.device.as_ref(), Some(&phone.device));
    assert!(made.row.enabled);
    bed.pass(60).await;
    let renamed = NewPusher { app_display_name: "New".to_owned(), ..pusher("a") };
    bed.accounts.set_pusher(&actor(&phone), renamed).await.expect("a change");
    let bed = bed.restarted();
    let changed = of(&bed, &phone).await;
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].row.app_display_name, "New");
    assert_eq!(changed[0].row.since, made.row.since, "it is the same one");
    assert!(changed[0].row.set > made.row.set);
    // Those of somebody else cannot be deleted.
    let other = bed.user("bob").await;
    bed.accounts.delete_pusher(&actor(&other), &made.id).await.expect("nothing");
    assert_eq!(rows(&bed).await, (1, 1));
    for _ in 0..2 {
        bed.accounts.delete_pusher(&actor(&phone), &made.id).await.expect("a deletion");
    }
    assert_eq!(rows(&bed).await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn b5_96_pushers_go_with_their_device() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let laptop = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    let bridge = Actor::AppService { registration: "irc".to_owned(), user: id("alice"), device: None };
    set(&bed, &phone, "phone").await;
    set(&bed, &laptop, "laptop").await;
    bed.accounts.set_pusher(&bridge, pusher("bridge")).await.expect("a pusher");
    let gone =
        plop_bed::delete_devices(&bed.accounts, &actor(&phone), std::slice::from_ref(&laptop.device)).await;
    gone.expect("a deletion");
    assert_eq!(keys_of(&bed, &phone).await, ["bridge", "phone"]);
    // The session of the other device has ended meanwhile.
    let late = bed.accounts.set_pusher(&actor(&laptop), pusher("laptop")).await;
    assert!(matches!(late, Err(PusherError::NoDevice)));
    bed.accounts.logout(&actor(&phone)).await.expect("a logout");
    assert_eq!(keys_of(&bed, &phone).await, ["bridge"]);
    let phone = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    plop_bed::deactivate(&bed.accounts, &actor(&phone), false).await.expect("the end");
    assert_eq!(rows(&bed).await, (0, 0));
    assert!(bed.accounts.set_pusher(&bridge, pusher("bridge")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_new_password_leaves_the_pushers_of_the_device_that_set_it() {
    for (logout_others, left) in [(true, vec!["phone"]), (false, vec!["laptop", "phone"])] {
        let bed = Bed::new();
        let phone = bed.user("alice").await;
        let laptop = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
        set(&bed, &phone, "phone").await;
        set(&bed, &laptop, "laptop").await;
        let changed =
            plop_bed::change_password(&bed.accounts, &actor(&phone), "another one", logout_others).await;
        changed.expect("a change");
        assert_eq!(keys_of(&bed, &phone).await, left);
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_ends_while_its_pusher_is_set_leaves_none() {
    let bed = Bed::new();
    for number in 0..10 {
        let login = bed.user(&format!("user{number}")).await;
        let actor = actor(&login);
        let (set, gone) =
            tokio::join!(bed.accounts.set_pusher(&actor, pusher("a")), bed.accounts.logout(&actor));
        gone.expect("a logout");
        assert!(matches!(set, Ok(()) | Err(PusherError::NoDevice)));
        assert_eq!(rows(&bed).await, (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn who_claims_a_push_key_takes_it_from_others() {
    let bed = Bed::new();
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    set(&bed, &alice, "a").await;
    set(&bed, &alice, "b").await;
    let appended = NewPusher { append: true, ..pusher("a") };
    bed.accounts.set_pusher(&actor(&bob), appended).await.expect("a pusher");
    assert_eq!((keys_of(&bed, &alice).await.len(), keys_of(&bed, &bob).await.len()), (2, 1));
    // One of another app is another one.
    let mut other_app = pusher("a");
    other_app.id.app = "org.example.other".to_owned();
    bed.accounts.set_pusher(&actor(&bob), other_app).await.expect("a pusher");
    assert_eq!(keys_of(&bed, &alice).await, ["a", "b"]);
    set(&bed, &bob, "a").await;
    assert_eq!((keys_of(&bed, &alice).await, keys_of(&bed, &bob).await.len()), (vec!["b".to_owned()], 2));
    assert_eq!(rows(&bed).await, (3, 3));
    // Of two at the same time one has it.
    let (alices, bobs) = (actor(&alice), actor(&bob));
    let (one, two) = tokio::join!(
        bed.accounts.set_pusher(&alices, pusher("a")),
        bed.accounts.set_pusher(&bobs, pusher("a"))
    );
    one.and(two).expect("both");
    assert_eq!(rows(&bed).await, (3, 3));
}

/// MSC3881: another device of the user switches a pusher off, and it still goes with the device that it wakes.
#[tokio::test(start_paused = true)]
async fn a_pusher_that_is_switched_off_stays_with_its_device() {
    let bed = Bed::new();
    let phone = bed.user("alice").await;
    let laptop = bed.login("alice", PASSWORD, "192.0.2.1").await.expect("a login");
    set(&bed, &phone, "a").await;
    let off = NewPusher { enabled: Some(false), ..pusher("a") };
    bed.accounts.set_pusher(&actor(&laptop), off).await.expect("a change");
    let row = of(&bed, &phone).await.remove(0).row;
    assert_eq!((row.enabled, row.device), (false, Some(phone.device.clone())));
    // The app that sets it as its own takes it along, as after another login on the same phone.
    set(&bed, &laptop, "a").await;
    let row = of(&bed, &phone).await.remove(0).row;
    assert_eq!((row.enabled, row.device), (true, Some(laptop.device)));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_pusher_is_refused() {
    let bed = Bed::new();
    let alice = actor(&bed.user("alice").await);
    let refused = async |change: &dyn Fn(&mut NewPusher)| {
        let mut new = pusher("a");
        change(&mut new);
        bed.accounts.set_pusher(&alice, new).await.expect_err("refused")
    };
    let (long, tag) = ("x".repeat(MAX_PUSH_KEY_BYTES + 1), "x".repeat(MAX_TEXT_BYTES + 1));
    for app in [String::new(), "ü".repeat(MAX_APP_ID_CHARACTERS + 1)] {
        assert!(matches!(refused(&|new| new.id.app.clone_from(&app)).await, PusherError::InvalidApp));
    }
    for key in [String::new(), long] {
        let error = refused(&|new| new.id.push_key.clone_from(&key)).await;
        assert!(matches!(error, PusherError::InvalidPushKey));
    }
    assert!(matches!(refused(&|new| new.profile_tag = Some(tag.clone())).await, PusherError::TextTooLong));
    assert!(matches!(refused(&|new| new.lang.clone_from(&tag)).await, PusherError::TextTooLong));
    assert!(matches!(refused(&|new| new.data = json("{}")).await, PusherError::NoUrl));
    assert!(matches!(refused(&|new| new.data = json(r#"{"url": 1}"#)).await, PusherError::NoUrl));
    let http = r#"{"url": "http://push.example/_matrix/push/v1/notify"}"#;
    assert!(matches!(refused(&|new| new.data = json(http)).await, PusherError::InvalidUrl));
    let large = |new: &mut NewPusher| {
        new.data.insert("more".to_owned(), "x".repeat(MAX_PUSHER_DATA_BYTES).into());
    };
    assert!(matches!(refused(&large).await, PusherError::DataTooLarge));
    assert_eq!(rows(&bed).await, (0, 0));
    // The longest ones are taken.
    let mut longest = pusher(&"k".repeat(MAX_PUSH_KEY_BYTES));
    longest.id.app = "ü".repeat(MAX_APP_ID_CHARACTERS);
    bed.accounts.set_pusher(&alice, longest).await.expect("a pusher");
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_of_a_user_and_of_a_push_key() {
    let bed = Bed::new();
    let alice = bed.user("alice").await;
    for number in 0..MAX_PUSHERS {
        set(&bed, &alice, &format!("{number}")).await;
    }
    let more = bed.accounts.set_pusher(&actor(&alice), pusher("more")).await;
    assert!(matches!(more, Err(PusherError::TooMany)));
    set(&bed, &alice, "0").await;

    let append = NewPusher { append: true, ..pusher("0") };
    for number in 1..MAX_OWNERS {
        let login = bed.user(&format!("user{number}")).await;
        bed.accounts.set_pusher(&actor(&login), append.clone()).await.expect("a pusher");
    }
    let last = bed.user("last").await;
    let more = bed.accounts.set_pusher(&actor(&last), append).await;
    assert!(matches!(more, Err(PusherError::TooMany)));
    // Who claims it alone takes it from all.
    set(&bed, &last, "0").await;
    assert_eq!(rows(&bed).await, (MAX_PUSHERS, MAX_PUSHERS));
}
