//! What a hostile server hands over. The names carry the rows of the catalogue of hostile input.

use plop_db::{Direction, KeyRange};
use plop_rooms::ingest::{Unfit, Verdict};
use plop_rooms::schema::{Outcome, WaitingEvents};
use plop_rooms::serve::ServeJoinError;
use plop_state::Pdu;
use plop_state::auth::AuthError;
use plop_state::sign::SignatureError;
use ruma::{EventId, OwnedEventId, OwnedUserId, RoomVersionId};

use crate::suite::bed::json;
use crate::suite::sim_room::{create, member, message, picture, send, timeline, view};
use crate::suite::sim_scene::{Scene, third_name};

async fn scene() -> Scene {
    Scene::new(RoomVersionId::V11).await
}

fn unknown(name: &str) -> OwnedEventId {
    EventId::parse(format!("${name:a>43}")).expect("an event id")
}

async fn forward_extremities(scene: &Scene) -> Vec<OwnedEventId> {
    picture(&scene.server, &scene.room).await.forward_extremities.into_iter().collect()
}

async fn shown(scene: &Scene, event: &Pdu) -> bool {
    timeline(&scene.server, &scene.room).await.iter().any(|shown| shown.pdu.event_id() == event.event_id())
}

#[tokio::test(start_paused = true)]
async fn b3_38_auth_and_prev_events_of_another_room_satisfy_nothing() {
    let scene = scene().await;
    let other = create(std::slice::from_ref(&scene.server), &RoomVersionId::V11).await;
    let foreign = picture(&scene.server, &other).await;
    let cited: Vec<_> = foreign.state.values().take(3).cloned().collect();
    let room = scene.room.clone();
    let body = || json(r#"{"body":"x"}"#);
    let event = scene.build(
        room.clone(),
        &forward_extremities(&scene).await,
        &cited,
        &scene.evil,
        "m.room.message",
        None,
        body(),
    );
    assert_eq!(scene.receive(&event).await, Verdict::Waiting);
    let prev: Vec<_> = foreign.forward_extremities.into_iter().collect();
    let event = scene.on(&prev, &scene.evil, "m.room.message", None, r#"{"body":"x"}"#).await;
    assert_eq!(scene.receive(&event).await, Verdict::Waiting);
    assert!(!shown(&scene, &event).await);
}

#[tokio::test(start_paused = true)]
async fn b3_40_what_cites_a_rejected_event_is_rejected_and_no_state_has_it() {
    let scene = scene().await;
    let levels = scene.next(&scene.evil, "m.room.power_levels", Some(""), r#"{"users":{}}"#).await;
    assert!(matches!(scene.receive(&levels).await, Verdict::Rejected(_)));
    let state = picture(&scene.server, &scene.room).await.state;
    let cited = [
        state[r#"("m.room.create", "")"#].clone(),
        state[&format!(r#"("m.room.member", "{}")"#, scene.evil)].clone(),
        levels.event_id_owned().clone(),
    ];
    let body = json(r#"{"body":"x"}"#);
    let event = scene.build(
        scene.room.clone(),
        &forward_extremities(&scene).await,
        &cited,
        &scene.evil,
        "m.room.message",
        None,
        body,
    );
    let rejected = AuthError::RejectedAuthEvent(levels.event_id_owned().clone());
    assert_eq!(scene.receive(&event).await, Verdict::Rejected(rejected));
    // The same event again, and as a part of a state.
    assert_eq!(scene.receive(&levels).await, Verdict::Known(Outcome::Rejected));
    let event = scene.on(&[unknown("gone")], &scene.evil, "m.room.message", None, r#"{"body":"y"}"#).await;
    scene.tells_state(&event, &[&levels]).await;
    assert_eq!(scene.receive(&event).await, Verdict::Accepted);
    let after = picture(&scene.server, &scene.room).await.state;
    assert_eq!(after, state, "the told state has brought nothing in");
    assert_eq!(scene.outcome(&levels).await, Some(Outcome::Rejected));
}

#[tokio::test(start_paused = true)]
async fn b3_41_an_event_whose_auth_event_was_missing_is_judged_once_that_is_there() {
    let scene = scene().await;
    let friend = OwnedUserId::try_from("@friend:evil.example").expect("a user id");
    let join = scene.next(&friend, "m.room.member", Some(friend.as_str()), r#"{"membership":"join"}"#).await;
    let state = picture(&scene.server, &scene.room).await.state;
    let cited = [
        state[r#"("m.room.create", "")"#].clone(),
        state[r#"("m.room.power_levels", "")"#].clone(),
        join.event_id_owned().clone(),
    ];
    let (prev, body) = ([join.event_id_owned().clone()], json(r#"{"body":"x"}"#));
    let event = scene.build(scene.room.clone(), &prev, &cited, &friend, "m.room.message", None, body);
    assert_eq!(scene.receive(&event).await, Verdict::Waiting);
    assert_eq!(scene.outcome(&event).await, None, "missing is not rejected");
    assert_eq!(
        scene.server.ingest.retry_waiting(scene.evil_server(), &scene.room).await.expect("a store"),
        0
    );
    scene.puppet.missing.lock().expect("not poisoned").push(join.canonical().into());
    assert_eq!(
        scene.server.ingest.retry_waiting(scene.evil_server(), &scene.room).await.expect("a store"),
        1
    );
    assert_eq!(scene.outcome(&event).await, Some(Outcome::Accepted));
    assert!(shown(&scene, &event).await);
}

#[tokio::test(start_paused = true)]
async fn b3_42_a_soft_failed_event_is_shown_to_nobody_and_can_be_built_on() {
    let scene = scene().await;
    let friend = OwnedUserId::try_from("@friend:evil.example").expect("a user id");
    scene.join(&friend).await;
    let (old, banned) = (forward_extremities(&scene).await, scene.evil.clone());
    let evasion = scene.on(&old, &banned, "m.room.topic", Some(""), r#"{"topic":"x"}"#).await;
    let levels = r#"{"users":{"@admin:s1.example":100},"events":{"m.room.topic":0}}"#;
    let levels = json(levels);
    let draft = plop_rooms::draft::EventDraft::state("m.room.power_levels", "", scene.admin(), levels);
    send(&scene.server, &scene.room, draft).await.expect("allowed");
    drop(evasion);
    let old = forward_extremities(&scene).await;
    let evasion = scene.on(&old, &banned, "m.room.topic", Some(""), r#"{"topic":"x"}"#).await;
    let ban = send(&scene.server, &scene.room, member(scene.admin(), &banned, "ban")).await.expect("allowed");
    assert_eq!(scene.receive(&evasion).await, Verdict::SoftFailed);
    assert!(!shown(&scene, &evasion).await);
    assert_eq!(forward_extremities(&scene).await, [ban.pdu.event_id_owned().clone()]);
    let prev = [evasion.event_id_owned().clone(), ban.pdu.event_id_owned().clone()];
    let child = scene.on(&prev, &friend, "m.room.message", None, r#"{"body":"y"}"#).await;
    assert_eq!(scene.receive(&child).await, Verdict::Accepted);
    assert_eq!(forward_extremities(&scene).await, [child.event_id_owned().clone()]);
    assert!(shown(&scene, &child).await && !shown(&scene, &evasion).await);
    let state = picture(&scene.server, &scene.room).await.state;
    assert_eq!(state.get(&format!(r#"("m.room.member", "{banned}")"#)), Some(ban.pdu.event_id_owned()));
}

#[tokio::test(start_paused = true)]
async fn b3_44_events_that_cite_each_other_are_never_taken_in() {
    let scene = Scene::new(RoomVersionId::V1).await;
    let state = picture(&scene.server, &scene.room).await.state;
    let create = state[r#"("m.room.create", "")"#].clone();
    let build = |id: &str, cites: &str, user: &str| {
        let sender = OwnedUserId::try_from(format!("@{user}:evil.example")).expect("a user id");
        let mut builder = plop_state::builder::EventBuilder::new(
            Some(scene.room.clone()),
            "m.room.member",
            sender.clone(),
            json(r#"{"membership":"join"}"#),
        );
        builder.state_key = Some(sender.to_string());
        builder.event_id = Some(EventId::parse(format!("${id}:evil.example")).expect("an id"));
        let cites = EventId::parse(format!("${cites}:evil.example")).expect("an id");
        builder.auth_events = vec![create.clone(), cites];
        builder.prev_events = vec![create.clone()];
        builder.build(scene.rules, &scene.key).expect("an event")
    };
    let (one, two) = (build("one", "two", "one"), build("two", "one", "two"));
    scene.shows(&one);
    scene.shows(&two);
    assert_eq!(scene.receive(&one).await, Verdict::Waiting);
    assert_eq!((scene.outcome(&one).await, scene.outcome(&two).await), (None, None));
}

#[tokio::test(start_paused = true)]
async fn b3_45_an_auth_chain_that_ends_in_the_middle_leaves_nothing_behind() {
    let scene = scene().await;
    let state = picture(&scene.server, &scene.room).await.state;
    let create = state[r#"("m.room.create", "")"#].clone();
    let friend = OwnedUserId::try_from("@friend:evil.example").expect("a user id");
    let content = || json(r#"{"membership":"join"}"#);
    let cited = [create.clone(), unknown("rules")];
    let key = Some(friend.as_str());
    let join = scene.build(
        scene.room.clone(),
        &forward_extremities(&scene).await,
        &cited,
        &friend,
        "m.room.member",
        key,
        content(),
    );
    scene.shows(&join);
    let cited = [create, join.event_id_owned().clone()];
    let body = json(r#"{"body":"x"}"#);
    let event = scene.build(
        scene.room.clone(),
        &forward_extremities(&scene).await,
        &cited,
        &friend,
        "m.room.message",
        None,
        body,
    );
    assert_eq!(scene.receive(&event).await, Verdict::Waiting);
    assert_eq!(scene.outcome(&join).await, None, "its own auth events are missing");
}

#[tokio::test(start_paused = true)]
async fn b3_46_unknown_and_unreachable_prev_events_are_no_empty_state() {
    let scene = scene().await;
    let before = picture(&scene.server, &scene.room).await;
    for kind in ["m.room.message", "m.room.power_levels", "m.room.create"] {
        let key = (kind != "m.room.message").then_some("");
        let event = scene.on(&[unknown("gone")], &scene.evil, kind, key, "{}").await;
        assert!(!matches!(scene.receive(&event).await, Verdict::Accepted), "{kind}");
        assert!(!shown(&scene, &event).await);
    }
    assert_eq!(picture(&scene.server, &scene.room).await, before);
}

#[tokio::test(start_paused = true)]
async fn b3_47_backfill_gives_history_of_the_room_and_changes_nothing_else() {
    let scene = scene().await;
    let old = forward_extremities(&scene).await;
    let below = scene.on(&old, &scene.evil, "m.room.message", None, r#"{"body":"below"}"#).await;
    let prev = [below.event_id_owned().clone()];
    let event = scene.on(&prev, &scene.evil, "m.room.message", None, r#"{"body":"above"}"#).await;
    scene.tells_state(&event, &[]).await;
    assert_eq!(scene.receive(&event).await, Verdict::Accepted);
    let before = picture(&scene.server, &scene.room).await;
    let live = timeline(&scene.server, &scene.room).await.len();
    let other = create(std::slice::from_ref(&scene.server), &RoomVersionId::V11).await;
    let foreign = scene.build(other, &old, &[], &scene.evil, "m.room.message", None, json("{}"));
    let admin = scene.admin();
    let leave = r#"{"membership":"leave"}"#;
    let ours = scene.on(&old, &admin, "m.room.member", Some(admin.as_str()), leave).await;
    let levels = scene.on(&old, &scene.evil, "m.room.power_levels", Some(""), "{}").await;
    {
        let mut history = scene.puppet.history.lock().expect("not poisoned");
        history.extend([&foreign, &ours, &levels, &below].map(|event| event.canonical().into()));
    }
    let found = scene.server.ingest.backfill(scene.evil_server(), &scene.room, 100).await.expect("a store");
    assert_eq!(found, 2, "the message, and the power levels as rejected");
    assert_eq!(scene.outcome(&below).await, Some(Outcome::Accepted));
    assert_eq!(scene.outcome(&levels).await, Some(Outcome::Rejected));
    assert_eq!(scene.outcome(&ours).await, None, "not signed by us");
    assert_eq!(picture(&scene.server, &scene.room).await, before);
    assert_eq!(timeline(&scene.server, &scene.room).await.len(), live);
    let again = scene.server.ingest.backfill(scene.evil_server(), &scene.room, 100).await.expect("a store");
    assert_eq!(again, 0, "the gap is closed");
}

#[tokio::test(start_paused = true)]
async fn b3_53_and_54_send_join_takes_a_join_of_its_own_user_into_the_named_room_only() {
    let scene = scene().await;
    let before = picture(&scene.server, &scene.room).await;
    let other = create(std::slice::from_ref(&scene.server), &RoomVersionId::V11).await;
    let user = OwnedUserId::try_from("@new:evil.example").expect("a user id");
    let key = Some(user.as_str());
    let third = OwnedUserId::try_from("@user:third.example").expect("a user id");
    let cases = [
        scene.next(&user, "m.room.member", key, r#"{"membership":"leave"}"#).await,
        scene.next(&user, "m.room.member", key, r#"{"membership":"ban"}"#).await,
        scene.next(&user, "m.room.member", key, r#"{"membership":"invite"}"#).await,
        scene.next(&user, "m.room.member", key, r#"{"membership":"knock"}"#).await,
        scene.next(&user, "m.room.message", None, r#"{"membership":"join"}"#).await,
        scene.next(&user, "m.room.member", Some("@x:evil.example"), r#"{"membership":"join"}"#).await,
        scene.next(&third, "m.room.member", Some(third.as_str()), r#"{"membership":"join"}"#).await,
    ];
    let ingest = &scene.server.ingest;
    for join in &cases {
        let raw = join.canonical().into();
        let served = ingest.serve_send_join(scene.evil_server(), &scene.room, join.event_id(), &raw).await;
        assert!(matches!(served, Err(ServeJoinError::NotAJoin(_))), "{}", join.canonical());
    }
    let join = scene.next(&user, "m.room.member", key, r#"{"membership":"join"}"#).await;
    let raw = join.canonical().into();
    let served = ingest.serve_send_join(scene.evil_server(), &scene.room, &unknown("id"), &raw).await;
    assert!(matches!(served, Err(ServeJoinError::NotAJoin("event_id"))));
    let served = ingest.serve_send_join(scene.evil_server(), &other, join.event_id(), &raw).await;
    assert!(matches!(served, Err(ServeJoinError::NotAJoin("room_id"))));
    assert_eq!(picture(&scene.server, &scene.room).await, before);
}

#[tokio::test(start_paused = true)]
async fn b3_58_a_join_that_names_an_authoriser_needs_that_servers_signature() {
    let scene = scene().await;
    let user = OwnedUserId::try_from("@new:evil.example").expect("a user id");
    let content = r#"{"membership":"join","join_authorised_via_users_server":"@admin:s1.example"}"#;
    let join = scene.next(&user, "m.room.member", Some(user.as_str()), content).await;
    let not_signed = SignatureError::NotSigned("s1.example".try_into().expect("a name"));
    assert_eq!(scene.receive(&join).await, Verdict::Dropped(Unfit::Signature(not_signed)));
}

#[tokio::test(start_paused = true)]
async fn b3_63_no_other_server_speaks_for_our_users() {
    let scene = scene().await;
    let before = picture(&scene.server, &scene.room).await;
    let admin = scene.admin();
    for membership in [r#"{"membership":"leave"}"#, r#"{"membership":"join"}"#] {
        let event = scene.next(&admin, "m.room.member", Some(admin.as_str()), membership).await;
        assert!(matches!(scene.receive(&event).await, Verdict::Dropped(Unfit::Signature(_))));
    }
    assert_eq!(picture(&scene.server, &scene.room).await, before);
}

#[tokio::test(start_paused = true)]
async fn b3_71_a_room_that_our_users_have_left_takes_no_events() {
    let scene = scene().await;
    let event = scene.next(&scene.evil, "m.room.message", None, r#"{"body":"x"}"#).await;
    send(&scene.server, &scene.room, member(scene.admin(), &scene.admin(), "leave")).await.expect("allowed");
    assert_eq!(scene.receive(&event).await, Verdict::Dropped(Unfit::RoomNotHere));
}

#[tokio::test(start_paused = true)]
async fn one_bad_event_does_not_harm_the_others_of_its_transaction() {
    let scene = scene().await;
    let good = scene.next(&scene.evil, "m.room.message", None, r#"{"body":"x"}"#).await;
    let raw = ["not json".into(), "{}".into(), r#"{"room_id":7}"#.into(), good.canonical().into()];
    let received = scene.server.ingest.transaction(scene.evil_server(), &raw).await;
    let accepted = received.iter().filter(|one| matches!(one.verdict, Ok(Verdict::Accepted))).count();
    assert_eq!((received.len(), accepted), (4, 1));
    send(&scene.server, &scene.room, message(scene.admin(), "still here")).await.expect("allowed");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_forks_a_room_without_end_crowds_out_its_own_forks() {
    /// More forks than one resolution takes.
    const MANY: usize = 70;
    let scene = scene().await;
    let old = forward_extremities(&scene).await;
    scene.knows_third();
    let friend = OwnedUserId::try_from("@friend:third.example").expect("a user id");
    let join = r#"{"membership":"join"}"#;
    let join = scene.third().next(&friend, "m.room.member", Some(friend.as_str()), join).await;
    assert_eq!(scene.receive(&join).await, Verdict::Accepted);
    let honest = forward_extremities(&scene).await;
    for number in 0..MANY {
        let name = format!(r#"{{"membership":"join","displayname":"{number}"}}"#);
        let fork = scene.on(&old, &scene.evil, "m.room.member", Some(scene.evil.as_str()), &name).await;
        assert_eq!(scene.receive(&fork).await, Verdict::Accepted, "fork {number}");
    }
    let now = forward_extremities(&scene).await;
    assert!(now.len() <= 32, "{} forward extremities", now.len());
    assert!(honest.iter().all(|extremity| now.contains(extremity)), "another server's are kept");
    send(&scene.server, &scene.room, message(scene.admin(), "still here")).await.expect("allowed");
}

/// Ids of the events that wait in the room.
async fn waiting(scene: &Scene) -> Vec<OwnedEventId> {
    let number = view(&scene.server, &scene.room).await.number;
    let range = KeyRange::<WaitingEvents>::prefix(&number);
    let page = scene.server.rooms.core().db.snapshot().scan(range, Direction::Forward, 1_000).await;
    page.expect("rows").rows.into_iter().map(|((_, id), _)| id).collect()
}

#[tokio::test(start_paused = true)]
async fn events_that_can_never_be_judged_crowd_out_no_others() {
    /// More than may wait in one room.
    const MANY: usize = 300;
    let scene = scene().await;
    scene.knows_third();
    let third = scene.third();
    let friend = OwnedUserId::try_from("@friend:third.example").expect("a user id");
    let join = r#"{"membership":"join"}"#;
    let join = third.next(&friend, "m.room.member", Some(friend.as_str()), join).await;
    assert_eq!(scene.receive(&join).await, Verdict::Accepted);
    let later = third.next(&friend, "m.room.message", None, r#"{"body":"later"}"#).await;
    let honest = [later.event_id_owned().clone()];
    let honest = third.on(&honest, &friend, "m.room.message", None, r#"{"body":"last"}"#).await;
    let receive = async || {
        let raw = honest.canonical().into();
        scene.server.ingest.receive(third_name().as_ref(), &raw).await.verdict.expect("the store works")
    };
    let clock = &scene.server.rooms.core().clock;
    let mut last = None;
    for number in 0..MANY {
        if number == MANY / 2 {
            assert_eq!(receive().await, Verdict::Waiting);
        }
        clock.sleep(std::time::Duration::from_millis(1)).await;
        let body = format!(r#"{{"body":"{number}"}}"#);
        let junk = scene.on(&[unknown("gone")], &scene.evil, "m.room.message", None, &body).await;
        assert_eq!(scene.receive(&junk).await, Verdict::Waiting);
        last = Some(junk);
    }
    let wait = waiting(&scene).await;
    assert_eq!(wait.len(), 256);
    let last = last.expect("an event");
    assert!(wait.contains(last.event_id_owned()) && wait.contains(honest.event_id_owned()));
    // It comes in by another way.
    assert_eq!(scene.receive(&later).await, Verdict::Accepted);
    assert_eq!(receive().await, Verdict::Accepted);
    assert!(!waiting(&scene).await.contains(honest.event_id_owned()), "it does not wait any more");
}
