//! The keys of a backup as one answer, written while it is read.

use bytes::Bytes;
use plop_e2ee::backup::schema::BackedUpKeyRow;
use plop_e2ee::backup::{BackupError, BackupPages};
use plop_state::json::TextWriter;
use ruma::OwnedRoomId;

use crate::parts::Parts;

/// Keys by session, or by room and session. They come in the order of their rooms.
pub struct KeyList {
    pages: BackupPages,
    /// Rooms are named.
    by_rooms: bool,
    /// The room whose keys are being written.
    room: Option<OwnedRoomId>,
    /// What has been written and not sent; `None` once the end is.
    out: Option<TextWriter>,
}

impl KeyList {
    pub fn of_all(pages: BackupPages) -> Self {
        let mut out = TextWriter::new();
        out.object();
        out.key("rooms");
        out.object();
        Self { pages, by_rooms: true, room: None, out: Some(out) }
    }

    pub fn of_room(pages: BackupPages, room: OwnedRoomId) -> Self {
        let mut out = TextWriter::new();
        begin_sessions(&mut out);
        Self { pages, by_rooms: false, room: Some(room), out: Some(out) }
    }
}

impl Parts for KeyList {
    type Fault = BackupError;

    async fn part(&mut self) -> Result<Option<Bytes>, BackupError> {
        let Some(mut out) = self.out.take() else { return Ok(None) };
        let Some(keys) = self.pages.next().await? else { return Ok(Some(out.finish().into())) };
        for key in keys {
            if self.by_rooms && self.room.as_ref() != Some(&key.room) {
                if self.room.is_some() {
                    end_sessions(&mut out);
                }
                out.key(key.room.as_str());
                begin_sessions(&mut out);
                self.room = Some(key.room);
            }
            out.key(&key.session);
            write_key(&mut out, &key.row);
        }
        let text = out.take();
        self.out = Some(out);
        Ok(Some(text.into()))
    }
}

fn begin_sessions(out: &mut TextWriter) {
    out.object();
    out.key("sessions");
    out.object();
}

fn end_sessions(out: &mut TextWriter) {
    out.close();
    out.close();
}

/// A key (client-server API, `KeyBackupData`).
pub fn write_key(out: &mut TextWriter, key: &BackedUpKeyRow) {
    out.object();
    out.key("first_message_index");
    out.number(key.first_message_index);
    out.key("forwarded_count");
    out.number(key.forwarded_count);
    out.key("is_verified");
    out.boolean(key.is_verified);
    out.key("session_data");
    out.text(&key.session_data.0);
    out.close();
}
