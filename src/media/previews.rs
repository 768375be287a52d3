//! Previews of addresses (client-server API, `GET /_matrix/client/v1/media/preview_url`).
//!
//! Owns: which addresses are previewed, fetching each once, what is kept of it and how long. Does not own: where requests may go ([`plop_outbound`]), reading a page
//! ([`crate::html`]), what of it goes when (the sweep).
//!
//! Invariants: every address is looked at before it is asked for, also those that redirects and pages name; who asks learns nothing of why
//! there is no preview, so that nobody can look around in the network of the server. At most [`MOST`] previews are kept, the first to
//! expire go first, and so many bytes of their pictures, those go first that nobody asked for. A preview that could not be made is not
//! tried again for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream;
use plop_base::blocking::PoolEnded;
use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, CommitError, Direction, KeyRange, ReadError};
use plop_outbound::client::MAX_URL_BYTES;
use plop_outbound::{Answer, Limits, OutboundError, Url};
use serde_json::{Map, Value};

use crate::html::{MAX_PAGE_BYTES, Page, page};
use crate::parts::{Media, Previewer};
use crate::pictures::{Measured, measure, survived};
use crate::schema::{
    MediaFiles, MediaKind, MediaRow, PreviewRow, PreviewTotal, PreviewTotals, Previews, PreviewsByExpiry,
};
use crate::settings::Previewing;
use crate::uploading::{ID_LENGTH, NotReceived, Received, file_batch, signed, uploader};

/// Of a page, and of its picture. A page that is longer than what is looked at is cut off, not refused.
const LIMITS: Limits = Limits { bytes: 5 << 20, time: Duration::from_secs(15), redirects: 5 };
const PAGES: &str = "text/html, application/xhtml+xml, image/*;q=0.5";
const PICTURES: &str = "image/png, image/jpeg, image/gif, image/webp";
/// How long it is remembered that there is none.
const FAILURE: Duration = Duration::from_secs(5 * 60);
/// Previews that are kept.
const MOST: i64 = 20_000;
/// Previews that one user waits for.
const PREVIEWS_OF_USER: u32 = 16;

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    #[error("this server makes no previews")]
    Off,
    #[error("only users get previews")]
    Forbidden,
    #[error("this is no address of a page")]
    InvalidUrl,
    /// Whatever the reason: it may not be reached, it did not answer, it is nothing.
    #[error("there is no preview of this address")]
    None,
    #[error("too many previews are being made")]
    Busy,
    #[error(transparent)]
    NotStored(#[from] NotReceived),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Ended(#[from] PoolEnded),
}

/// A picture that is kept for a preview.
struct Picture {
    id: String,
    size: u64,
    measured: Measured,
}

/// What was found out of an address.
struct Made {
    text: String,
    picture: Option<String>,
}

impl Media {
    /// What is said of an address, as JSON text: Open Graph properties.
    pub async fn preview(&self, actor: &Actor, address: &str) -> Result<String, PreviewError> {
        let previewer = self.0.previewer.as_ref().ok_or(PreviewError::Off)?;
        let user = uploader(actor).ok_or(PreviewError::Forbidden)?;
        let url = page_address(address).ok_or(PreviewError::InvalidUrl)?;
        let key = *blake3::hash(url.as_str().as_bytes()).as_bytes();
        if let Some(kept) = self.kept_preview(&key).await? {
            return kept.text.ok_or(PreviewError::None);
        }
        let of_user = previewer.of_user.take(user.to_owned(), PREVIEWS_OF_USER);
        let _of_user = of_user.ok_or(PreviewError::Busy)?;
        let _of_all = previewer.places.try_acquire().map_err(|_| PreviewError::Busy)?;
        let _turn = previewer.turns.turn(&key).await;
        if let Some(kept) = self.kept_preview(&key).await? {
            return kept.text.ok_or(PreviewError::None);
        }
        let (text, picture, lifetime) = match self.make_preview(previewer, &url).await {
            Ok(made) => (Some(made.text), made.picture, previewer.chosen.lifetime),
            Err(PreviewError::None) => (None, None, FAILURE),
            Err(error) => return Err(error),
        };
        let row = PreviewRow { expires: self.0.clock.now().plus(lifetime), text, picture };
        self.keep_preview(&key, &row).await?;
        row.text.ok_or(PreviewError::None)
    }

    /// One that has not expired, and whose picture is there.
    async fn kept_preview(&self, key: &[u8; 32]) -> Result<Option<PreviewRow>, ReadError> {
        let snapshot = self.0.db.snapshot();
        let Some(row) = snapshot.get::<Previews>(key).await? else { return Ok(None) };
        let is_whole = match &row.picture {
            Some(picture) => snapshot.get::<MediaFiles>(&self.key(picture)).await?.is_some(),
            None => true,
        };
        Ok(Some(row).filter(|row| is_whole && row.expires > self.0.clock.now()))
    }

    async fn make_preview(&self, previewer: &Previewer, url: &Url) -> Result<Made, PreviewError> {
        let answer = ask(&previewer.chosen, url, PAGES).await?;
        let content_type = content_type(&answer);
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut said = Map::new();
        let picture = if essence.starts_with("image/") {
            self.keep_picture(answer).await?
        } else if matches!(essence.as_str(), "text/html" | "application/xhtml+xml") {
            let from = answer.url.clone();
            let bytes = answer.beginning(MAX_PAGE_BYTES).await.map_err(|error| none(&error))?;
            let read = self.0.decoders.run(move || page(&bytes, &content_type)).await?;
            let picture = picture_of(&read, &from);
            said = properties(read.properties);
            self.keep_picture_at(previewer, picture.as_ref()).await?
        } else {
            None
        };
        if let Some(picture) = &picture {
            said.extend(described(picture, &format!("mxc://{}/{}", self.0.server, picture.id)));
            self.make_room(previewer.chosen.max_picture_bytes).await?;
        }
        Ok(Made { text: Value::Object(said).to_string(), picture: picture.map(|picture| picture.id) })
    }

    /// The picture of a page. The page is worth showing without it.
    async fn keep_picture_at(
        &self,
        previewer: &Previewer,
        picture: Option<&Url>,
    ) -> Result<Option<Picture>, PreviewError> {
        let Some(picture) = picture else { return Ok(None) };
        match ask(&previewer.chosen, picture, PICTURES).await {
            Ok(answer) => self.keep_picture(answer).await,
            Err(PreviewError::None) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a file of an answer, if it is a picture that can be shown.
    async fn keep_picture(&self, answer: Answer) -> Result<Option<Picture>, PreviewError> {
        let (most, max_pixels) = (LIMITS.bytes as u64, self.0.settings.max_pixels);
        if !self.0.blobs.has_room(most).await {
            return Ok(None);
        }
        let parts = stream::try_unfold(answer, |mut answer| async move {
            Ok::<_, OutboundError>(answer.part().await?.map(|part| (part, answer)))
        });
        let received = match self.receive(Box::pin(parts), None, most).await {
            Ok(received) => received,
            Err(NotReceived::TooLarge | NotReceived::TooSlow | NotReceived::Broken(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Where the store is elsewhere, what is opened is in memory: not before there is a thread for it.
        let turn = self.0.decoders.turn().await?;
        let measured = match self.0.blobs.open(&received.blob, most).await.map_err(NotReceived::from)? {
            Some(source) => {
                let measure =
                    move || source.with(|file| measure(file, max_pixels), |bytes| measure(bytes, max_pixels));
                turn.run(move || survived(measure)).await?.ok()
            }
            None => None,
        };
        let picture = match measured {
            Some(measured) => self.place_picture(&received, measured).await?,
            None => None,
        };
        if picture.is_none() {
            self.discard(&received.blob).await;
        }
        Ok(picture)
    }

    /// Writes the row of a picture, unless its blob was given up.
    async fn place_picture(
        &self,
        received: &Received,
        measured: Measured,
    ) -> Result<Option<Picture>, PreviewError> {
        let (id, now, size) = (self.0.random.token(ID_LENGTH), self.0.clock.now(), received.size);
        let row = MediaRow {
            kind: MediaKind::Preview,
            blob: received.blob.clone(),
            size,
            content_type: Some(measured.format.content_type().to_owned()),
            file_name: None,
            uploader: None,
            created: now,
            accessed: now,
        };
        let mut batch = file_batch(&self.key(&id), &row, received);
        batch.add::<PreviewTotals>(&PreviewTotal::PictureBytes, signed(size));
        match self.0.db.commit(batch).await {
            Ok(_) => Ok(Some(Picture { id, size, measured })),
            Err(CommitError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a preview down, and lets the oldest go where there are too many.
    async fn keep_preview(&self, key: &[u8; 32], row: &PreviewRow) -> Result<(), PreviewError> {
        // One at a time: else two would let the same one go.
        let guard = self.0.counting.lock(PREVIEWS).await;
        let snapshot = self.0.db.snapshot();
        let mut batch = Batch::relaxed();
        let mut count = snapshot.get::<PreviewTotals>(&PreviewTotal::Previews).await?.unwrap_or_default().0;
        match snapshot.get::<Previews>(key).await? {
            Some(old) => batch.delete::<PreviewsByExpiry>(&(old.expires, *key)),
            None => {
                batch.add::<PreviewTotals>(&PreviewTotal::Previews, 1);
                count += 1;
            }
        }
        if count > MOST {
            let oldest = snapshot.scan(KeyRange::<PreviewsByExpiry>::all(), Direction::Forward, 1).await?;
            for ((expires, oldest), ()) in oldest.rows.into_iter().filter(|((_, oldest), ())| oldest != key) {
                forget_preview(&mut batch, expires, oldest);
            }
        }
        batch.put::<PreviewsByExpiry>(&(row.expires, *key), &());
        batch.put::<Previews>(key, row);
        self.0.db.commit_under(guard, batch).await?;
        Ok(())
    }
}

/// Whose guard it is to count previews: no user's.
pub(crate) const PREVIEWS: &str = "previews";

/// Under the guard of [`PREVIEWS`].
pub(crate) fn forget_preview(batch: &mut Batch, expires: UnixMillis, key: [u8; 32]) {
    batch.delete::<Previews>(&key);
    batch.delete::<PreviewsByExpiry>(&(expires, key));
    batch.add::<PreviewTotals>(&PreviewTotal::Previews, -1);
}

/// What a client asks for, if it is the address of a page.
fn page_address(text: &str) -> Option<Url> {
    if text.len() > MAX_URL_BYTES {
        return None;
    }
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    // It is the client's to find the place in the page.
    url.set_fragment(None);
    Some(url)
}

/// The head of an answer that is one. Nothing that was packed is asked for, and nothing is unpacked.
async fn ask(chosen: &Previewing, url: &Url, accept: &str) -> Result<Answer, PreviewError> {
    let answer = chosen.client.get_where(url, accept, LIMITS, |url| chosen.allows(url)).await;
    let answer = answer.map_err(|error| none(&error))?;
    let is_packed = answer.headers.get("content-encoding").is_some_and(|coding| coding != "identity");
    if answer.status.is_success() && !is_packed { Ok(answer) } else { Err(PreviewError::None) }
}

fn none(error: &OutboundError) -> PreviewError {
    tracing::debug!(%error, "no preview");
    PreviewError::None
}

fn content_type(answer: &Answer) -> String {
    let said = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
    said.unwrap_or_default().to_owned()
}

/// Where the picture of a page is.
fn picture_of(page: &Page, from: &Url) -> Option<Url> {
    let base = page.base.as_ref().and_then(|base| from.join(base).ok()).unwrap_or_else(|| from.clone());
    base.join(page.image.as_ref()?).ok()
}

fn properties(said: BTreeMap<String, String>) -> Map<String, Value> {
    said.into_iter().map(|(name, text)| (name, Value::from(text))).collect()
}

/// What is said of a picture, measured and not taken from the page.
fn described(picture: &Picture, address: &str) -> [(String, Value); 5] {
    let Measured { format, width, height } = picture.measured;
    [
        ("og:image".to_owned(), address.into()),
        ("og:image:type".to_owned(), format.content_type().into()),
        ("og:image:width".to_owned(), width.into()),
        ("og:image:height".to_owned(), height.into()),
        ("matrix:image:size".to_owned(), picture.size.into()),
    ]
}
