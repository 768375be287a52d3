//! `/rooms/{roomId}/thread/{eventId}/subscription` and `/thread_subscriptions` (MSC4306, MSC4308).

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::encoded;

const UNSUBSCRIBED: &str = "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION";
const EXTENSION: &str = "io.element.msc4308.thread_subscriptions";
const NOT_IN_THREAD: &str = "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD";

/// A user with a room.
struct Scene {
    bed: Bed,
    alice: User,
    room: String,
}

impl Scene {
    async fn new() -> Self {
        let bed = Bed::new().await;
        let [alice] = bed.users(["alice"]).await;
        let room = bed.room(&alice, json!({})).await;
        Self { bed, alice, room }
    }

    fn call(&self, method: Method, root: &str) -> Call {
        call(&self.bed, &self.alice, method, &self.room, root)
    }

    async fn reply(&self, root: &str, text: &str) -> String {
        let content = json!({
            "msgtype": "m.text", "body": text, "m.relates_to": { "rel_type": "m.thread", "event_id": root },
        });
        self.bed.send(&self.alice, &self.room, "m.room.message", text, content).await
    }

    fn changes(&self, query: &str) -> Call {
        let path = format!("/_matrix/client/unstable/io.element.msc4308/thread_subscriptions?{query}");
        self.bed.get(&path).by(&self.alice)
    }
}

fn call(bed: &Bed, by: &User, method: Method, room: &str, root: &str) -> Call {
    let (room, root) = (encoded(room), encoded(root));
    let path = format!("/_matrix/client/unstable/io.element.msc4306/rooms/{room}/thread/{root}/subscription");
    bed.call(method, &path).by(by)
}

#[tokio::test(start_paused = true)]
async fn one_subscribes_and_unsubscribes() {
    let scene = Scene::new().await;
    let root = scene.bed.say(&scene.alice, &scene.room, "root").await;
    scene.call(Method::GET, &root).await.refused(404, "M_NOT_FOUND");
    assert_eq!(scene.call(Method::DELETE, &root).await.ok(), json!({}));
    assert_eq!(scene.call(Method::PUT, &root).json(&json!({})).await.ok(), json!({}));
    assert_eq!(scene.call(Method::GET, &root).await.ok(), json!({ "automatic": false }));
    scene.call(Method::DELETE, &root).await.ok();
    scene.call(Method::GET, &root).await.refused(404, "M_NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn an_automatic_subscription_has_a_cause_in_the_thread() {
    let scene = Scene::new().await;
    let root = scene.bed.say(&scene.alice, &scene.room, "root").await;
    let other = scene.bed.say(&scene.alice, &scene.room, "other").await;
    let elsewhere = scene.reply(&other, "elsewhere").await;
    for cause in [root.as_str(), &other, &elsewhere, "$nowhere:plop.example"] {
        let put = scene.call(Method::PUT, &root).json(&json!({ "automatic": cause }));
        scene.bed.without_effect(put).await.refused(400, NOT_IN_THREAD);
    }
    let reply = scene.reply(&root, "reply").await;
    scene.call(Method::PUT, &root).json(&json!({ "automatic": reply })).await.ok();
    assert_eq!(scene.call(Method::GET, &root).await.ok(), json!({ "automatic": true }));
    scene.call(Method::PUT, &root).json(&json!({})).await.ok();
    scene.call(Method::PUT, &root).json(&json!({ "automatic": reply })).await.ok();
    assert_eq!(scene.call(Method::GET, &root).await.ok(), json!({ "automatic": false }));
}

#[tokio::test(start_paused = true)]
async fn who_unsubscribed_is_not_subscribed_again_by_what_they_had_seen() {
    let scene = Scene::new().await;
    let root = scene.bed.say(&scene.alice, &scene.room, "root").await;
    let automatic =
        async |cause: &str| scene.call(Method::PUT, &root).json(&json!({ "automatic": cause })).await;
    let first = scene.reply(&root, "1").await;
    automatic(&first).await.ok();
    let second = scene.reply(&root, "2").await;
    scene.call(Method::DELETE, &root).await.ok();
    let third = scene.reply(&root, "3").await;
    for cause in [&first, &second] {
        automatic(cause).await.refused(409, UNSUBSCRIBED);
        scene.call(Method::GET, &root).await.refused(404, "M_NOT_FOUND");
    }
    automatic(&third).await.ok();
    scene.call(Method::GET, &root).await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_may_not_be_seen_is_not_there() {
    let scene = Scene::new().await;
    let root = scene.bed.say(&scene.alice, &scene.room, "root").await;
    let [bob] = scene.bed.users(["bob"]).await;
    let mut answers = Vec::new();
    for (room, root) in [(&*scene.room, &*root), (&scene.room, "$no"), ("!no:plop.example", "$no")] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let call = call(&scene.bed, &bob, method, room, root).json(&json!({}));
            answers.push(scene.bed.without_effect(call).await.refused(404, "M_NOT_FOUND"));
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    for method in [Method::PUT, Method::GET] {
        scene.call(method, "$notathread:example.org").json(&json!({})).await.refused(404, "M_NOT_FOUND");
    }
    scene.call(Method::PUT, &root).json(&json!({ "automatic": 7 })).await.refused(400, "M_BAD_JSON");
}

#[tokio::test(start_paused = true)]
async fn changes_are_paged_from_the_newest() {
    let scene = Scene::new().await;
    let mut roots = Vec::new();
    for name in ["a", "b", "c"] {
        roots.push(scene.bed.say(&scene.alice, &scene.room, name).await);
        scene.call(Method::PUT, &roots[roots.len() - 1]).json(&json!({})).await.ok();
    }
    scene.call(Method::DELETE, &roots[1]).await.ok();
    let page = scene.changes("dir=b&limit=2").await.ok();
    let subscribed = &page["subscribed"][&scene.room];
    assert_eq!(subscribed[&roots[2]], json!({ "automatic": false, "bump_stamp": 3 }));
    assert_eq!(page["unsubscribed"][&scene.room][&roots[1]], json!({ "bump_stamp": 4 }));
    assert_eq!(subscribed.as_object().map(serde_json::Map::len), Some(1));
    let from = encoded(page["end"].as_str().expect("a token"));
    let rest = scene.changes(&format!("dir=b&from={from}")).await.ok();
    assert_eq!(rest["subscribed"][&scene.room][&roots[0]]["bump_stamp"], 1);
    assert_eq!((rest.get("end"), rest.get("unsubscribed")), (None, None));
    let none: Value = scene.changes(&format!("dir=b&from={from}&to={from}")).await.ok();
    assert_eq!(none, json!({}));
    scene.changes("limit=1").await.refused(400, "M_MISSING_PARAM");
    for query in ["dir=f", "dir=b&limit=0", "dir=b&from=x", "dir=b&to=x"] {
        scene.changes(query).await.refused(400, "M_INVALID_PARAM");
    }
}

/// Both dialects of sliding sync tell the newest; the rest is on the pages, from the answer's token to the position that the request came with.
#[tokio::test(start_paused = true)]
async fn sliding_sync_tells_the_newest_and_the_pages_have_the_rest() {
    let scene = Scene::new().await;
    let mut roots = Vec::new();
    for name in ["had", "a", "b", "c"] {
        roots.push(scene.bed.say(&scene.alice, &scene.room, name).await);
    }
    scene.call(Method::PUT, &roots[0]).json(&json!({})).await.ok();
    let extensions = json!({ EXTENSION: { "enabled": true, "limit": 2 } });
    let deployed = async |pos: Option<&str>| {
        let query = pos.map(|pos| format!("?pos={pos}")).unwrap_or_default();
        let path = format!("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync{query}");
        // In the body a position means nothing, and some clients say it there, too.
        let body = json!({ "pos": pos.unwrap_or("0"), "extensions": extensions });
        scene.bed.post(&path).by(&scene.alice).json(&body).await.ok()
    };
    let accepted = async |pos: Option<&str>| {
        let body = json!({ "conn_id": "other", "pos": pos, "extensions": extensions });
        scene.bed.post("/_matrix/client/v4/sync").by(&scene.alice).json(&body).await.ok()
    };
    let subscribed =
        |value: &Value| value["subscribed"][&scene.room].as_object().cloned().unwrap_or_default();
    let position = |answer: &Value| answer["pos"].as_str().expect("a position").to_owned();
    let first = [deployed(None).await, accepted(None).await];
    for answer in &first {
        assert!(subscribed(&answer["extensions"][EXTENSION]).contains_key(&roots[0]));
    }
    for root in &roots[1..] {
        scene.call(Method::PUT, root).json(&json!({})).await.ok();
    }
    let [one, other] = first.map(|answer| position(&answer));
    for (pos, answer) in [(&one, deployed(Some(&one)).await), (&other, accepted(Some(&other)).await)] {
        let told = &answer["extensions"][EXTENSION];
        assert_eq!(subscribed(told)[&roots[3]], json!({ "automatic": false, "bump_stamp": 4 }));
        assert_eq!(subscribed(told).len(), 2);
        let from = told["prev_batch"].as_str().expect("a gap");
        for to in [format!("&to={pos}"), String::new()] {
            let page = scene.changes(&format!("dir=b&from={from}{to}")).await.ok();
            let rest: Vec<_> = subscribed(&page).into_iter().map(|(root, _)| root).collect();
            assert_eq!((rest, page.get("end")), (vec![roots[1].clone()], None));
        }
        // Without a token it goes from the newest to that position.
        let page = scene.changes(&format!("dir=b&to={pos}")).await.ok();
        assert_eq!(subscribed(&page).len(), 3);
    }
    let none = json!({ "extensions": { EXTENSION: { "enabled": true, "limit": 0 } } });
    scene
        .bed
        .post("/_matrix/client/v4/sync")
        .by(&scene.alice)
        .json(&none)
        .await
        .refused(400, "M_INVALID_PARAM");
}

#[tokio::test(start_paused = true)]
async fn sliding_sync_tells_of_no_subscription_until_there_is_one() {
    let scene = Scene::new().await;
    let root = scene.bed.say(&scene.alice, &scene.room, "root").await;
    let ask = async |pos: Option<&Value>| {
        let query = pos.map(|pos| format!("?pos={}", pos.as_str().expect("a position"))).unwrap_or_default();
        let path = format!("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync{query}");
        let body = json!({ "extensions": { EXTENSION: { "enabled": true, "limit": 2 } } });
        scene.bed.post(&path).by(&scene.alice).json(&body).await.ok()
    };
    let first = ask(None).await;
    assert_eq!(first["extensions"][EXTENSION].get("subscribed"), None, "{first}");
    scene.call(Method::PUT, &root).json(&json!({})).await.ok();
    let told =
        ask(Some(&first["pos"])).await["extensions"][EXTENSION]["subscribed"][&scene.room][&root].clone();
    assert!(told["bump_stamp"].is_number() && told["automatic"] == false, "{told}");
}
