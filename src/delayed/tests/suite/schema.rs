//! What is on disks already.

use plop_base::UnixMillis;
use plop_db::Batch;
use plop_db::codec::Tail;
use plop_delayed::schema::{
    DelayedEvents, DelayedOfUser, DelayedRequest, DelayedRequests, DelayedRow, DueDelayed, End, FailureKind,
    FailureRow, FinalisedDelayed, FinalisedRow, KEYSPACES, ScheduledBy,
};
use ruma::{owned_event_id, owned_room_id, owned_user_id};

/// What is on disks already. A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let (now, id, user) = (UnixMillis(1_700_000_000_000), "abc".to_owned(), owned_user_id!("@a:b.c"));
    let request = DelayedRequest {
        user: user.clone(),
        device: "D".to_owned(),
        room: owned_room_id!("!r:b.c"),
        kind: "t".to_owned(),
        transaction: "1".to_owned(),
    };
    let scheduled = DelayedRow {
        user: user.clone(),
        device: "D".to_owned(),
        by: ScheduledBy::User,
        room: owned_room_id!("!r:b.c"),
        kind: "t".to_owned(),
        state_key: None,
        delay: 1500,
        since: now,
        due: UnixMillis(1_700_000_001_500),
        request: None,
        replaces: None,
        finalised: None,
        content: Tail("{}".to_owned()),
    };
    let mut rows = Batch::durable();
    rows.put::<DelayedEvents>(&id, &scheduled);
    let kinds = [
        FailureKind::Forbidden,
        FailureKind::NotFound,
        FailureKind::TooLarge,
        FailureKind::Suspended,
        FailureKind::AccountEnded,
        FailureKind::Replaced,
        FailureKind::Other,
        FailureKind::Limited,
    ];
    let failures = kinds.map(|kind| End::Refused { failure: FailureRow { kind, reason: "r".to_owned() } });
    let ends = [End::Sent { event: owned_event_id!("$e") }, End::Cancelled].into_iter().chain(failures);
    let actors = [
        ScheduledBy::AppService { registration: "b".to_owned() },
        ScheduledBy::Guest,
        ScheduledBy::Admin { admin: owned_user_id!("@root:b.c") },
        ScheduledBy::ShadowBanned,
        ScheduledBy::Server,
    ];
    for (end, by) in ends.zip(actors.into_iter().cycle()) {
        let over = DelayedRow {
            state_key: Some("k".to_owned()),
            request: Some(request.clone()),
            replaces: Some(owned_event_id!("$d")),
            finalised: Some(FinalisedRow { at: now, end }),
            by,
            ..scheduled.clone()
        };
        rows.put::<DelayedEvents>(&id, &over);
    }
    rows.put::<DueDelayed>(&(scheduled.due, now, id.clone()), &());
    for is_over in [false, true] {
        rows.put::<DelayedOfUser>(&(user.clone(), is_over, now, id.clone()), &());
    }
    rows.put::<DelayedRequests>(&request, &id);
    rows.put::<FinalisedDelayed>(&(now, id), &());
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}
