//! What changed of a user's thread subscriptions: those that were too many for an answer of sliding sync (MSC4308).

use axum::extract::State;
use plop_accounts::schema::ThreadWish;
use plop_accounts::thread_subscriptions::{
    End, ThreadSubscription, ThreadSubscriptionToken, thread_subscription_changes,
};
use plop_db::Position;
use plop_rooms::Rooms;
use plop_sync::sliding::pos::Pos;
use ruma::UInt;
use ruma::api::Direction;
use ruma::api::client::threads::get_thread_subscriptions_changes::unstable::{
    Response, ThreadSubscription as Subscribed, ThreadUnsubscription as Unsubscribed,
};
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{Query, Ruma, Session};

/// Changes of a page: without a limit in the request, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;

/// The query. ruma keeps the direction to itself.
#[derive(Deserialize)]
pub struct Page {
    dir: Direction,
    from: Option<String>,
    to: Option<String>,
    limit: Option<UInt>,
}

/// `GET /_matrix/client/unstable/io.element.msc4308/thread_subscriptions` (MSC4308). For users. `from` says itself where what the client
/// has begins, so a `to` that is the `pos` which the client came with counts without `from` only: of a connection that had told no
/// subscriptions until then it would cut off what is missing.
pub async fn changes(
    State(rooms): State<Rooms>,
    session: Session,
    Query(page): Query<Page>,
) -> Result<Ruma<Response>, ApiError> {
    if page.dir != Direction::Backward {
        return Err(ApiError::invalid_param("Changes are given from the newest one on, `dir=b`."));
    }
    let limit = page.limit.map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(MAX_LIMIT));
    if limit == 0 {
        return Err(ApiError::invalid_param("`limit` is 0."));
    }
    let snapshot = rooms.db().snapshot();
    let to = page.to.as_deref().map(|to| lower_end(to, &rooms)).transpose()?;
    let (end, after) = match page.from.as_deref().map(token).transpose()? {
        Some(from) => (End::Below(from), to.map_or(from.after(), |to| to.with(from))),
        None => (End::At(snapshot.position()), to.map_or(Position::START, LowerEnd::position)),
    };
    let limit = limit.min(MAX_LIMIT);
    let found = thread_subscription_changes(&snapshot, session.user()?, after, end, limit).await?;
    let mut response = Response::new();
    response.end = found.next.map(|next| next.to_string());
    for item in found.items {
        tell(&mut response, item);
    }
    Ok(Ruma(response))
}

/// What a page ends after.
#[derive(Clone, Copy)]
enum LowerEnd {
    /// The position of sliding sync that the client came with.
    Pos(Position),
    /// Where another page began.
    Page(ThreadSubscriptionToken),
}

impl LowerEnd {
    fn position(self) -> Position {
        match self {
            Self::Pos(position) => position,
            Self::Page(token) => token.below(),
        }
    }

    /// The same for a page whose token says itself after what it ends.
    fn with(self, from: ThreadSubscriptionToken) -> Position {
        match self {
            Self::Pos(_) => from.after(),
            Self::Page(token) => token.below().max(from.after()),
        }
    }
}

fn lower_end(to: &str, rooms: &Rooms) -> Result<LowerEnd, ApiError> {
    match to.parse::<Pos>() {
        Ok(pos) if pos.database == rooms.db().identity() => Ok(LowerEnd::Pos(pos.position)),
        Ok(_) => Err(no_token()),
        Err(_) => token(to).map(LowerEnd::Page),
    }
}

fn token(text: &str) -> Result<ThreadSubscriptionToken, ApiError> {
    text.parse().map_err(|_| no_token())
}

fn no_token() -> ApiError {
    ApiError::invalid_param("There is no such token.")
}

fn tell(response: &mut Response, item: ThreadSubscription) {
    // Of changes there are far fewer than a client's numbers reach.
    let stamp = UInt::new_saturating(item.bump_stamp);
    let automatic = match item.wish {
        ThreadWish::Manual => false,
        ThreadWish::Automatic => true,
        ThreadWish::Unsubscribed => {
            let ended = Unsubscribed::new(stamp);
            response.unsubscribed.entry(item.room).or_default().insert(item.root, ended);
            return;
        }
    };
    let subscribed = Subscribed::new(automatic, stamp);
    response.subscribed.entry(item.room).or_default().insert(item.root, subscribed);
}
