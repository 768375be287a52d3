//! Interactive authentication: one proof for one request.

use plop_accounts::deactivation::DeactivationError;
use plop_accounts::devices::DeviceError;
use plop_accounts::password_change::PasswordChangeError;
use plop_accounts::threepids::ThreepidError;
use plop_accounts::uia::{
    Authorized, Challenge, Failure, Proof, Stage, Submission, UiaError, UiaOperation, UiaRequest,
};
use plop_base::Actor;
use serde_json::{Map, Value};

use crate::bed::{Bed, PASSWORD, actor, address, json};

struct Asked {
    actor: Option<Actor>,
    operation: UiaOperation,
    body: Map<String, Value>,
    flows: Vec<Vec<Stage>>,
}

impl Asked {
    /// A change of the password by this actor.
    fn of(actor: &Actor) -> Self {
        Self {
            actor: Some(actor.clone()),
            operation: UiaOperation::ChangePassword,
            body: json(r#"{"new_password": "x", "logout_devices": true}"#),
            flows: vec![vec![Stage::Password]],
        }
    }

    async fn submit(&self, bed: &Bed, auth: Option<Submission>) -> Result<Authorized, UiaError> {
        let request = UiaRequest {
            actor: self.actor.as_ref(),
            operation: self.operation.clone(),
            body: &self.body,
            flows: &self.flows,
            from: address("192.0.2.1"),
        };
        bed.accounts.authorize(&request, auth).await
    }

    /// The challenge that answers this submission.
    async fn challenged(&self, bed: &Bed, auth: Option<Submission>) -> Challenge {
        match self.submit(bed, auth).await {
            Err(UiaError::Challenge(challenge)) => *challenge,
            other => panic!("{other:?}"),
        }
    }

    async fn session(&self, bed: &Bed) -> String {
        self.challenged(bed, None).await.session
    }
}

fn with(session: &str, proof: Proof) -> Option<Submission> {
    Some(Submission { session: Some(session.to_owned()), proof: Some(proof) })
}

fn password(user: &str, password: &str) -> Proof {
    Proof::Password { user: user.into(), password: password.into() }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_auth_is_challenged_and_a_password_authorises_it() {
    let bed = Bed::new();
    let asked = Asked::of(&actor(&bed.user("alice").await));
    let challenge = asked.challenged(&bed, None).await;
    assert_eq!((challenge.flows, challenge.completed), (vec![vec![Stage::Password]], vec![]));
    assert_eq!(challenge.failure, None);
    let wrong = asked.challenged(&bed, with(&challenge.session, password("alice", "wrong"))).await;
    assert_eq!(wrong.failure, Some(Failure::WrongCredentials));
    assert_eq!(wrong.session, challenge.session);
    let right = asked.submit(&bed, with(&challenge.session, password("@alice:plop.example", PASSWORD))).await;
    let _ = right.expect("authorised");
}

#[tokio::test(start_paused = true)]
async fn b8_120_a_session_authorises_one_request() {
    let bed = Bed::new();
    let asked = Asked::of(&actor(&bed.user("alice").await));
    let session = asked.session(&bed).await;
    let submission = || with(&session, password("alice", PASSWORD));
    let (a, b) = tokio::join!(asked.submit(&bed, submission()), asked.submit(&bed, submission()));
    assert_eq!([a, b].iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let replay = asked.challenged(&bed, submission()).await;
    assert_eq!(replay.failure, Some(Failure::UnknownSession));
    assert_ne!(replay.session, session);
}

#[tokio::test(start_paused = true)]
async fn b8_120_a_session_of_another_user_device_or_operation_is_unknown() {
    let bed = Bed::new();
    let alice = bed.user("alice").await;
    let bob = actor(&bed.user("bob").await);
    let asked = Asked::of(&actor(&alice));
    let session = asked.session(&bed).await;
    let other_device = Actor::User { user: alice.user.clone(), device: "OTHER".into() };
    let other_operation = Asked { operation: UiaOperation::Deactivate, ..Asked::of(&actor(&alice)) };
    let nobody = Asked { actor: None, ..Asked::of(&actor(&alice)) };
    for other in [Asked::of(&bob), Asked::of(&other_device), other_operation, nobody] {
        let refused = other.challenged(&bed, with(&session, password("alice", PASSWORD))).await;
        assert_eq!(refused.failure, Some(Failure::UnknownSession));
        assert!(refused.completed.is_empty());
    }
    let _ = asked.submit(&bed, with(&session, password("alice", PASSWORD))).await.expect("authorised");
}

#[tokio::test(start_paused = true)]
async fn b8_120_a_session_of_one_device_deletion_is_not_for_another() {
    let bed = Bed::new();
    let alice = actor(&bed.user("alice").await);
    let delete = |id: &str| Asked {
        operation: UiaOperation::DeleteDevice(id.into()),
        body: Map::new(),
        ..Asked::of(&alice)
    };
    let session = delete("ONE").session(&bed).await;
    let refused = delete("TWO").challenged(&bed, with(&session, password("alice", PASSWORD))).await;
    assert_eq!(refused.failure, Some(Failure::UnknownSession));
}

#[tokio::test(start_paused = true)]
async fn b8_120_the_body_cannot_change_after_the_first_proof() {
    let bed = Bed::new();
    let alice = actor(&bed.user("alice").await);
    let flows = vec![vec![Stage::Dummy, Stage::Password]];
    let asked = Asked { flows: flows.clone(), ..Asked::of(&alice) };
    let session = Asked { body: Map::new(), flows: flows.clone(), ..Asked::of(&alice) }.session(&bed).await;
    // Before any proof the body may differ: clients ask for the flows first.
    let half = asked.challenged(&bed, with(&session, Proof::Dummy)).await;
    assert_eq!((half.failure, half.completed), (None, vec![Stage::Dummy]));
    let body = json(r#"{"new_password": "other", "logout_devices": true}"#);
    let changed = Asked { body, flows, ..Asked::of(&alice) };
    let refused = changed.challenged(&bed, with(&session, password("alice", PASSWORD))).await;
    assert_eq!(refused.failure, Some(Failure::UnknownSession));
    let _ = asked.submit(&bed, with(&session, password("alice", PASSWORD))).await.expect("authorised");
}

#[tokio::test(start_paused = true)]
async fn b8_120_a_stage_may_be_proven_again_and_does_not_count_twice() {
    let bed = Bed::new();
    let alice = actor(&bed.user("alice").await);
    let asked = Asked { flows: vec![vec![Stage::Dummy, Stage::Password]], ..Asked::of(&alice) };
    let session = asked.session(&bed).await;
    for _ in 0..3 {
        let half = asked.challenged(&bed, with(&session, Proof::Dummy)).await;
        assert_eq!((half.failure, half.completed), (None, vec![Stage::Dummy]));
    }
    // `auth` with the session only asks where it stands.
    let asks = Some(Submission { session: Some(session.clone()), proof: None });
    assert_eq!(asked.challenged(&bed, asks).await.completed, [Stage::Dummy]);
    let _ = asked.submit(&bed, with(&session, password("alice", PASSWORD))).await.expect("authorised");
}

#[tokio::test(start_paused = true)]
async fn b8_120_empty_unknown_and_unexpected_auth_authorises_nothing() {
    let bed = Bed::new();
    let asked = Asked::of(&actor(&bed.user("alice").await));
    assert_eq!(asked.challenged(&bed, Some(Submission::default())).await.failure, None);
    let session = asked.session(&bed).await;
    for proof in [Proof::Dummy, Proof::Unknown, Proof::RegistrationToken("x".to_owned())] {
        let refused = asked.challenged(&bed, with(&session, proof)).await;
        assert_eq!(refused.failure, Some(Failure::UnexpectedStage));
    }
    for made_up in ["", "made up"] {
        let refused = asked.challenged(&bed, with(made_up, password("alice", PASSWORD))).await;
        assert_eq!(refused.failure, Some(Failure::UnknownSession));
    }
}

#[tokio::test(start_paused = true)]
async fn b8_120_the_password_must_be_that_of_the_user_who_asks() {
    let bed = Bed::new();
    bed.user("bob").await;
    let asked = Asked::of(&actor(&bed.user("alice").await));
    let session = asked.session(&bed).await;
    for user in ["bob", "@bob:plop.example", "nobody"] {
        let refused = asked.submit(&bed, with(&session, password(user, PASSWORD))).await;
        assert!(matches!(refused, Err(UiaError::OtherUser)), "{refused:?}");
    }
    let _ = asked.submit(&bed, with(&session, password("alice", PASSWORD))).await.expect("authorised");
}

#[tokio::test(start_paused = true)]
async fn b8_120_a_session_expires_and_a_restart_ends_it() {
    let bed = Bed::new();
    let asked = Asked::of(&actor(&bed.user("alice").await));
    let session = asked.session(&bed).await;
    let restarted = bed.restarted();
    let refused = asked.challenged(&restarted, with(&session, password("alice", PASSWORD))).await;
    assert_eq!(refused.failure, Some(Failure::UnknownSession));
    bed.pass(15 * 60).await;
    let refused = asked.challenged(&bed, with(&session, password("alice", PASSWORD))).await;
    assert_eq!(refused.failure, Some(Failure::UnknownSession));
}

#[tokio::test(start_paused = true)]
async fn b8_115_passwords_are_limited_here_as_at_login() {
    let bed = Bed::new();
    let asked = Asked::of(&actor(&bed.user("alice").await));
    let session = asked.session(&bed).await;
    let mut limited = 0;
    for _ in 0..20 {
        let outcome = asked.submit(&bed, with(&session, password("alice", "guess"))).await;
        limited += u32::from(matches!(outcome, Err(UiaError::Limited(_))));
    }
    assert_eq!(limited, 10);
}

#[tokio::test(start_paused = true)]
async fn what_is_authorised_for_another_operation_or_user_changes_nothing() {
    let bed = Bed::new();
    let (alice, bob) = (actor(&bed.user("alice").await), actor(&bed.user("bob").await));
    let given = async |to, operation| plop_bed::authorized(&bed.accounts, to, operation).await;
    for (to, operation) in [
        (&bob, UiaOperation::ChangePassword),
        (&bob, UiaOperation::Deactivate),
        (&bob, UiaOperation::MakeLoginToken),
        (&bob, UiaOperation::DeleteDevices),
        (&alice, UiaOperation::AddAddress),
        (&alice, UiaOperation::DeleteDevice("OTHER".into())),
    ] {
        let authorized = async || given(to, operation.clone()).await;
        let changed = bed.accounts.change_password(&alice, authorized().await, "new".into(), true).await;
        assert!(matches!(changed, Err(PasswordChangeError::Forbidden(_))), "{operation:?} {changed:?}");
        let ended = bed.accounts.deactivate(&alice, authorized().await, true).await;
        assert!(matches!(ended, Err(DeactivationError::Forbidden(_))), "{operation:?} {ended:?}");
        assert!(bed.accounts.make_login_token(&alice, authorized().await).is_err(), "{operation:?}");
        let device = alice.device_id().expect("a device").to_owned();
        let deleted = bed.accounts.delete_devices(&alice, authorized().await, &[device]).await;
        assert!(matches!(deleted, Err(DeviceError::Forbidden(_))), "{operation:?} {deleted:?}");
    }
    let added = bed.accounts.add_address(&alice, given(&bob, UiaOperation::AddAddress).await, "a", "b").await;
    assert!(matches!(added, Err(ThreepidError::Forbidden(_))), "{added:?}");
}
