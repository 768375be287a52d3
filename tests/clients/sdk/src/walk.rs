//! The walk: what two people do with the app on one day.
//!
//! Owns: the steps and their order. Each says what it has seen.

use anyhow::{Context, Result, ensure};
use matrix_sdk::media::{MediaFormat, MediaRequestParameters};
use matrix_sdk::room::edit::EditedContent;
use matrix_sdk::ruma::OwnedRoomId;
use matrix_sdk::ruma::api::client::receipt::create_receipt::v3::ReceiptType;
use matrix_sdk::ruma::api::client::room::create_room;
use matrix_sdk::ruma::events::room::message::{
    MessageType, RoomMessageEventContent, RoomMessageEventContentWithoutRelation,
};
use matrix_sdk_ui::timeline::{AttachmentConfig, AttachmentSource, Timeline, TimelineItemContent};

use crate::person::{Person, body};
use crate::verification;

/// How many messages are in the long room: more than a client gets at once.
const LONG: usize = 60;

/// A day.
pub async fn everything(homeserver: &str) -> Result<()> {
    let alice = Person::log_in(homeserver, "alice", "telephone").await?;
    let bob = Person::log_in(homeserver, "bob", "telephone").await?;
    seen("both are logged in, room list and encryption sync");

    let direct = direct_chat(&alice, &bob).await?;
    let (at_alice, at_bob) = (alice.open(&direct).await?, bob.open(&direct).await?);
    messages(&alice, &bob, &at_alice, &at_bob).await?;
    receipts(&alice, &bob, &at_alice, &at_bob).await?;
    attachment(&alice, &bob, &at_alice, &at_bob).await?;
    verification::verify(&alice, &bob).await?;
    seen("they compared emoji: each has verified the other");

    history(&alice, &bob).await?;
    recovery(homeserver, alice, &direct).await?;
    bob.log_out().await?;
    seen("logged out");
    Ok(())
}

fn seen(what: &str) {
    println!("seen: {what}");
}

async fn direct_chat(alice: &Person, bob: &Person) -> Result<OwnedRoomId> {
    let room = alice.client.create_dm(&bob.id()).await.context("a direct chat")?;
    let id = room.room_id().to_owned();
    let invited = bob.sees_room(&id).await?;
    invited.join().await?;
    ensure!(invited.latest_encryption_state().await?.is_encrypted(), "a direct chat is encrypted");
    alice.until("bob has joined", async || Ok((room.joined_members_count() == 2).then_some(()))).await?;
    seen("an invitation to an encrypted direct chat came by sliding sync and was accepted");
    Ok(id)
}

async fn say(timeline: &Timeline, text: &str) -> Result<()> {
    timeline.send(RoomMessageEventContent::text_plain(text).into()).await?;
    Ok(())
}

async fn messages(alice: &Person, bob: &Person, at_alice: &Timeline, at_bob: &Timeline) -> Result<()> {
    say(at_alice, "good morning").await?;
    let first = bob.reads(at_bob, "good morning").await?;
    ensure!(first.encryption_info().is_some(), "it came encrypted");
    let id = first.event_id().context("an event id")?.to_owned();
    at_bob.send_reply(RoomMessageEventContentWithoutRelation::text_plain("and to you"), id).await?;
    let reply = alice.reads(at_alice, "and to you").await?;
    ensure!(reply.content().in_reply_to().is_some(), "it is a reply");
    at_alice.toggle_reaction(&reply.identifier(), "👍").await?;
    bob.sees(at_bob, "the reaction", |item| {
        item.content().reactions().is_some_and(|reactions| reactions.contains_key("👍"))
    })
    .await?;
    let own = alice.reads(at_alice, "good morning").await?;
    let edited = RoomMessageEventContentWithoutRelation::text_plain("good evening");
    at_alice.edit(&own.identifier(), EditedContent::RoomMessage(edited)).await?;
    bob.reads(at_bob, "good evening").await?;
    say(at_bob, "nonsense").await?;
    let nonsense = bob.reads(at_bob, "nonsense").await?;
    alice.reads(at_alice, "nonsense").await?;
    at_bob.redact(&nonsense.identifier(), None).await?;
    alice.sees(at_alice, "the redaction", |item| item.content().is_redacted()).await?;
    seen("encrypted messages, a reply, a reaction, an edit and a redaction, on both sides");
    Ok(())
}

async fn receipts(alice: &Person, bob: &Person, at_alice: &Timeline, at_bob: &Timeline) -> Result<()> {
    say(at_alice, "have you seen this?").await?;
    bob.reads(at_bob, "have you seen this?").await?;
    at_bob.mark_as_read(ReceiptType::Read).await?;
    let bob_id = bob.id();
    alice
        .sees(at_alice, "bob's receipt", |item| {
            body(item) == Some("have you seen this?") && item.read_receipts().contains_key(&bob_id)
        })
        .await?;
    let (_guard, mut typing) = at_bob.room().subscribe_to_typing_notifications();
    at_alice.room().typing_notice(true).await?;
    let typists = tokio::time::timeout(std::time::Duration::from_secs(30), typing.recv()).await??;
    ensure!(typists.contains(&alice.id()), "alice types");
    seen("a read receipt and typing");
    Ok(())
}

async fn attachment(alice: &Person, bob: &Person, at_alice: &Timeline, at_bob: &Timeline) -> Result<()> {
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let source = AttachmentSource::Data { bytes: bytes.clone(), filename: "numbers.bin".to_owned() };
    at_alice
        .send_attachment(source, mime::APPLICATION_OCTET_STREAM, AttachmentConfig::default())
        .await
        .context("sending a file")?;
    let item = bob.reads(at_bob, "numbers.bin").await?;
    let TimelineItemContent::MsgLike(_) = item.content() else { anyhow::bail!("a message") };
    let message = item.content().as_message().context("a message")?;
    let MessageType::File(file) = message.msgtype() else { anyhow::bail!("a file") };
    let request = MediaRequestParameters { source: file.source.clone(), format: MediaFormat::File };
    let got = bob.client.media().get_media_content(&request, false).await.context("getting the file")?;
    ensure!(got == bytes, "the file is the one that was sent");
    let _ = alice;
    seen("an encrypted file was uploaded and downloaded");
    Ok(())
}

async fn history(alice: &Person, bob: &Person) -> Result<()> {
    let mut request = create_room::v3::Request::new();
    request.name = Some("Long".to_owned());
    request.preset = Some(create_room::v3::RoomPreset::PublicChat);
    let room = alice.client.create_room(request).await?;
    for number in 0..LONG {
        room.send(RoomMessageEventContent::text_plain(format!("number {number}"))).await?;
    }
    bob.client.join_room_by_id(room.room_id()).await?;
    let listed = bob.sees_room(room.room_id()).await?;
    bob.until("the room has its name", async || Ok((listed.name().as_deref() == Some("Long")).then_some(())))
        .await?;
    let timeline = bob.open(room.room_id()).await?;
    bob.reads(&timeline, &format!("number {}", LONG - 1)).await?;
    bob.until("the timeline has its beginning", async || {
        Ok(timeline.paginate_backwards(20).await?.then_some(()))
    })
    .await?;
    let items = timeline.items().await;
    let texts: Vec<String> =
        items.iter().filter_map(|item| body(item.as_event()?).map(ToOwned::to_owned)).collect();
    let expected: Vec<String> = (0..LONG).map(|number| format!("number {number}")).collect();
    ensure!(texts == expected, "all messages are there in their order: {texts:?}");
    seen("a room's history was paged back to its beginning");
    Ok(())
}

async fn recovery(homeserver: &str, alice: Person, direct: &matrix_sdk::ruma::RoomId) -> Result<()> {
    let key = alice
        .client
        .encryption()
        .recovery()
        .enable()
        .wait_for_backups_to_upload()
        .await
        .context("setting up recovery")?;
    alice.log_out().await?;
    seen("recovery is set up, the keys are in the backup, alice's only device is gone");

    let alice = Person::log_in(homeserver, "alice", "tablet").await?;
    alice
        .until("the secrets have come by sync", async || {
            Ok(alice.client.encryption().recovery().recover(&key).await.ok())
        })
        .await?;
    let status = alice.client.encryption().cross_signing_status().await.context("a status")?;
    ensure!(status.is_complete(), "the new device has the private cross-signing keys");
    alice.sees_room(direct).await?;
    let timeline = alice.open(direct).await?;
    alice
        .until("an old message is decrypted from the backup", async || {
            let items = timeline.items().await;
            let found =
                items.iter().filter_map(|item| item.as_event()).any(|item| body(item) == Some("and to you"));
            if !found {
                timeline.paginate_backwards(20).await?;
            }
            Ok(found.then_some(()))
        })
        .await?;
    seen("a new device recovered: cross-signed, and old messages decrypted from the backup");
    alice.log_out().await
}
