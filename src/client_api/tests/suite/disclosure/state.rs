//! The state of the room, and its members.

use serde_json::Value;

use super::expected::{STEPS, Standing, Then, VISIBILITIES};
use super::script::{Script, name};
use crate::call::Answer;
use crate::chat::encoded;

/// Asserts that an answer tells of no membership that began behind the state that the user may read.
fn members_are_those_of(answer: &Value, standing: Standing, visibility: &str, case: &str) {
    let rejoined =
        |event: &&Value| event["state_key"].as_str().is_some_and(|key| key.starts_with("@rejoined:"));
    let event = answer.as_array().into_iter().flatten().find(rejoined);
    let membership = event.map(|event| event["content"]["membership"].clone());
    // Who left before this user did has not seen that.
    let step = standing.state_of(visibility).expect("access");
    if step < STEPS - 1 && standing.stood[STEPS - 1] == Then::Out {
        assert_eq!(membership, Some("join".into()), "{case}: {event:?}");
    }
}

fn allowed(answer: Answer, allowed: bool, case: &str) -> Option<Value> {
    if allowed {
        return Some(answer.ok());
    }
    assert_eq!(answer.status, 403, "{case}: {answer:?}");
    answer.refused(403, "M_FORBIDDEN");
    None
}

#[tokio::test(start_paused = true)]
async fn row_76_who_left_reads_the_state_as_it_was_and_strangers_read_none() {
    for visibility in VISIBILITIES {
        let script = Script::play(visibility).await;
        for (user, standing, case) in script.cases() {
            let step = standing.state_of(visibility);
            let one = script.ask(user, "/state/m.room.name").await;
            let all = script.ask(user, "/state").await;
            let members = script.ask(user, "/members").await;
            let Some(all) = allowed(all, step.is_some(), &case) else {
                allowed(one, false, &case);
                allowed(members, false, &case);
                continue;
            };
            let expected = name(step.unwrap_or_default());
            assert_eq!(one.ok()["name"], expected.as_str(), "{case}");
            let names: Vec<_> =
                all.as_array().into_iter().flatten().filter(|event| event["type"] == "m.room.name").collect();
            assert_eq!(names.len(), 1, "{case}");
            assert_eq!(names[0]["content"]["name"], expected.as_str(), "{case}");
            members_are_those_of(&all, standing, visibility, &case);
            members_are_those_of(&members.ok()["chunk"], standing, visibility, &case);
        }
    }
}

/// At every place, by the tokens of somebody who has been there from the beginning.
#[tokio::test(start_paused = true)]
async fn row_76_members_at_a_place_are_no_newer_than_what_one_may_see() {
    for visibility in VISIBILITIES {
        let script = Script::play(visibility).await;
        for (user, standing, case) in script.cases() {
            for (number, step) in script.steps.iter().enumerate() {
                let answer = script.ask(user, &format!("/members?at={}", encoded(&step.token))).await;
                let case = format!("{case}, at {number}");
                let Some(last) = standing.state_of(visibility) else {
                    allowed(answer, false, &case);
                    continue;
                };
                if answer.status != 200 {
                    assert!(!standing.sees(visibility, number), "{case}: {answer:?}");
                    continue;
                }
                let chunk = answer.ok()["chunk"].clone();
                // Where everybody may look, that goes for what came later as well.
                if number >= last && visibility != "world_readable" {
                    members_are_those_of(&chunk, standing, visibility, &case);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn row_76_joined_members_are_for_those_who_are_there() {
    for visibility in VISIBILITIES {
        let script = Script::play(visibility).await;
        for (user, standing, case) in script.cases() {
            allowed(script.ask(user, "/joined_members").await, standing.is_joined(), &case);
            let aliases = standing.is_joined() || visibility == "world_readable";
            allowed(script.ask(user, "/aliases").await, aliases, &case);
        }
    }
}
