//! Joining a room of a server that lies, and letting its users in. The names carry the rows of the catalogue of hostile input.

use plop_db::{Direction, KeyRange};
use plop_rooms::LoadError;
use plop_rooms::ingest::JoinError;
use plop_rooms::remote::{JoinTemplate, RawPdu};
use plop_rooms::schema::Events;
use plop_rooms::serve::ServeJoinError;
use plop_state::Pdu;
use plop_state::builder::EventBuilder;
use plop_state::json::{Object, Value};
use plop_state::sign::SigningKey;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, ServerName};

use crate::suite::bed::json;
use crate::suite::sim_network::key;
use crate::suite::sim_room::{actor, create, member, message, picture, send, user, view};
use crate::suite::sim_scene::{EVIL, Scene, Told};

pub fn evil_key() -> SigningKey {
    key(<&ServerName>::try_from(EVIL).expect("a name"), 66)
}

pub fn room_id() -> OwnedRoomId {
    RoomId::parse(format!("!room:{EVIL}")).expect("a room id")
}

/// An event of the other server's room, after the given ones, all of which it cites.
pub fn event(cited: &[&Pdu], kind: &str, state_key: &str, content: &str, key: &SigningKey) -> Pdu {
    let rules = plop_state::rules(&RoomVersionId::V11).expect("a known version");
    let sender = OwnedUserId::try_from(format!("@user:{EVIL}")).expect("a user id");
    let mut builder = EventBuilder::new(Some(room_id()), kind, sender, json(content));
    builder.state_key = Some(state_key.to_owned());
    builder.auth_events = cited.iter().map(|event| event.event_id_owned().clone()).collect();
    builder.prev_events = cited.last().map(|event| event.event_id_owned().clone()).into_iter().collect();
    builder.depth = cited.len() as u64 + 1;
    builder.build(rules, key).expect("an event")
}

/// A public room of the other server: create event, its user, power levels, join rules.
pub fn founded() -> [Pdu; 4] {
    let key = evil_key();
    let user = format!("@user:{EVIL}");
    let create = event(&[], "m.room.create", "", r#"{"room_version":"11"}"#, &key);
    let member = event(&[&create], "m.room.member", &user, r#"{"membership":"join"}"#, &key);
    let levels = format!(r#"{{"users":{{"{user}":100}}}}"#);
    let levels = event(&[&create, &member], "m.room.power_levels", "", &levels, &key);
    let rules = [&create, &member, &levels];
    let rules = event(&rules, "m.room.join_rules", "", r#"{"join_rule":"public"}"#, &key);
    [create, member, levels, rules]
}

fn ids<'a>(events: impl IntoIterator<Item = &'a Pdu>) -> Value {
    Value::Array(events.into_iter().map(|event| event.event_id().as_str().into()).collect())
}

pub fn template(state: &[Pdu; 4], user: &OwnedUserId) -> Object {
    let [create, _, levels, rules] = state;
    let mut template = json(r#"{"type":"m.room.member","depth":5,"content":{"membership":"join"}}"#);
    template.insert("room_id".to_owned(), room_id().as_str().into());
    template.insert("sender".to_owned(), user.as_str().into());
    template.insert("state_key".to_owned(), user.as_str().into());
    template.insert("prev_events".to_owned(), ids([rules]));
    template.insert("auth_events".to_owned(), ids([create, levels, rules]));
    template
}

pub fn raw<'a>(events: impl IntoIterator<Item = &'a Pdu>) -> Vec<RawPdu> {
    events.into_iter().map(|event| event.canonical().into()).collect()
}

pub fn offers(scene: &Scene, version: &str, event: Object, state: Vec<RawPdu>) {
    let version = RoomVersionId::try_from(version).expect("a version");
    *scene.puppet.template.lock().expect("not poisoned") = Some(JoinTemplate { version, event });
    *scene.puppet.room.lock().expect("not poisoned") = Told { state, ..Told::default() };
}

pub async fn join(scene: &Scene) -> Result<OwnedEventId, JoinError> {
    let via = [scene.evil_server().to_owned()];
    scene.server.ingest.join(&actor(&scene.admin()), &room_id(), &via).await
}

#[tokio::test(start_paused = true)]
async fn b3_55_we_sign_nothing_but_our_own_join() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    let good = template(&state, &scene.admin());
    let wrong = [
        ("type", "m.room.power_levels".into()),
        ("sender", format!("@other:{}", scene.server.name).into()),
        ("state_key", format!("@user:{EVIL}").into()),
        ("room_id", "!other:evil.example".into()),
        ("content", Value::Object(json(r#"{"membership":"ban"}"#))),
        ("prev_events", Value::Array(Vec::new())),
        ("prev_events", Value::Array(vec!["$one".into(); 21])),
        ("auth_events", Value::Array(vec!["$one".into(); 11])),
        ("depth", Value::Int(-1)),
    ];
    for (name, value) in wrong {
        let mut bad = good.clone();
        bad.insert(name.to_owned(), value);
        offers(&scene, "11", bad, raw(&state));
        assert!(matches!(join(&scene).await, Err(JoinError::Template(_))), "{name}");
    }
    assert!(scene.puppet.joins.lock().expect("not poisoned").is_empty(), "nothing was signed and sent");
    let mut more = good;
    more.insert("content".to_owned(), json(r#"{"membership":"join","displayname":"evil","x":1}"#).into());
    more.insert("redacts".to_owned(), "$x".into());
    offers(&scene, "11", more, raw(&state));
    join(&scene).await.expect("joined");
    let joins = scene.puppet.joins.lock().expect("not poisoned").clone();
    assert_eq!(joins.len(), 1);
    assert_eq!(joins[0].content_text(), r#"{"membership":"join"}"#);
    assert_eq!(joins[0].redacts(), None);
}

#[tokio::test(start_paused = true)]
async fn b3_64_bad_events_of_a_join_are_left_out_one_by_one() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    let [create, member, levels, _] = &state;
    let cited = [create, member, levels];
    let topic = |text: &str, key: &SigningKey| {
        event(&cited, "m.room.topic", "", &format!(r#"{{"topic":"{text}"}}"#), key)
    };
    let good = topic("good", &evil_key());
    let unsigned = event(&cited, "m.room.name", "", "{}", &key(scene.evil_server(), 67));
    let shouts = r#"{"membership":"leave","displayname":{"not":"text"}}"#;
    let odd = event(&cited, "m.room.member", &format!("@odd:{EVIL}"), shouts, &evil_key());
    let rejected = event(&[create], "m.room.encryption", "", "{}", &evil_key());
    let orphan = event(&[create, member, &unsigned], "m.room.avatar", "", "{}", &evil_key());
    let second = topic("second", &evil_key());
    let told = state.iter().chain([&good, &unsigned, &odd, &rejected, &orphan, &second]);
    let mut told = raw(told);
    told.push("{".into());
    offers(&scene, "11", template(&state, &scene.admin()), told);
    let joined = join(&scene).await.expect("joined all the same");
    let picture = picture(&scene.server, &room_id()).await;
    let mut expected: Vec<_> =
        state.iter().chain([&good, &odd]).map(|event| event.event_id_owned().clone()).collect();
    expected.push(joined);
    expected.sort();
    let mut held: Vec<_> = picture.state.into_values().collect();
    held.sort();
    assert_eq!(held, expected);
}

#[tokio::test(start_paused = true)]
async fn b3_64_a_join_without_what_it_rests_on_fails_and_can_be_tried_again() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    let [create, member, levels, rules] = &state;
    for missing in [vec![member, levels, rules], vec![create, member, rules], vec![]] {
        offers(&scene, "11", template(&state, &scene.admin()), raw(missing));
        assert!(matches!(join(&scene).await, Err(JoinError::State(_))));
        let view = scene.server.rooms.view_by_id(&room_id()).await;
        assert!(matches!(view, Err(LoadError::NotHere)), "nobody sees a room that is not whole");
    }
    offers(&scene, "11", template(&state, &scene.admin()), raw(&state));
    join(&scene).await.expect("joined");
    let view = scene.server.rooms.view_by_id(&room_id()).await.expect("the room");
    assert!(view.members.is_joined(&scene.admin()));
    assert_eq!(picture(&scene.server, &room_id()).await.state.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_parts_of_a_room_may_come_in_any_order() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    let cited: Vec<&Pdu> = state.iter().collect();
    let invite = |number| {
        let user = format!("@guest{number}:{EVIL}");
        event(&cited, "m.room.member", &user, r#"{"membership":"invite"}"#, &evil_key())
    };
    let invites: Vec<Pdu> = (0..20).map(invite).collect();
    offers(&scene, "11", template(&state, &scene.admin()), raw(invites.iter().chain(&state).rev()));
    // Some of it comes a second time, as the auth chain.
    scene.puppet.room.lock().expect("not poisoned").auth_chain = raw(state.iter().rev());
    join(&scene).await.expect("joined");
    assert_eq!(picture(&scene.server, &room_id()).await.state.len(), state.len() + invites.len() + 1);
}

/// Also what cannot be an event counts, so that nobody is kept busy by an answer without end.
#[tokio::test(start_paused = true)]
async fn b3_64_a_room_of_more_events_than_are_taken_in_is_not_joined() {
    const MAX_EVENTS: usize = 500_000;
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    for (more, is_too_large) in [(1, true), (0, false)] {
        let mut told = raw(&state);
        told.resize(MAX_EVENTS + more, "{".into());
        offers(&scene, "11", template(&state, &scene.admin()), told);
        assert_eq!(matches!(join(&scene).await, Err(JoinError::TooLarge)), is_too_large, "{more} more");
        assert_eq!(scene.server.rooms.view_by_id(&room_id()).await.is_err(), is_too_large);
    }
}

/// The other server has the join when the request ends; the room would have a member that its own server does not know.
#[tokio::test(start_paused = true)]
async fn a_join_is_finished_when_nobody_waits_for_it() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    offers(&scene, "11", template(&state, &scene.admin()), raw(&state));
    {
        let mut joining = std::pin::pin!(join(&scene));
        assert!(futures_util::poll!(&mut joining).is_pending());
    }
    let clock = &scene.server.rooms.core().clock;
    clock.sleep(std::time::Duration::from_secs(1)).await;
    let view = scene.server.rooms.view_by_id(&room_id()).await.expect("the room");
    assert!(view.members.is_joined(&scene.admin()));
    assert!(matches!(join(&scene).await, Err(JoinError::AlreadyHere)), "the turn was given back");
}

/// The second one would put the state that it is told in the place of the live one.
#[tokio::test(start_paused = true)]
async fn of_two_joins_that_come_together_one_joins() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    offers(&scene, "11", template(&state, &scene.admin()), raw(&state));
    let joined = tokio::join!(join(&scene), join(&scene));
    assert!(matches!(joined, (Ok(_), Err(JoinError::AlreadyHere))), "{joined:?}");
    assert_eq!(scene.puppet.joins.lock().expect("not poisoned").len(), 1);
    let said = send(&scene.server, &room_id(), message(scene.admin(), "said")).await.expect("allowed");
    assert!(matches!(join(&scene).await, Err(JoinError::AlreadyHere)));
    let extremities = picture(&scene.server, &room_id()).await.forward_extremities;
    assert_eq!(Vec::from_iter(extremities), [said.pdu.event_id_owned().clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_has_become_ours_during_a_join_stays_as_it_is() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    let mut template = template(&state, &scene.admin());
    offers(&scene, "11", template.clone(), raw(&state));
    join(&scene).await.expect("joined");
    send(&scene.server, &room_id(), member(scene.admin(), &scene.admin(), "leave")).await.expect("left");
    template.insert("depth".to_owned(), Value::Int(6));
    offers(&scene, "11", template, raw(&state));
    let (server, other) = (scene.server.clone(), user(&scene.server, "other"));
    let enters = member(other.clone(), &other, "join");
    let work = async move { drop(send(&server, &room_id(), enters).await.expect("the room is public")) };
    *scene.puppet.meanwhile.lock().expect("not poisoned") = Some(Box::pin(work));
    assert!(matches!(join(&scene).await, Err(JoinError::AlreadyHere)));
    let view = view(&scene.server, &room_id()).await;
    assert!(view.members.is_joined(&other) && !view.members.is_joined(&scene.admin()));
    picture(&scene.server, &room_id()).await;
}

#[tokio::test(start_paused = true)]
async fn a_join_that_is_told_as_a_part_of_the_state_before_it_is_one_event() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    offers(&scene, "11", template(&state, &scene.admin()), raw(&state));
    scene.puppet.room.lock().expect("not poisoned").has_join = true;
    let joined = join(&scene).await.expect("joined");
    let number = view(&scene.server, &room_id()).await.number;
    let snapshot = scene.server.rooms.core().db.snapshot();
    let rows = snapshot.scan(KeyRange::<Events>::prefix(&number), Direction::Forward, 100).await;
    assert_eq!(rows.expect("rows").rows.len(), state.len() + 1, "each has one number");
    let reading = scene.server.rooms.writer(number).await.expect("the guard").reading();
    let event = reading.event_by_id(&joined).await.expect("a read").expect("the join");
    assert_eq!(event.facts.replaces, None, "the state before it is without it");
    picture(&scene.server, &room_id()).await;
}

#[tokio::test(start_paused = true)]
async fn b3_70_a_room_of_an_unknown_version_is_not_joined() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let state = founded();
    offers(&scene, "org.example.unknown", template(&state, &scene.admin()), raw(&state));
    assert!(matches!(join(&scene).await, Err(JoinError::UnsupportedVersion(_))));
    assert!(scene.puppet.joins.lock().expect("not poisoned").is_empty());
}

/// A room of the honest server that lets in the members of another one.
async fn restricted_by(scene: &Scene, allowed: &RoomId) -> Scene {
    restricted_by_any(scene, &[allowed.to_owned()]).await
}

/// A room of the honest server that lets in the members of others.
async fn restricted_by_any(scene: &Scene, allowed: &[OwnedRoomId]) -> Scene {
    let room = create(std::slice::from_ref(&scene.server), &RoomVersionId::V11).await;
    let condition = |room: &OwnedRoomId| format!(r#"{{"type":"m.room_membership","room_id":"{room}"}}"#);
    let allow = allowed.iter().map(condition).collect::<Vec<_>>().join(",");
    let rules = json(&format!(r#"{{"join_rule":"restricted","allow":[{allow}]}}"#));
    let draft = plop_rooms::draft::EventDraft::state("m.room.join_rules", "", scene.admin(), rules);
    send(&scene.server, &room, draft).await.expect("allowed");
    scene.in_room(room)
}

/// A user of the other server who is in no room here.
fn stranger() -> OwnedUserId {
    OwnedUserId::try_from(format!("@stranger:{EVIL}")).expect("a user id")
}

#[tokio::test(start_paused = true)]
async fn b3_57_we_authorise_who_meets_the_rule_and_nobody_else() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let restricted = restricted_by(&scene, &scene.room).await;
    let stranger = stranger();
    let nobody = format!("@nobody:{}", scene.server.name);
    let ask = async |user: &OwnedUserId, authoriser: &str| {
        let content = format!(r#"{{"membership":"join","join_authorised_via_users_server":"{authoriser}"}}"#);
        let join = restricted.next(user, "m.room.member", Some(user.as_str()), &content).await;
        let raw = join.canonical().into();
        let ingest = &restricted.server.ingest;
        ingest.serve_send_join(restricted.evil_server(), &restricted.room, join.event_id(), &raw).await
    };
    let refused = ask(&stranger, scene.admin().as_str()).await;
    assert!(matches!(refused, Err(ServeJoinError::Forbidden(_))), "the allow rule is not met");
    let refused = ask(&scene.evil, &nobody).await;
    assert!(matches!(refused, Err(ServeJoinError::CannotAuthorise)), "the authoriser is not in the room");
    let versions = [RoomVersionId::V11];
    let rooms = &scene.server.rooms;
    let made = rooms.serve_make_join(scene.evil_server(), &restricted.room, &stranger, &versions).await;
    assert!(matches!(made, Err(ServeJoinError::Forbidden(_))));
    let made = rooms.serve_make_join(scene.evil_server(), &restricted.room, &scene.evil, &versions).await;
    let made = made.expect("a template");
    let named = made.event.get("content").and_then(|content| content.get("join_authorised_via_users_server"));
    assert_eq!(named.and_then(Value::as_str), Some(scene.admin().as_str()));
    let served = ask(&scene.evil, scene.admin().as_str()).await.expect("let in");
    assert!(served.event.canonical().contains(r#""s1.example":{"ed25519:a""#), "with our signature");
}

#[tokio::test(start_paused = true)]
async fn b3_57_of_a_room_that_we_are_not_in_we_confirm_nothing() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let (rooms, versions) = (&scene.server.rooms, [RoomVersionId::V11]);
    let elsewhere = restricted_by(&scene, &room_id()).await;
    let unknown = rooms.serve_make_join(scene.evil_server(), &elsewhere.room, &scene.evil, &versions).await;
    assert!(matches!(unknown, Err(ServeJoinError::CannotConfirm)), "the room is not known here");

    let restricted = restricted_by(&scene, &scene.room).await;
    rooms.leave(&actor(&scene.admin()), &scene.room, &Object::new()).await.expect("out");
    // By our rows the user is still in the room: of what has happened there since, nothing reaches us.
    let left = rooms.serve_make_join(scene.evil_server(), &restricted.room, &scene.evil, &versions).await;
    assert!(matches!(left, Err(ServeJoinError::CannotConfirm)), "none of ours is in the room any more");
    // Who came into the room after ours had left is in none of our rows.
    let later = stranger();
    let came = rooms.serve_make_join(scene.evil_server(), &restricted.room, &later, &versions).await;
    assert!(matches!(came, Err(ServeJoinError::CannotConfirm)), "{came:?}");
}

#[tokio::test(start_paused = true)]
async fn b3_57_more_rooms_than_are_looked_at_refuse_nobody_for_certain() {
    const LOOKED_AT: usize = 8;
    let scene = Scene::new(RoomVersionId::V11).await;
    let (rooms, versions, stranger) = (&scene.server.rooms, [RoomVersionId::V11], stranger());
    let mut allowed = Vec::new();
    while allowed.len() < LOOKED_AT {
        allowed.push(create(std::slice::from_ref(&scene.server), &RoomVersionId::V11).await);
    }
    // Said twice it is one room.
    let twice: Vec<_> = allowed.iter().chain(&allowed).cloned().collect();
    let few = restricted_by_any(&scene, &twice).await;
    let refused = rooms.serve_make_join(scene.evil_server(), &few.room, &stranger, &versions).await;
    assert!(matches!(refused, Err(ServeJoinError::Forbidden(_))), "all are known: {refused:?}");

    // The last room that has a number: it is looked at first for who is in it by our rows.
    let last = create(std::slice::from_ref(&scene.server), &RoomVersionId::V11).await;
    scene.in_room(last.clone()).join(&scene.evil.clone()).await;
    allowed.push(last);
    let many = restricted_by_any(&scene, &allowed).await;
    let unknown = rooms.serve_make_join(scene.evil_server(), &many.room, &stranger, &versions).await;
    assert!(matches!(unknown, Err(ServeJoinError::CannotConfirm)), "{unknown:?}");
    let met = rooms.serve_make_join(scene.evil_server(), &many.room, &scene.evil, &versions).await;
    met.expect("a template");
}
