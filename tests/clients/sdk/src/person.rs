//! A person on one device: what Element X does for them.
//!
//! Owns: the client with its two sliding sync connections (room list and encryption), what is waited for and how long.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use matrix_sdk::encryption::{BackupDownloadStrategy, EncryptionSettings};
use matrix_sdk::ruma::{OwnedUserId, RoomId};
use matrix_sdk::{Client, Room};
use matrix_sdk_ui::room_list_service::filters::new_filter_non_left;
use matrix_sdk_ui::sync_service::{State, SyncService};
use matrix_sdk_ui::timeline::{EventTimelineItem, RoomExt, Timeline};

/// How long a person waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often they look.
const GLANCE: Duration = Duration::from_millis(50);

pub struct Person {
    pub client: Client,
    sync: SyncService,
}

impl Person {
    /// Logs in on a new device, as `with_server.py` registered the name, and starts to sync.
    pub async fn log_in(homeserver: &str, name: &str, device: &str) -> Result<Self> {
        let settings = EncryptionSettings {
            auto_enable_cross_signing: true,
            backup_download_strategy: BackupDownloadStrategy::AfterDecryptionFailure,
            auto_enable_backups: false,
        };
        let client =
            Client::builder().homeserver_url(homeserver).with_encryption_settings(settings).build().await?;
        client
            .matrix_auth()
            .login_username(name, &format!("correct horse battery {name}"))
            .initial_device_display_name(device)
            .send()
            .await
            .context("logging in")?;
        client.encryption().wait_for_e2ee_initialization_tasks().await;
        let sync = SyncService::builder(client.clone()).build().await.context("the sync service")?;
        sync.start().await;
        let person = Self { client, sync };
        person
            .until("the sync service runs", async || {
                Ok(matches!(person.sync.state().get(), State::Running).then_some(()))
            })
            .await?;
        Ok(person)
    }

    pub fn id(&self) -> OwnedUserId {
        self.client.user_id().expect("logged in").to_owned()
    }

    /// The rooms in the list, in its order.
    pub async fn room_list(&self) -> Result<Vec<Arc<Room>>> {
        use futures_util::StreamExt;
        let list = self.sync.room_list_service().all_rooms().await?;
        let (entries, controller) = list.entries_with_dynamic_adapters(100);
        let mut entries = std::pin::pin!(entries);
        controller.set_filter(Box::new(new_filter_non_left()));
        let mut rooms = matrix_sdk_ui::eyeball_im::Vector::new();
        if let Some(changes) = entries.next().await {
            for change in changes {
                change.apply(&mut rooms);
            }
        }
        Ok(rooms
            .into_iter()
            .map(|item: matrix_sdk_ui::room_list_service::RoomListItem| Arc::new(item.into_inner()))
            .collect())
    }

    /// The room, once the list has it.
    pub async fn sees_room(&self, room: &RoomId) -> Result<Room> {
        self.until("the room is in the list", async || {
            let rooms = self.room_list().await?;
            Ok(rooms.into_iter().find(|listed| listed.room_id() == room).map(|listed| (*listed).clone()))
        })
        .await
    }

    /// Opens a room as the app does: subscribed, with its timeline.
    pub async fn open(&self, room: &RoomId) -> Result<Timeline> {
        self.sync.room_list_service().subscribe_to_rooms(&[room]).await;
        let room = self.client.get_room(room).context("a room that is there")?;
        Ok(room.timeline().await?)
    }

    /// The first item of the timeline that `is_it`, once it is there.
    pub async fn sees(
        &self,
        timeline: &Timeline,
        what: &str,
        is_it: impl Fn(&EventTimelineItem) -> bool,
    ) -> Result<EventTimelineItem> {
        self.until(what, async || {
            let items = timeline.items().await;
            Ok(items.iter().filter_map(|item| item.as_event()).find(|item| is_it(item)).cloned())
        })
        .await
    }

    /// The message with this text, once it has been decrypted and sent.
    pub async fn reads(&self, timeline: &Timeline, text: &str) -> Result<EventTimelineItem> {
        self.sees(timeline, &format!("the message {text:?}"), |item| {
            item.is_remote_event() && body(item).is_some_and(|body| body == text)
        })
        .await
    }

    /// What `look` finds, once it does.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
        let attempt = async {
            loop {
                if let Some(found) = look().await? {
                    return Ok(found);
                }
                tokio::time::sleep(GLANCE).await;
            }
        };
        match tokio::time::timeout(PATIENCE, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => bail!("waited in vain until {what}"),
        }
    }

    pub async fn log_out(self) -> Result<()> {
        self.sync.stop().await;
        self.client.matrix_auth().logout().await?;
        Ok(())
    }
}

/// The text of a message.
pub fn body(item: &EventTimelineItem) -> Option<&str> {
    item.content().as_message().map(|message| message.body())
}
