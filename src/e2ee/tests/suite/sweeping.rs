//! Devices that are gone, and what was for them.

use std::time::Duration;

use plop_accounts::ended_devices::UNDER_WAY;
use plop_accounts::schema::DeviceEnds;
use plop_bed::Signer;
use plop_db::Position;
use plop_e2ee::keys::Upload;
use plop_e2ee::schema::{DeviceKeys, ToDeviceTransactionTimes, ToDeviceTransactions};
use plop_rooms::schema::TRANSACTION_LIFETIME;
use ruma::device_id;

use crate::bed::{Bed, actor, page_of};

#[tokio::test(start_paused = true)]
async fn b5_96_a_device_that_is_gone_has_no_messages_and_a_new_one_of_its_id_gets_none_of_them() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A", "B"]).await;
    bed.send(&actor(&alice, "A"), "1", &[(&alice, "*")], 1).await.expect("sent");
    // The same inbox, empty as far as memory knows, and not.
    for known in [false, true] {
        if known {
            let up_to = bed.db.published();
            bed.to_device.acknowledge(&alice, device_id!("B"), up_to).await.expect("acknowledged");
            bed.send(&actor(&alice, "A"), "2", &[(&alice, "B")], 2).await.expect("sent");
        }
        let before = bed.db.snapshot();
        bed.logout(&alice, "B").await;
        assert_eq!(bed.numbers(&alice, "B").await, [0; 0], "gone at once");
        bed.device(&alice, "B").await;
        assert_eq!(bed.numbers(&alice, "B").await, [0; 0], "not for the new one");
        assert_eq!(page_of(&before, &alice, device_id!("B"), Position::START, 10).await.messages.len(), 1);
        let id = format!("new {known}");
        bed.send(&actor(&alice, "A"), &id, &[(&alice, "B")], 3).await.expect("sent");
        assert_eq!(bed.numbers(&alice, "B").await, [3]);
    }
    bed.sweep_ended().await;
    assert_eq!((bed.numbers(&alice, "A").await, bed.numbers(&alice, "B").await), (vec![1], vec![3]));
    assert_eq!((bed.stored().await, bed.counted().await.len()), (2, 2), "nothing else is left");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_under_way_to_a_device_that_logs_out_is_for_nobody_else() {
    for rounds in 0..20 {
        let bed = Bed::new();
        let (alice, bob) = (bed.user("alice", &["A"]).await, bed.user("bob", &["B"]).await);
        let again = async {
            for _ in 0..rounds {
                tokio::task::yield_now().await;
            }
            bed.logout(&bob, "B").await;
            bed.device(&bob, "B").await;
            bed.db.published()
        };
        let (from, to) = (actor(&alice, "A"), [(&*bob, "B")]);
        let (made, sent) = tokio::join!(again, bed.send(&from, "1", &to, 1));
        sent.expect("sent");
        let page = bed.page(&bob, "B", Position::START, 10).await;
        // Either it was sent to the new one, or nobody has it.
        let after = bed.page(&bob, "B", made, 10).await;
        assert!(page.messages.is_empty() || page.messages == after.messages);
        bed.sweep_ended().await;
        assert_eq!(bed.stored().await, page.messages.len());
    }
}

#[tokio::test(start_paused = true)]
async fn the_sweep_pages_through_what_ended() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    let names: Vec<String> = (0..2_500).map(|number| format!("D{number}")).collect();
    bed.many_devices(&alice, &names).await;
    bed.send(&actor(&alice, "A"), "1", &[(&alice, "*")], 1).await.expect("sent");
    assert_eq!(bed.stored().await, 2_501);
    let gone: Vec<_> = names[..2_400].iter().map(|name| name.as_str().into()).collect();
    plop_bed::delete_devices(&bed.accounts, &actor(&alice, "A"), &gone).await.expect("a deletion");
    bed.to_device.sweep().await.expect("swept");
    assert_eq!(bed.stored().await, 2_501, "what is on the way to them may arrive still");
    bed.sweep_ended().await;
    assert_eq!((bed.stored().await, bed.counted().await.len()), (101, 101));
    plop_bed::deactivate(&bed.accounts, &actor(&alice, "A"), true).await.expect("a deactivation");
    bed.sweep_ended().await;
    assert_eq!((bed.stored().await, bed.counted().await.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn messages_and_keys_of_a_device_go_in_either_order() {
    for keys_first in [false, true] {
        let bed = Bed::new();
        let alice = bed.user("alice", &["A", "B"]).await;
        let upload = Upload {
            device_keys: Some(Signer::new(1).device_keys(&alice, "B")),
            one_time_keys: None,
            fallback_keys: None,
        };
        bed.keys.upload(&actor(&alice, "B"), &upload).await.expect("published");
        bed.send(&actor(&alice, "A"), "1", &[(&alice, "B")], 1).await.expect("sent");
        bed.logout(&alice, "B").await;
        bed.clock.sleep(UNDER_WAY).await;
        let left = async |bed: &Bed| {
            bed.accounts.trim_ends().await.expect("trimmed");
            (bed.stored().await, bed.rows::<DeviceKeys>().await, bed.rows::<DeviceEnds>().await)
        };
        if keys_first {
            bed.keys.sweep(bed.clock.now()).await.expect("swept");
            assert_eq!(left(&bed).await, (1, 0, 1));
        } else {
            bed.to_device.sweep().await.expect("swept");
            assert_eq!(left(&bed).await, (0, 1, 1));
        }
        // The other one comes after a restart, and fails at first.
        let bed = bed.restarted().await;
        bed.disk.set_full(true);
        let messages = bed.to_device.sweep().await.is_ok();
        let keys = bed.keys.sweep(bed.clock.now()).await.is_ok();
        assert_eq!((messages, keys), (!keys_first, keys_first));
        bed.disk.set_full(false);
        let bed = bed.restarted().await;
        bed.to_device.sweep().await.expect("swept");
        bed.keys.sweep(bed.clock.now()).await.expect("swept");
        assert_eq!(left(&bed).await, (0, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_id_is_forgotten_after_its_time() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    let to = [(&*alice, "A")];
    let send = async |number| bed.send(&actor(&alice, "A"), "1", &to, number).await.expect("sent");
    send(1).await;
    bed.clock.sleep(TRANSACTION_LIFETIME).await;
    bed.to_device.sweep().await.expect("swept");
    send(2).await;
    assert_eq!(bed.numbers(&alice, "A").await, [1]);
    bed.clock.sleep(Duration::from_millis(1)).await;
    bed.to_device.sweep().await.expect("swept");
    assert_eq!(bed.rows::<ToDeviceTransactions>().await + bed.rows::<ToDeviceTransactionTimes>().await, 0);
    send(3).await;
    assert_eq!(bed.numbers(&alice, "A").await, [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_id_of_a_later_device_has_its_own_time() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A", "B"]).await;
    let to = [(&*alice, "B")];
    let send = async |number| bed.send(&actor(&alice, "A"), "1", &to, number).await.expect("sent");
    send(1).await;
    bed.clock.sleep(TRANSACTION_LIFETIME / 2).await;
    bed.logout(&alice, "A").await;
    bed.device(&alice, "A").await;
    send(2).await;
    assert_eq!(bed.rows::<ToDeviceTransactionTimes>().await, 1, "the row of the earlier one goes");
    bed.clock.sleep(TRANSACTION_LIFETIME / 2 + Duration::from_millis(1)).await;
    bed.to_device.sweep().await.expect("swept");
    send(3).await;
    assert_eq!(bed.numbers(&alice, "B").await, [1, 2]);
}
