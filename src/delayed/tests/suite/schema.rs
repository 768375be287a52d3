//! What is on disks already.

use plop_base::UnixMillis;
use plop_db::Batch;
use plop_db::codec::Tail;
use plop_delayed::schema::{
    DelayedEvents, DelayedOfUser, DelayedRequest, DelayedRequests, DelayedRow, DueDelayed, FailureKind,
    FailureRow, FinalisedDelayed, FinalisedRow, KEYSPACES,
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
        is_heard: true,
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
    ];
    let failures = kinds.map(|kind| Some(FailureRow { kind, reason: "r".to_owned() }));
    for (event, failure) in
        [(Some(owned_event_id!("$e")), None)].into_iter().chain(failures.map(|failure| (None, failure)))
    {
        let over = DelayedRow {
            state_key: Some("k".to_owned()),
            request: Some(request.clone()),
            replaces: Some(owned_event_id!("$d")),
            finalised: Some(FinalisedRow { at: now, event, failure }),
            is_heard: false,
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
