//! Hashes of passwords, their cost, and the queue before them.

use std::sync::mpsc::sync_channel;

use super::*;

const CHEAP: PasswordCost =
    PasswordCost { memory_kib: 8, iterations: 1, parallelism: 1, concurrent_hashes: 1 };

fn hasher(cost: PasswordCost) -> PasswordHasher {
    PasswordHasher::new(cost, Random::seeded(1)).expect("a possible cost")
}

#[tokio::test]
async fn a_password_matches_its_hash_only() {
    let hasher = hasher(CHEAP);
    let hash = hasher.hash("secret".into()).await.expect("a hash");
    assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
    assert_eq!(hasher.verify("secret".into(), Some(hash.clone())).await, Ok(Comparison::Right));
    assert_eq!(hasher.verify("Secret".into(), Some(hash.clone())).await, Ok(Comparison::Wrong));
    assert_eq!(hasher.verify("".into(), Some(hash)).await, Ok(Comparison::Wrong));
}

#[tokio::test]
async fn two_hashes_of_one_password_differ() {
    let hasher = hasher(CHEAP);
    let one = hasher.hash("secret".into()).await.expect("a hash");
    assert_ne!(hasher.hash("secret".into()).await.expect("a hash"), one);
}

#[tokio::test]
async fn nobody_has_a_password_and_damage_is_not_one() {
    let hasher = hasher(CHEAP);
    assert_eq!(hasher.verify("secret".into(), None).await, Ok(Comparison::Wrong));
    for damaged in ["", "secret", "$argon2id$v=19$m=8,t=1,p=1$", "$unknown$v=1$a$b"] {
        assert_eq!(hasher.verify("".into(), Some(damaged.to_owned())).await, Ok(Comparison::Wrong));
    }
}

#[tokio::test]
async fn a_hash_of_another_cost_is_right_and_outdated() {
    let hash = hasher(CHEAP).hash("secret".into()).await.expect("a hash");
    let dearer = hasher(PasswordCost { iterations: 2, ..CHEAP });
    assert_eq!(dearer.verify("secret".into(), Some(hash)).await, Ok(Comparison::RightButOutdated));
}

#[test]
fn a_cost_that_argon2_does_not_have_is_refused() {
    let impossible = PasswordCost { memory_kib: 1, ..CHEAP };
    assert!(PasswordHasher::new(impossible, Random::seeded(1)).is_err());
}

#[tokio::test]
async fn b8_115_a_flood_of_hashes_waits_in_a_bounded_queue() {
    let hasher = hasher(CHEAP);
    // All threads are taken.
    let (end, ends) = sync_channel::<()>(0);
    let mut held = Box::pin(hasher.running.run(move || ends.recv().is_err()));
    assert!(futures_pending(&mut held).await);
    let mut waiting: Vec<_> =
        (0..WAITING_PER_THREAD + 1).map(|_| Box::pin(hasher.verify("x".into(), None))).collect();
    for one in &mut waiting {
        assert!(futures_pending(one).await);
    }
    assert_eq!(hasher.verify("x".into(), None).await, Err(Busy));
    drop(end);
    for one in waiting {
        assert_eq!(one.await, Ok(Comparison::Wrong));
    }
    assert_eq!(hasher.verify("x".into(), None).await, Ok(Comparison::Wrong));
}

/// Polls once; true when it is not ready.
async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
    })
    .await
}

#[test]
fn a_password_is_never_printed() {
    assert_eq!(format!("{:?}", Password::from("secret")), "Password(..)");
}
