//! Reporting rooms, events and users.

use plop_base::Actor;
use plop_bed::{Ground, id, user};
use plop_bed_rooms::RoomBed;
use plop_db::{Direction, KeyRange};
use plop_moderation::reports::{MAX_OF_USER, MAX_REASON_BYTES, NotReported, Reports, Subject};
use plop_moderation::schema::{KEYSPACES, ReportRow, Reports as ReportRows, ReportsByUser};
use ruma::{event_id, owned_device_id, room_id};

struct Bed {
    rooms: RoomBed,
    reports: Reports,
}

impl Bed {
    async fn new() -> Self {
        let ground = Ground::new([plop_bed_rooms::keyspaces(), KEYSPACES.to_vec()].concat(), 3);
        let rooms = RoomBed::on(ground).await;
        let reports = Reports::new(rooms.db.clone(), rooms.clock.clone(), rooms.rooms.clone());
        Self { rooms, reports }
    }

    async fn kept(&self) -> Vec<ReportRow> {
        let all = KeyRange::<ReportRows>::all();
        let page = self.rooms.db.snapshot().scan(all, Direction::Forward, 2_000).await.expect("rows");
        page.rows.into_iter().map(|(_, row)| row).collect()
    }

    async fn refused(&self, actor: &Actor, subject: Subject<'_>, reason: Option<&str>) -> NotReported {
        let before = self.rooms.db.published();
        let refused = self.reports.report(actor, subject, reason).await.expect_err("a refusal");
        assert_eq!(self.rooms.db.published(), before, "something was written");
        refused
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_reported_by_those_who_are_in_its_room_and_see_it() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let event = bed.rooms.say("alice", &room, "spam").await;
    bed.rooms.join("bob", &room).await;
    bed.reports.report(&user("bob"), Subject::Event(&room, &event), Some("bad")).await.expect("reported");
    let row = bed.kept().await.pop().expect("a report");
    assert_eq!((row.reporter, row.reason.as_deref()), (id("bob"), Some("bad")));
    assert_eq!((row.room, row.event, row.user), (Some(room.clone()), Some(event.clone()), None));
    bed.rooms.leave("bob", &room).await;
    let (absent, nowhere) = (event_id!("$absent"), room_id!("!absent:plop.example"));
    for (name, room, event) in [
        ("bob", &*room, &*event),
        ("carol", &room, &event),
        ("alice", &room, absent),
        ("alice", nowhere, &event),
    ] {
        let refused = bed.refused(&user(name), Subject::Event(room, event), None).await;
        assert!(matches!(refused, NotReported::NoSuchEvent), "{name}: {refused:?}");
    }
}

/// Row 79 of the hostile input: whether a room or a user exists is not told.
#[tokio::test(start_paused = true)]
async fn row_79_rooms_and_users_are_reported_whether_they_exist_or_not() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let nobody = id("nobody");
    for subject in [
        Subject::Room(&room),
        Subject::Room(room_id!("!absent:plop.example")),
        Subject::User(&id("alice")),
        Subject::User(&nobody),
    ] {
        bed.reports.report(&user("bob"), subject, Some("")).await.expect("reported");
    }
    let kept = bed.kept().await;
    assert_eq!((kept.len(), &kept[3].user, &kept[0].reason), (4, &Some(nobody), &None));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_report_leaves_nothing() {
    let bed = Bed::new().await;
    let (subject, alice) = (Subject::User(&id("alice")), id("bob"));
    let long = "x".repeat(MAX_REASON_BYTES + 1);
    let refused = bed.refused(&user("bob"), subject, Some(&long)).await;
    assert!(matches!(refused, NotReported::ReasonTooLong));
    let guest = Actor::Guest { user: alice.clone(), device: owned_device_id!("D") };
    assert!(matches!(bed.refused(&guest, subject, None).await, NotReported::Guest));
    assert!(matches!(bed.refused(&Actor::Server, subject, None).await, NotReported::NoUser));
    let unheard = Actor::ShadowBanned { user: alice, device: owned_device_id!("D") };
    bed.reports.report(&unheard, subject, None).await.expect("answered");
    assert_eq!(bed.kept().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_user_has_so_many_reports_the_newest() {
    let bed = Bed::new().await;
    for number in 0..MAX_OF_USER + 10 {
        let reason = number.to_string();
        bed.reports.report(&user("bob"), Subject::User(&id("alice")), Some(&reason)).await.expect("reported");
    }
    bed.reports.report(&user("carol"), Subject::User(&id("alice")), None).await.expect("reported");
    let kept = bed.kept().await;
    assert_eq!((kept.len(), kept[0].reason.as_deref()), (MAX_OF_USER + 1, Some("10")));
    let own = KeyRange::<ReportsByUser>::prefix(&id("bob"));
    let own = bed.rooms.db.snapshot().scan(own, Direction::Forward, 2_000).await.expect("rows").rows;
    assert_eq!(own.len(), MAX_OF_USER);
}
