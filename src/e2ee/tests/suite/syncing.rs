//! What a device that syncs gets, and what stays afterwards.

use plop_db::{Batch, MemoryDisk, Position};
use plop_e2ee::schema::{ToDeviceMessages, ToDeviceRow};
use plop_e2ee::to_device::{MAX_PAGE_MESSAGES, to_device_messages};
use ruma::{OwnedUserId, device_id};

use crate::bed::{Bed, actor, numbers};

/// A sync loop: the token, and what it has got.
struct Client {
    user: OwnedUserId,
    device: &'static str,
    token: Position,
    got: Vec<u64>,
}

impl Client {
    fn new(user: &OwnedUserId, device: &'static str) -> Self {
        Self { user: user.clone(), device, token: Position::START, got: Vec::new() }
    }

    /// One `/sync`: its token acknowledges, then a page is read.
    async fn sync(&mut self, bed: &Bed, limit: usize) {
        bed.to_device.acknowledge(&self.user, self.device.into(), self.token).await.expect("acknowledged");
        if bed.to_device.has_none(&self.user, self.device.into()) {
            assert_eq!(bed.numbers(&self.user, self.device).await, [0; 0]);
            self.token = bed.db.published();
            return;
        }
        let page = bed.page(&self.user, self.device, self.token, limit).await;
        self.got.extend(numbers(&page));
        self.token = page.end;
    }
}

#[tokio::test(start_paused = true)]
async fn every_device_gets_each_message_once_and_in_order() {
    let mut bed = Bed::new();
    let (alice, bob) = (bed.user("alice", &["A"]).await, bed.user("bob", &["B1", "B2"]).await);
    let mut clients = [Client::new(&bob, "B1"), Client::new(&bob, "B2")];
    let from = actor(&alice, "A");
    for round in 0..60_u64 {
        let ids = [2 * round, 2 * round + 1].map(|number| number.to_string());
        let to = [(&*bob, "*")];
        let first = bed.send(&from, &ids[0], &to, 2 * round);
        let second = bed.send(&from, &ids[1], &to, 2 * round + 1);
        let [one, two] = &mut clients;
        // One is fast, one falls behind and comes back.
        let (sent, (), (), sent_too) = tokio::join!(
            first,
            one.sync(&bed, 3),
            async {
                if round % 7 == 0 {
                    two.sync(&bed, 5).await;
                }
            },
            second
        );
        sent.and(sent_too).expect("sent");
        if round % 20 == 19 {
            bed = bed.restarted().await;
        }
    }
    for client in &mut clients {
        for _ in 0..60 {
            client.sync(&bed, 4).await;
        }
        client.got.dedup();
        assert_eq!(client.got, Vec::from_iter(0..120), "{}", client.device);
        assert!(bed.to_device.has_none(&bob, client.device.into()));
    }
    assert_eq!((bed.stored().await, bed.counted().await), (0, vec![0, 0]));
}

#[tokio::test(start_paused = true)]
async fn a_page_says_where_it_ends_and_takes_nothing_that_came_later() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    let from = actor(&alice, "A");
    for number in 0..250 {
        bed.send(&from, &number.to_string(), &[(&alice, "A")], number).await.expect("sent");
    }
    let to = bed.db.published();
    bed.send(&from, "late", &[(&alice, "A")], 999).await.expect("sent");
    let snapshot = bed.db.snapshot();
    let read = async |after, limit| {
        let page = to_device_messages(&snapshot, &alice, device_id!("A"), after, to, limit).await;
        page.expect("messages")
    };
    let first = read(Position::START, usize::MAX).await;
    assert_eq!((first.messages.len(), first.more), (MAX_PAGE_MESSAGES, true));
    let second = read(first.end, 100).await;
    let third = read(second.end, 100).await;
    assert_eq!((third.messages.len(), third.more, third.end), (50, false, to));
    let all = [first, second, third].iter().flat_map(numbers).collect::<Vec<_>>();
    assert_eq!(all, Vec::from_iter(0..250));
    let empty = read(Position::START, 0).await;
    assert_eq!((empty.messages.len(), empty.end, empty.more), (0, Position::START, true));
    let none = read(to, 100).await;
    assert_eq!((none.messages.len(), none.end, none.more), (0, to, false));
}

#[tokio::test(start_paused = true)]
async fn b4_87_what_one_device_acknowledges_stays_for_the_others() {
    let bed = Bed::new();
    let (alice, bob) = (bed.user("alice", &["A", "B"]).await, bed.user("bob", &["A"]).await);
    let everyone = [(&*alice, "*"), (&*bob, "*")];
    bed.send(&actor(&alice, "A"), "1", &everyone, 1).await.expect("sent");
    let middle = bed.db.published();
    bed.send(&actor(&alice, "A"), "2", &everyone, 2).await.expect("sent");
    bed.to_device.acknowledge(&alice, device_id!("A"), middle).await.expect("acknowledged");
    // Nothing is there that was not visible: such a token does not exist.
    bed.to_device.acknowledge(&bob, device_id!("B"), Position::pending(0)).await.expect("acknowledged");
    for (user, device, expected) in [(&alice, "A", &[2][..]), (&alice, "B", &[1, 2]), (&bob, "A", &[1, 2])] {
        assert_eq!(bed.numbers(user, device).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_loop_without_messages_costs_neither_a_read_nor_a_write() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A", "B"]).await;
    let device = device_id!("A");
    assert!(!bed.to_device.has_none(&alice, device), "not known yet");
    bed.to_device.acknowledge(&alice, device, bed.db.published()).await.expect("acknowledged");
    assert!(bed.to_device.has_none(&alice, device));

    // A row that came past the writer shows that nobody looks.
    let since = bed.db.published();
    let mut hidden = Batch::durable();
    let row = ToDeviceRow { event: plop_db::codec::Tail("{}".into()) };
    let devices = bed.db.snapshot().get::<plop_accounts::schema::Devices>(&(alice.clone(), "A".into())).await;
    let made = devices.expect("read").expect("a device").since;
    hidden.put::<ToDeviceMessages>(&(alice.clone(), "A".into(), made, since), &row);
    bed.db.commit(hidden).await.expect("a commit");
    let commits = bed.db.stats().commits;
    for _ in 0..3 {
        bed.to_device.acknowledge(&alice, device, bed.db.published()).await.expect("acknowledged");
    }
    assert_eq!((bed.db.stats().commits, bed.stored().await), (commits, 1));

    // A message for another device changes nothing, one for this device does.
    bed.send(&actor(&alice, "A"), "1", &[(&alice, "B")], 1).await.expect("sent");
    assert!(bed.to_device.has_none(&alice, device));
    let before = bed.db.published();
    bed.send(&actor(&alice, "A"), "2", &[(&alice, "A")], 2).await.expect("sent");
    assert!(!bed.to_device.has_none(&alice, device));
    let commits = bed.db.stats().commits;
    bed.to_device.acknowledge(&alice, device, before).await.expect("acknowledged");
    assert_eq!(bed.db.stats().commits, commits, "it is above the token");
    bed.to_device.acknowledge(&alice, device, bed.db.published()).await.expect("acknowledged");
    assert_eq!((bed.stored().await, bed.to_device.has_none(&alice, device)), (1, true));
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_at_once_count_each_message_once() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    for number in 0..500 {
        bed.send(&actor(&alice, "A"), &number.to_string(), &[(&alice, "A")], number).await.expect("sent");
    }
    let (device, up_to) = (device_id!("A"), bed.db.published());
    let acknowledge = || bed.to_device.acknowledge(&alice, device, up_to);
    let from = actor(&alice, "A");
    let to = [(&*alice, "A")];
    let late = bed.send(&from, "late", &to, 999);
    let (a, b, c, sent) = tokio::join!(acknowledge(), acknowledge(), acknowledge(), late);
    assert!(a.is_ok() && b.is_ok() && c.is_ok() && sent.is_ok());
    assert_eq!(bed.numbers(&alice, "A").await, [999]);
    bed.to_device.acknowledge(&alice, device, bed.db.published()).await.expect("acknowledged");
    assert_eq!((bed.stored().await, bed.counted().await), (0, vec![0]));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_in_its_commit_and_comes_again_counts_each_message_once() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["A"]).await;
    let (device, from) = (device_id!("A"), actor(&alice, "A"));
    for number in 0..3 {
        bed.send(&from, &number.to_string(), &[(&alice, "A")], number).await.expect("sent");
    }
    let up_to = bed.db.published();
    tokio::select! {
        biased;
        outcome = bed.to_device.acknowledge(&alice, device, up_to) => panic!("no commit was waited for: {outcome:?}"),
        // The client goes away as soon as the deletion is queued.
        () = std::future::ready(()) => {}
    }
    bed.to_device.acknowledge(&alice, device, up_to).await.expect("acknowledged");
    assert_eq!((bed.stored().await, bed.counted().await), (0, vec![0]));
    bed.send(&from, "again", &[(&alice, "A")], 9).await.expect("sent");
    assert!(bed.counted().await[0] > 0, "the limit of the inbox is still there");
}

#[tokio::test(start_paused = true)]
async fn what_a_power_cut_brings_back_is_shown_to_nobody_and_goes_again() {
    let disk = MemoryDisk::new();
    let bed = Bed::on_disk(&disk);
    let alice = bed.user("alice", &["A"]).await;
    bed.send(&actor(&alice, "A"), "1", &[(&alice, "A")], 1).await.expect("sent");
    let token = bed.db.published();
    bed.to_device.acknowledge(&alice, device_id!("A"), token).await.expect("acknowledged");
    assert_eq!(bed.stored().await, 0);
    // The first process writes nothing more; ended in order it would sync.
    disk.lose_unsynced();
    let again = Bed::on_disk(&disk);
    let (_cut, bed) = (bed, again);
    assert_eq!(bed.stored().await, 1);
    assert_eq!(numbers(&bed.page(&alice, "A", token, 10).await), [0; 0]);
    bed.to_device.acknowledge(&alice, device_id!("A"), token).await.expect("acknowledged");
    assert_eq!(bed.stored().await, 0);
}
