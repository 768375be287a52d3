//! Threads: those of a room, and which ones a user has subscribed to (MSC4306, MSC4308).

mod changes;
mod list;
mod subscription;

use crate::budgets::PAGE;
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .costly_get("/_matrix/client/v1/rooms/{roomId}/threads", PAGE, list::list)
        .get(subscription::PATH, subscription::read)
        .put(subscription::PATH, subscription::subscribe)
        .delete(subscription::PATH, subscription::unsubscribe)
        .get("/_matrix/client/unstable/io.element.msc4308/thread_subscriptions", changes::changes)
}
