//! Thumbnails.

use std::io::Cursor;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{AnimationDecoder as _, DynamicImage, Frame, ImageEncoder as _, ImageFormat, Rgba, RgbaImage};
use plop_media::schema::{Format, Method, UnfitFiles};
use plop_media::{BlobStore, OpenError, Retention, Settings, Thumbnail, ThumbnailError, Wanted};

use crate::bed::Bed;

/// A picture whose left half is red and whose right half is blue.
fn picture(width: u32, height: u32) -> DynamicImage {
    let color = |x, _| if x < width / 2 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 255, 255]) };
    DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, color))
}

fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("a picture");
    bytes.into_inner()
}

fn gif(width: u32, height: u32, frames: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
    for frame in 0..frames {
        let frame = RgbaImage::from_pixel(width, height, Rgba([(frame % 256) as u8, 0, 0, 255]));
        encoder.encode_frame(Frame::new(frame)).expect("a frame");
    }
    drop(encoder);
    bytes
}

/// A JPEG with an EXIF orientation.
fn turned(width: u32, height: u32, orientation: u8) -> Vec<u8> {
    let exif =
        [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]]
            .concat();
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_exif_metadata(exif).expect("metadata");
    encoder.encode_image(&DynamicImage::ImageRgb8(picture(width, height).to_rgb8())).expect("a picture");
    bytes
}

async fn thumbnail(
    bed: &Bed,
    id: &str,
    wanted: (u32, u32, Method, bool),
) -> Result<Thumbnail, ThumbnailError> {
    let (width, height, method, animated) = wanted;
    let found = bed.find(id).await.expect("a file");
    bed.media.thumbnail(&found, &Wanted { width, height, method, animated }, || Ok(())).await
}

/// How many files are known to have none.
async fn unfit(bed: &Bed) -> usize {
    let all = plop_db::KeyRange::<UnfitFiles>::all();
    bed.ground.db.snapshot().scan(all, plop_db::Direction::Forward, 100).await.expect("rows").rows.len()
}

async fn bytes(bed: &Bed, thumbnail: &Thumbnail) -> Vec<u8> {
    let parts: Vec<_> = bed.media.read_thumbnail(thumbnail).await.expect("bytes").collect().await;
    parts.into_iter().flat_map(|part| part.expect("a part")).collect()
}

#[tokio::test(start_paused = true)]
async fn pictures_are_fitted_and_never_made_larger() {
    let folder = tempfile::tempdir().expect("a folder");
    for blobs in [BlobStore::memory(), BlobStore::folder(folder.path(), 0).expect("a store")] {
        let bed = Bed::with(blobs, Settings::default());
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let source = match format {
                ImageFormat::Jpeg => DynamicImage::ImageRgb8(picture(1_000, 500).to_rgb8()),
                _ => picture(1_000, 500),
            };
            let id = bed.upload("alice", &written(&source, format)).await.expect("an upload");
            let table = [
                ((32, 32, Method::Crop), (32, 32)),
                ((20, 20, Method::Crop), (32, 32)),
                ((320, 240, Method::Scale), (320, 160)),
                ((800, 600, Method::Scale), (800, 400)),
                ((640, 480, Method::Crop), (640, 480)),
                // Of the proportions, not of the size.
                ((800, 600, Method::Crop), (666, 500)),
                ((1_600, 1_200, Method::Scale), (1_000, 500)),
                ((60_000, 1, Method::Crop), (1_000, 500)),
            ];
            for ((width, height, method), expected) in table {
                let made = thumbnail(&bed, &id, (width, height, method, false)).await.expect("a thumbnail");
                let decoded = image::load_from_memory(&bytes(&bed, &made).await).expect("a picture");
                assert_eq!(
                    (decoded.width(), decoded.height()),
                    expected,
                    "{format:?} {width}x{height} {method:?}"
                );
                assert_eq!((made.row.width, made.row.height), expected);
                // Both halves are there: it was cut in the middle.
                let (left, right) = (decoded.to_rgb8()[(1, 1)], decoded.to_rgb8()[(expected.0 - 2, 1)]);
                assert!(
                    left[0] > 200 && left[2] < 60 && right[2] > 200 && right[0] < 60,
                    "{left:?} {right:?}"
                );
            }
        }
        assert_eq!(bed.unplaced().await, 0);
        bed.check().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_picture_is_the_right_way_round() {
    let bed = Bed::new();
    // Red left and blue right, turned by a quarter: red is above.
    let id = bed.upload("alice", &turned(400, 200, 6)).await.expect("an upload");
    let made = thumbnail(&bed, &id, (320, 240, Method::Scale, false)).await.expect("a thumbnail");
    assert_eq!((made.row.width, made.row.height), (120, 240));
    let decoded = image::load_from_memory(&bytes(&bed, &made).await).expect("a picture").to_rgb8();
    let (above, below) = (decoded[(60, 10)], decoded[(60, 230)]);
    assert!(above[0] > 200 && below[2] > 200, "{above:?} {below:?}");
}

#[tokio::test(start_paused = true)]
async fn a_moving_picture_moves_only_if_it_is_asked_to() {
    let bed = Bed::new();
    let id = bed.upload("alice", &gif(400, 300, 4)).await.expect("an upload");
    let moving = thumbnail(&bed, &id, (320, 240, Method::Scale, true)).await.expect("a thumbnail");
    assert_eq!((moving.row.format, moving.row.width), (Format::Gif, 320));
    let decoder =
        image::codecs::gif::GifDecoder::new(Cursor::new(bytes(&bed, &moving).await)).expect("a picture");
    assert_eq!(decoder.into_frames().count(), 4);
    for size in [(32, 32, Method::Crop), (1_600, 1_200, Method::Scale)] {
        let still = thumbnail(&bed, &id, (size.0, size.1, size.2, false)).await.expect("a thumbnail");
        assert_eq!(still.row.format, Format::Png, "also where it need not be smaller");
    }
    // One that is small enough is itself.
    let whole = thumbnail(&bed, &id, (1_600, 1_200, Method::Scale, true)).await.expect("a thumbnail");
    assert_eq!((whole.row.format, whole.row.blob), (Format::Gif, None));
    // What cannot move stands still.
    let id = bed.upload("alice", &written(&picture(400, 300), ImageFormat::Png)).await.expect("an upload");
    let still = thumbnail(&bed, &id, (32, 32, Method::Crop, true)).await.expect("a thumbnail");
    assert_eq!(still.row.format, Format::Png);
}

/// A PNG whose head says so, and that has nothing else.
fn promised(width: u32, height: u32) -> Vec<u8> {
    let mut png = written(&picture(1, 1), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let mut checksum = u32::MAX;
    for byte in &png[12..29] {
        checksum ^= u32::from(*byte);
        for _ in 0..8 {
            checksum = if checksum & 1 == 1 { checksum >> 1 ^ 0xEDB8_8320 } else { checksum >> 1 };
        }
    }
    png[29..33].copy_from_slice(&(!checksum).to_be_bytes());
    png
}

/// Row 108 of the hostile input: sizes that are a promise, frames without an end, halves, other formats.
#[tokio::test(start_paused = true)]
async fn row_108_bombs_are_refused_before_they_are_decoded() {
    let bed = Bed::new();
    let refused = async |bytes: &[u8]| {
        let id = bed.upload("alice", bytes).await.expect("an upload");
        thumbnail(&bed, &id, (32, 32, Method::Crop, true)).await.expect_err("no thumbnail")
    };
    for (width, height) in
        [(100_000, 100_000), (40_000_001, 1), (1, 40_000_001), (u32::MAX >> 1, u32::MAX >> 1)]
    {
        let error = refused(&promised(width, height)).await;
        assert!(matches!(error, ThumbnailError::TooLarge), "{width}x{height}: {error:?}");
    }
    let mut wide = gif(10, 10, 1);
    wide[6..10].copy_from_slice(&[0xFF; 4]);
    assert!(matches!(refused(&wide).await, ThumbnailError::TooLarge));
    let strangers: [&[u8]; 8] = [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><img src=x>",
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF",
        b"II*\0\x08\0\0\0",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"BM",
        b"",
    ];
    for bytes in strangers {
        assert!(matches!(refused(bytes).await, ThumbnailError::NotAPicture), "{bytes:?}");
    }
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let whole = written(&DynamicImage::ImageRgb8(picture(200, 200).to_rgb8()), format);
        for part in [13, 40, whole.len() / 2] {
            // Some decoders show what they have; none panics or waits for more.
            let id = bed.upload("alice", &whole[..part]).await.expect("an upload");
            let outcome = thumbnail(&bed, &id, (32, 32, Method::Crop, true)).await;
            assert!(
                matches!(
                    outcome,
                    Ok(_)
                        | Err(ThumbnailError::Broken
                            | ThumbnailError::TooLarge
                            | ThumbnailError::NotAPicture)
                ),
                "{format:?} {part}: {outcome:?}"
            );
        }
    }
}

/// Row 108 of the hostile input: a million frames.
#[tokio::test(start_paused = true)]
async fn row_108_a_picture_with_too_many_frames_stands_still() {
    let bed = Bed::new();
    let id = bed.upload("alice", &gif(40, 40, 300)).await.expect("an upload");
    let moving = thumbnail(&bed, &id, (32, 32, Method::Crop, true)).await.expect("a thumbnail");
    assert_eq!(moving.row.format, Format::Gif, "within the limit");
    let id = bed.upload("alice", &gif(40, 40, 301)).await.expect("an upload");
    let still = thumbnail(&bed, &id, (32, 32, Method::Crop, true)).await.expect("a thumbnail");
    assert_eq!(still.row.format, Format::Png);
}

/// A GIF whose second frame breaks off.
fn broken_off() -> Vec<u8> {
    let (one, mut two) = (gif(400, 300, 1), gif(400, 300, 2));
    two.truncate(one.len() + 12);
    two
}

/// Row 108 of the hostile input: what breaks a decoder would break it in each shape.
#[tokio::test(start_paused = true)]
async fn row_108_a_picture_that_breaks_off_stands_still_in_all_shapes() {
    let bed = Bed::new();
    let id = bed.upload("alice", &broken_off()).await.expect("an upload");
    for animated in [true, false] {
        let made = thumbnail(&bed, &id, (320, 240, Method::Scale, animated)).await.expect("a thumbnail");
        assert_eq!((made.row.format, made.row.width), (Format::Png, 320), "{animated}");
    }
}

/// Row 108 of the hostile input: a picture that costs a decoder its time and is none. Who asks again, and after a restart, is answered where there is no decoder at all.
#[tokio::test(start_paused = true)]
async fn row_108_what_cannot_be_decoded_is_not_decoded_again() {
    let (blobs, day) = (BlobStore::memory(), Duration::from_secs(24 * 60 * 60));
    let bed = Bed::with(blobs.clone(), Settings::default());
    let mut cut = written(&picture(300, 300), ImageFormat::Png);
    cut.truncate(cut.len() / 2);
    let files: [(&[u8], Method); 3] =
        [(b"<svg/>", Method::Crop), (&promised(100_000, 100_000), Method::Scale), (&cut, Method::Crop)];
    let mut unfit = Vec::new();
    for (bytes, method) in files {
        let id = bed.upload("alice", bytes).await.expect("an upload");
        let error = thumbnail(&bed, &id, (32, 32, method, true)).await.expect_err("no thumbnail");
        unfit.push((id, error.to_string()));
    }
    let fit = written(&picture(64, 64), ImageFormat::Png);
    let fit = bed.upload("alice", &fit).await.expect("an upload");
    let settings = Settings { decoders: 0, ..Settings::default() };
    let Bed { ground, .. } = bed;
    let media = Bed::media(&ground, blobs.clone(), settings.clone());
    let bed = Bed { ground, media };
    let asked = async |id: &str, wanted| {
        let asked = thumbnail(&bed, id, wanted);
        bed.ground.clock.timeout(Duration::from_secs(60), asked).await
    };
    assert!(asked(&fit, (32, 32, Method::Crop, false)).await.is_none(), "nobody decodes");
    for (id, error) in &unfit {
        for wanted in [(32, 32, Method::Crop, false), (640, 480, Method::Scale, true)] {
            let again = asked(id, wanted).await.expect("an answer at once").expect_err("no thumbnail");
            assert_eq!(again.to_string(), *error);
        }
    }
    // A newer release may know better.
    bed.pass(day * 8).await;
    for (id, _) in &unfit {
        assert!(asked(id, (32, 32, Method::Crop, false)).await.is_none(), "it is tried again");
    }
}

/// Row 114 of the hostile input.
#[tokio::test(start_paused = true)]
async fn row_114_sizes_that_are_none_and_many_sizes() {
    let bed = Bed::new();
    let id = bed.upload("alice", &written(&picture(64, 64), ImageFormat::Png)).await.expect("an upload");
    for (width, height) in [(0, 0), (0, 10), (10, 0)] {
        let outcome = thumbnail(&bed, &id, (width, height, Method::Crop, false)).await;
        assert!(matches!(outcome, Err(ThumbnailError::NoSize)));
    }
    for size in 1..200 {
        thumbnail(&bed, &id, (size * 30, size * 7, Method::Crop, false)).await.expect("a thumbnail");
    }
    let all = plop_db::KeyRange::<plop_media::schema::Thumbnails>::all();
    let rows = bed.ground.db.snapshot().scan(all, plop_db::Direction::Forward, 100).await.expect("rows").rows;
    assert!(rows.len() <= 9, "{}", rows.len());
}

#[tokio::test(start_paused = true)]
async fn a_thumbnail_is_made_once_however_many_ask() {
    let folder = tempfile::tempdir().expect("a folder");
    let bed = Bed::with(BlobStore::folder(folder.path(), 0).expect("a store"), Settings::default());
    let id = bed.upload("alice", &written(&picture(640, 480), ImageFormat::Png)).await.expect("an upload");
    let asked = join_all((0..20).map(|_| thumbnail(&bed, &id, (96, 96, Method::Crop, false)))).await;
    let blobs: Vec<_> = asked.into_iter().map(|made| made.expect("a thumbnail").row.blob).collect();
    assert!(blobs.iter().all(|blob| blob.is_some() && *blob == blobs[0]), "{blobs:?}");
}

#[tokio::test(start_paused = true)]
async fn thumbnails_go_with_their_file() {
    let day = Duration::from_secs(24 * 60 * 60);
    let settings = Settings { retention: Retention { uploads: Some(day) }, ..Settings::default() };
    let bed = Bed::with(BlobStore::memory(), settings);
    let id = bed.upload("alice", &written(&picture(640, 480), ImageFormat::Png)).await.expect("an upload");
    let found = bed.find(&id).await.expect("a file");
    let made = thumbnail(&bed, &id, (96, 96, Method::Crop, false)).await.expect("a thumbnail");
    // And what is known of a file that has none.
    let text = bed.upload("alice", b"no picture").await.expect("an upload");
    thumbnail(&bed, &text, (96, 96, Method::Crop, false)).await.expect_err("no thumbnail");
    bed.check().await;
    assert_eq!(unfit(&bed).await, 1);
    bed.pass(day * 2).await;
    bed.media.sweep().await.expect("swept");
    assert!(matches!(bed.media.read_thumbnail(&made).await, Err(OpenError::Lost)));
    // Who found the file before gets no thumbnail that nothing would ever delete.
    let wanted = Wanted { width: 32, height: 32, method: Method::Crop, animated: false };
    assert!(matches!(bed.media.thumbnail(&found, &wanted, || Ok(())).await, Err(ThumbnailError::Open(_))));
    assert_eq!((bed.unplaced().await, unfit(&bed).await), (0, 0));
    bed.check().await;
}
