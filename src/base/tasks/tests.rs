//! What each kind of task does on an error and at the stop.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::UnixMillis;

fn tasks() -> (Tasks, Clock) {
    let clock = Clock::simulated(UnixMillis(0));
    (Tasks::new(clock.clone(), Random::seeded(1)), clock)
}

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn a_follower_that_fails_is_started_again_with_growing_pauses() {
    let (tasks, clock) = tasks();
    let starts = Arc::new(Mutex::new(Vec::new()));
    tasks.spawn(TaskKind::Follower, "search", {
        let (starts, clock) = (starts.clone(), clock.clone());
        move || {
            let (starts, clock) = (starts.clone(), clock.clone());
            async move {
                let start = {
                    let mut starts = starts.lock().unwrap();
                    starts.push(clock.monotonic());
                    starts.len()
                };
                match start {
                    1 => Err("first".into()),
                    2 => panic!("second"),
                    3 => Err("third".into()),
                    _ => Ok(()),
                }
            }
        }
    });
    clock.sleep(Duration::from_secs(600)).await;
    let starts = starts.lock().unwrap().clone();
    let pauses: Vec<u64> = starts.windows(2).map(|pair| (pair[1] - pair[0]).as_millis() as u64).collect();
    assert_eq!(pauses.len(), 3, "ends with the first success");
    for (pause, base) in pauses.iter().zip([1_000, 2_000, 4_000]) {
        assert!((base..=base + base / 4).contains(pause), "{pause} after {base}");
    }
    assert_eq!(tasks.running(), []);
    assert!(!tasks.is_stopping());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_fails_or_panics_shuts_the_process_down_with_its_code() {
    for panics in [false, true] {
        let (tasks, _) = tasks();
        tasks.spawn(TaskKind::Listener, "client", move || async move {
            assert!(!panics, "deliberate");
            Err("gone".into())
        });
        assert_eq!(tasks.shutdown_requested().await, Exit::TaskEnded);
        // A later, kinder request does not change the code.
        tasks.shut_down(Exit::Clean);
        assert_eq!(tasks.shutdown_requested().await, Exit::TaskEnded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_connection_is_only_logged() {
    let (tasks, _) = tasks();
    tasks.spawn_once(TaskKind::Connection, "10.0.0.1", async { Err("reset".into()) });
    tokio::task::yield_now().await;
    assert_eq!(tasks.running(), []);
    assert!(!tasks.is_stopping());
}

#[tokio::test(start_paused = true)]
async fn stop_waits_for_a_unit_of_work_and_drops_what_may_be_dropped() {
    let (tasks, clock) = tasks();
    let finished = Arc::new(AtomicU32::new(0));
    tasks.spawn_once(TaskKind::Connection, "busy", {
        let (tasks, clock, finished) = (tasks.clone(), clock.clone(), finished.clone());
        async move {
            tasks.shutdown_requested().await;
            clock.sleep(Duration::from_secs(3)).await;
            finished.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    });
    tasks.spawn(TaskKind::Maintenance, "sweep", || async {
        std::future::pending::<()>().await;
        Ok(())
    });
    assert_eq!(tasks.running().len(), 2);
    assert_eq!(tasks.stop(SOON).await, []);
    assert_eq!(finished.load(Ordering::Relaxed), 1);
    assert_eq!(clock.monotonic(), Duration::from_secs(3));
    assert_eq!(tasks.running(), []);
}

#[tokio::test(start_paused = true)]
async fn stop_names_and_drops_what_is_late() {
    let (tasks, clock) = tasks();
    tasks.spawn_once(TaskKind::Connection, "stuck", async {
        std::future::pending::<()>().await;
        Ok(())
    });
    let late = tasks.stop(SOON).await;
    assert_eq!(late, [RunningTask { kind: TaskKind::Connection, name: "stuck".into() }]);
    assert_eq!(late[0].to_string(), "Connection stuck");
    assert_eq!(clock.monotonic(), SOON);
    assert_eq!(tasks.running(), []);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_started_after_the_stop_and_no_restart_outlives_it() {
    let (tasks, clock) = tasks();
    tasks.spawn(TaskKind::Follower, "failing", || async { Err("always".into()) });
    clock.sleep(Duration::from_secs(100)).await;
    assert_eq!(tasks.stop(SOON).await, []);
    assert_eq!(clock.monotonic(), Duration::from_secs(100), "the pause is cut short");
    tasks.spawn_once(TaskKind::Connection, "late", async { panic!("must not run") });
    assert_eq!(tasks.running(), []);
}
