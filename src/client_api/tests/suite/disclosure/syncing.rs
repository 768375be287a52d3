//! `/sync`: from the beginning, and step by step.

use std::collections::BTreeSet;

use serde_json::Value;

use super::expected::{STEPS, Standing, Then, VISIBILITIES};
use super::script::{Script, name};

/// The steps whose names of the room stand in an answer. An invitation tells the name of its time.
fn named(answer: &Value) -> BTreeSet<usize> {
    let text = answer.to_string();
    (0..STEPS).filter(|step| text.contains(&name(*step))).collect()
}

/// Nothing newer than what the user may read of the state, and nothing at all for whom it is closed. Who is invited is told what the room is called now.
fn names_are_known(answer: &Value, standing: Standing, upto: usize, case: &str) {
    if standing.stood[upto] == Then::Invited {
        return;
    }
    for step in named(answer) {
        let was_there = standing.stood[step] == Then::Joined;
        // Names stay until the next step begins; who joins or is invited there learns the name that the step begins with.
        let comes_next = standing.stood.get(step + 1).is_some_and(|then| *then != Then::Out);
        assert!(
            step <= upto && (was_there || comes_next || is_past(standing, step)),
            "{case}: {step} {answer}"
        );
    }
}

/// Who joins later may see what the state was before.
fn is_past(standing: Standing, step: usize) -> bool {
    standing.stood[step..].contains(&Then::Joined)
}

#[tokio::test(start_paused = true)]
async fn row_76_sync_shows_each_step_to_whom_it_is_for() {
    for visibility in VISIBILITIES {
        let script = Script::play(visibility).await;
        for ((_, standing, case), answers) in script.cases().zip(&script.synced) {
            let visible = script.visible(standing);
            let mut seen = BTreeSet::new();
            for (number, answer) in answers.iter().enumerate() {
                let case = format!("{case}, step {number}");
                let shown = script.shown(answer);
                assert!(shown.is_subset(&visible), "{case}: {shown:?}");
                names_are_known(answer, standing, number, &case);
                let joined = standing.stood[number] == Then::Joined;
                assert!(!joined || shown.contains(&number), "{case}: {answer}");
                let sections = ["join", "invite", "leave"]
                    .map(|section| answer["rooms"][section].get(&script.room).is_some());
                let leaves = number > 0 && standing.stood[number - 1] == Then::Joined && !joined;
                let is_invited =
                    standing.stood[number] == Then::Invited && standing.stood[number - 1] != Then::Invited;
                assert_eq!(sections, [joined, is_invited, leaves], "{case}: {answer}");
                seen.extend(shown);
            }
            let there = (0..STEPS).filter(|step| standing.stood[*step] == Then::Joined).collect();
            assert!(seen.is_superset(&there), "{case}: {seen:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn row_76_a_first_sync_shows_no_more_than_pages_do() {
    for visibility in VISIBILITIES {
        let script = Script::play(visibility).await;
        for (user, standing, case) in script.cases() {
            let answer = script.sync(user, None).await;
            let (visible, shown) = (script.visible(standing), script.shown(&answer));
            assert!(shown.is_subset(&visible), "{case}: {shown:?}");
            names_are_known(&answer, standing, STEPS - 1, &case);
            if standing.name == "never" {
                assert!(!answer.to_string().contains(&script.room), "{case}: {answer}");
            }
            let last = standing.stood.iter().rposition(|then| *then == Then::Joined);
            if let Some(last) = last {
                assert!(shown.contains(&last), "{case}: what was said last is there: {answer}");
            }
        }
    }
}

/// A token of somebody who is in the room, or of a time when one was: what came since is not for everybody who asks with it.
#[tokio::test(start_paused = true)]
async fn row_83_the_sync_tokens_of_others_show_no_more() {
    for visibility in VISIBILITIES {
        let script = Script::play(visibility).await;
        for (user, standing, case) in script.cases() {
            for step in &script.steps {
                let answer = script.sync(user, Some(&step.token)).await;
                let shown = script.shown(&answer);
                assert!(shown.is_subset(&script.visible(standing)), "{case}: {shown:?}");
                names_are_known(&answer, standing, STEPS - 1, &case);
            }
        }
    }
}
