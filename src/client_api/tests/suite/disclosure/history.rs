//! Messages: in pages, alone, with what stands around them.

use std::collections::BTreeSet;

use super::expected::VISIBILITIES;
use super::script::Script;
use crate::bed::User;
use crate::chat::encoded;

impl Script {
    /// The messages that pages show, in either direction; `None` where there is no access.
    async fn pages(&self, user: &User, dir: &str) -> Option<BTreeSet<usize>> {
        let (mut found, mut ids) = (BTreeSet::new(), BTreeSet::new());
        let mut from = String::new();
        loop {
            let answer = self.ask(user, &format!("/messages?dir={dir}&limit=2{from}")).await;
            if answer.status == 403 {
                answer.refused(403, "M_FORBIDDEN");
                return None;
            }
            let page = answer.ok();
            for event in page["chunk"].as_array().into_iter().flatten() {
                assert!(ids.insert(event["event_id"].to_string()), "{event} came twice");
            }
            found.extend(self.shown(&page));
            match page["end"].as_str() {
                Some(end) => from = format!("&from={}", encoded(end)),
                None => return Some(found),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn row_76_pages_show_what_one_may_see() {
    for visibility in VISIBILITIES {
        let script = Script::play(visibility).await;
        for (user, standing, case) in script.cases() {
            let expected = standing.has_access(visibility).then(|| script.visible(standing));
            for dir in ["b", "f"] {
                assert_eq!(script.pages(user, dir).await, expected, "{case}, {dir}");
            }
        }
    }
}

/// A token of somebody who may see more: it is a place, and no right.
#[tokio::test(start_paused = true)]
async fn row_83_pages_from_the_tokens_of_others_show_no_more() {
    for visibility in VISIBILITIES {
        let script = Script::play(visibility).await;
        for (user, standing, case) in script.cases() {
            for step in &script.steps {
                for dir in ["b", "f"] {
                    let from = encoded(&step.token);
                    let path = format!("/messages?dir={dir}&limit=100&from={from}");
                    let shown = script.shown(&script.ask(user, &path).await.body);
                    assert!(shown.is_subset(&script.visible(standing)), "{case}, {dir}: {shown:?}");
                    assert!(standing.has_access(visibility) || shown.is_empty(), "{case}, {dir}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn row_76_an_event_is_shown_alone_and_with_what_stands_around_it() {
    for visibility in VISIBILITIES {
        let script = Script::play(visibility).await;
        for (user, standing, case) in script.cases() {
            let visible = script.visible(standing);
            for (number, step) in script.steps.iter().enumerate() {
                let id = encoded(&step.message);
                let event = script.ask(user, &format!("/event/{id}")).await;
                let context = script.ask(user, &format!("/context/{id}?limit=100")).await;
                if visible.contains(&number) {
                    assert_eq!(event.ok()["event_id"], step.message.as_str(), "{case}");
                    let context = context.ok();
                    assert_eq!(script.shown(&context), visible, "{case}, around {number}");
                    assert_eq!(context["event"]["event_id"], step.message.as_str(), "{case}");
                } else {
                    event.refused(404, "M_NOT_FOUND");
                    context.refused(404, "M_NOT_FOUND");
                }
            }
        }
    }
}
