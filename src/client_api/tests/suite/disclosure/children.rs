//! Children of events: lists of them, threads, what is told of them together with their parents.

use super::expected::STEPS;
use super::reader::Reader;
use super::said::{Kind, Name};
use crate::chat::encoded;

/// Whether a kind of child is asked for.
type IsGiven = fn(Kind) -> bool;

/// `/relations`, of each message, of each kind, with children of children.
pub async fn relations(reader: &mut Reader<'_>) {
    let ways: [(&str, IsGiven); 5] = [
        ("", |kind| matches!(kind, Kind::Reply | Kind::Edit | Kind::Reference)),
        ("/m.thread", |kind| kind == Kind::Reply),
        ("/m.replace/m.room.message", |kind| kind == Kind::Edit),
        ("?recurse=true", |kind| kind != Kind::Message),
        ("/m.annotation?recurse=true", |_| false),
    ];
    for step in 0..STEPS {
        let message = encoded(&reader.script.steps[step].message);
        for (way, is_of_kind) in ways {
            let query = if way.contains('?') { "&limit=100" } else { "?limit=100" };
            let answer = reader.get_v1(&format!("/relations/{message}{way}{query}")).await;
            let way = format!("relations of message {step}{way}");
            let Some(page) = reader.allowed(&way, answer, reader.sees(step), 404) else { continue };
            let expected = reader.may_see(|name| name.message == step && is_of_kind(name.kind));
            reader.expect(&way, reader.told(&page), expected);
        }
    }
}

/// `/threads`: those of which the user may see the root; and with it its children.
pub async fn threads(reader: &mut Reader<'_>) {
    for include in ["all", "participated"] {
        let way = format!("threads, {include}");
        let answer = reader.get_v1(&format!("/threads?limit=100&include={include}")).await;
        let Some(page) = reader.allowed(&way, answer, reader.has_access(), 403) else { continue };
        let roots = page["chunk"].as_array().expect("a list").iter();
        let roots: Vec<_> = roots.map(|root| root["event_id"].clone()).collect();
        let is_root = |name: &Name| name.kind == Kind::Message && include == "all";
        let expected = reader.may_see(is_root).into_iter().rev().map(|name| reader.script.id(name).into());
        reader.expect(&way, roots, expected.collect());
        reader.expect_bundles(&way, &page);
        reader.expect_no_more(&way, &page);
    }
}

/// What comes with the message itself: alone, with what stands around it, in pages, in a `/sync` that leaves events out.
pub async fn bundles(reader: &mut Reader<'_>) {
    for step in (0..STEPS).filter(|step| reader.sees(*step)).collect::<Vec<_>>() {
        let id = encoded(&reader.script.steps[step].message);
        for way in ["/event/", "/context/"] {
            let answer = reader.get(&format!("{way}{id}?limit=100")).await;
            let way = format!("{way} of message {step}");
            let Some(answer) = reader.allowed(&way, answer, true, 404) else { continue };
            reader.expect_bundles(&way, &answer);
            reader.expect_no_more(&way, &answer);
        }
    }
    let answer = reader.get("/messages?dir=b&limit=100").await;
    if let Some(page) = reader.allowed("messages", answer, reader.has_access(), 403) {
        reader.expect("messages", reader.told(&page), reader.may_see(|_| true));
        reader.expect_bundles("messages", &page);
    }
    let filter = encoded(r#"{"room":{"include_leave":true,"timeline":{"limit":20}}}"#);
    let path = format!("/_matrix/client/v3/sync?filter={filter}");
    let answer = reader.script.bed.get(&path).by(reader.user).await.ok();
    reader.expect_no_more("sync", &answer);
    for section in ["join", "leave"] {
        let timeline = &answer["rooms"][section][&reader.script.room]["timeline"];
        if timeline["limited"] == true {
            reader.expect_bundles("sync", timeline);
        }
    }
}
