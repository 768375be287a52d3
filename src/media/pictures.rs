//! Pictures are decoded, made smaller and written again.
//!
//! Owns: which formats are pictures, the limits before anything is decoded, the arithmetic of sizes. Does not own: threads ([`crate::thumbnails`]), what is kept.
//!
//! Invariants: only PNG, JPEG, GIF and WebP are looked at, told apart by their first bytes, whatever somebody said; a picture whose header names too many pixels is not
//! decoded; of a moving one at most [`MAX_FRAMES`] frames and [`MAX_MOVING_PIXELS`] are, else it stands still. Nothing is ever made larger.

use std::io::{BufRead, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::gif::{GifDecoder, GifEncoder, Repeat};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{PngDecoder, PngEncoder};
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{
    AnimationDecoder as _, DynamicImage, Frame, Frames, ImageDecoder, ImageError, ImageFormat, ImageReader,
    Limits,
};

use crate::schema::{Format, Method, Shape};

/// Most frames of a moving thumbnail.
pub(crate) const MAX_FRAMES: usize = 300;
/// Most pixels that are decoded for one, of all frames.
pub(crate) const MAX_MOVING_PIXELS: u64 = 100_000_000;
/// What a decoder may allocate for each pixel: 16 bits in four channels, and its own tables beside them.
const BYTES_PER_PIXEL: u64 = 10;
/// And for pictures of no size.
const LEAST_BYTES: u64 = 16 << 20;
/// Of JPEG, out of 100.
const QUALITY: u8 = 82;
/// How much GIF tries, from 1 (most) to 30.
const GIF_SPEED: i32 = 10;

/// What became of a picture.
#[derive(Debug)]
pub(crate) struct Fitted {
    /// `None` if the picture is no larger than the shape: it serves itself.
    pub bytes: Option<Vec<u8>>,
    pub format: Format,
    pub width: u32,
    pub height: u32,
}

/// What a picture is, as clients show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub format: Format,
    pub width: u32,
    pub height: u32,
}

/// Why there is no thumbnail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    #[error("it is no picture of a known format")]
    NotAPicture,
    #[error("it has too many pixels")]
    TooLarge,
    #[error("it cannot be decoded: {0}")]
    Broken(String),
    /// Which says nothing about the picture.
    #[error("its file cannot be read: {0}")]
    Unread(std::io::Error),
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooLarge,
            ImageError::IoError(error) => error.into(),
            error => Self::Broken(error.to_string()),
        }
    }
}

/// What decoders say of the bytes has no number of the system.
impl From<std::io::Error> for PictureError {
    fn from(error: std::io::Error) -> Self {
        if error.raw_os_error().is_some() { Self::Unread(error) } else { Self::Broken(error.to_string()) }
    }
}

/// Fits a picture into a shape.
pub(crate) fn fit<R: BufRead + Seek>(
    mut source: R,
    shape: &Shape,
    max_pixels: u64,
) -> Result<Fitted, PictureError> {
    let format = format(&mut source)?;
    // One that cannot move for whatever reason stands still, if it can do that: what is wrong with a picture is so in all shapes.
    if shape.animated
        && let Ok(Some(moving)) = fit_moving(&mut source, format, shape, max_pixels)
    {
        return Ok(moving);
    }
    rewind(&mut source)?;
    fit_still(source, format, shape, max_pixels)
}

/// What a picture is, and how large; it is not decoded.
pub(crate) fn measure<R: BufRead + Seek>(mut source: R, max_pixels: u64) -> Result<Measured, PictureError> {
    let format = format(&mut source)?;
    let mut reader = ImageReader::with_format(source, format);
    reader.limits(limits(0));
    let mut decoder = reader.into_decoder()?;
    check_size(decoder.dimensions(), max_pixels)?;
    let orientation = decoder.orientation()?;
    let (width, height) = turned(decoder.dimensions(), orientation);
    Ok(Measured { format: known(format), width, height })
}

/// Runs what may panic in a decoder: then the picture cannot be decoded.
pub(crate) fn survived<T>(work: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    let outcome = catch_unwind(AssertUnwindSafe(work));
    outcome.unwrap_or_else(|_| Err(PictureError::Broken("the decoder gave up".to_owned())))
}

/// What the first bytes say.
fn format(source: &mut (impl BufRead + Seek)) -> Result<ImageFormat, PictureError> {
    let reader = ImageReader::new(source).with_guessed_format()?;
    match reader.format() {
        Some(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Gif | ImageFormat::WebP)) => {
            rewind(&mut reader.into_inner())?;
            Ok(format)
        }
        _ => Err(PictureError::NotAPicture),
    }
}

fn fit_still<R: BufRead + Seek>(
    mut source: R,
    format: ImageFormat,
    shape: &Shape,
    max_pixels: u64,
) -> Result<Fitted, PictureError> {
    let moves = may_move(&mut source, format)?;
    let mut reader = ImageReader::with_format(source, format);
    reader.limits(limits(max_pixels));
    let mut decoder = reader.into_decoder()?;
    check_size(decoder.dimensions(), max_pixels)?;
    let orientation = decoder.orientation()?;
    let turned = turned(decoder.dimensions(), orientation);
    let target = target(turned, shape);
    if target == turned && !moves {
        let (width, height) = turned;
        return Ok(Fitted { bytes: None, format: known(format), width, height });
    }
    let mut picture = DynamicImage::from_decoder(decoder)?;
    // Turning costs less when there is less of it, but what is cut must be cut the right way round.
    picture.apply_orientation(orientation);
    let picture = resize(&picture, target);
    let format = if format == ImageFormat::Jpeg { Format::Jpeg } else { Format::Png };
    Ok(Fitted { bytes: Some(encode(&picture, format)?), format, width: target.0, height: target.1 })
}

/// A thumbnail that moves; `None` if the picture does not, or would be too much.
fn fit_moving<R: BufRead + Seek>(
    source: &mut R,
    format: ImageFormat,
    shape: &Shape,
    max_pixels: u64,
) -> Result<Option<Fitted>, PictureError> {
    let (size, frames) = match format {
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(source)?;
            decoder.set_limits(limits(max_pixels))?;
            (decoder.dimensions(), frames(decoder.dimensions(), max_pixels, || Ok(decoder.into_frames()))?)
        }
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(source, limits(max_pixels))?;
            if !decoder.is_apng()? {
                return Ok(None);
            }
            (
                decoder.dimensions(),
                frames(decoder.dimensions(), max_pixels, || Ok(decoder.apng()?.into_frames()))?,
            )
        }
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(source)?;
            if !decoder.has_animation() {
                return Ok(None);
            }
            (decoder.dimensions(), frames(decoder.dimensions(), max_pixels, || Ok(decoder.into_frames()))?)
        }
        _ => return Ok(None),
    };
    animate(size, frames, format, shape)
}

fn frames<'a>(
    size: (u32, u32),
    max_pixels: u64,
    frames: impl FnOnce() -> Result<Frames<'a>, ImageError>,
) -> Result<Frames<'a>, PictureError> {
    check_size(size, max_pixels)?;
    Ok(frames()?)
}

/// Each frame made smaller, one at a time.
fn animate(
    size: (u32, u32),
    frames: Frames<'_>,
    format: ImageFormat,
    shape: &Shape,
) -> Result<Option<Fitted>, PictureError> {
    let target = target(size, shape);
    let most = usize::try_from(MAX_MOVING_PIXELS / pixels(size).max(1)).unwrap_or(usize::MAX).min(MAX_FRAMES);
    let (mut bytes, mut count) = (Vec::new(), 0);
    {
        let mut encoder = GifEncoder::new_with_speed(&mut bytes, GIF_SPEED);
        encoder.set_repeat(Repeat::Infinite)?;
        for frame in frames {
            let frame = match frame {
                Ok(frame) => frame,
                // What came before it moves.
                Err(_) if count > 1 => break,
                Err(error) => return Err(error.into()),
            };
            count += 1;
            if count > most {
                return Ok(None);
            }
            if target != size {
                let delay = frame.delay();
                let small = resize(&DynamicImage::ImageRgba8(frame.into_buffer()), target).into_rgba8();
                encoder.encode_frame(Frame::from_parts(small, 0, 0, delay))?;
            }
        }
    }
    let (width, height) = target;
    Ok(match count {
        0 | 1 => None,
        _ if target == size => Some(Fitted { bytes: None, format: known(format), width, height }),
        _ => Some(Fitted { bytes: Some(bytes), format: Format::Gif, width, height }),
    })
}

/// Whether a picture of which a still thumbnail is wanted could move; the source is where it was.
fn may_move<R: BufRead + Seek>(source: &mut R, format: ImageFormat) -> Result<bool, PictureError> {
    let moves = match format {
        // How many frames it has is not in its head.
        ImageFormat::Gif => true,
        ImageFormat::Png => PngDecoder::with_limits(&mut *source, Limits::default())?.is_apng()?,
        ImageFormat::WebP => WebPDecoder::new(&mut *source)?.has_animation(),
        _ => false,
    };
    rewind(source)?;
    Ok(moves)
}

/// The size of a thumbnail: within the shape or filling it, and never larger than the picture.
fn target((width, height): (u32, u32), shape: &Shape) -> (u32, u32) {
    let scaled = |value: u32, times: u32, of: u32| {
        let scaled = u64::from(value) * u64::from(times) / u64::from(of.max(1));
        u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
    };
    match shape.method {
        Method::Scale if width <= shape.width && height <= shape.height => (width, height),
        // Whichever side is too long by more.
        Method::Scale
            if u64::from(width) * u64::from(shape.height) >= u64::from(height) * u64::from(shape.width) =>
        {
            (shape.width, scaled(height, shape.width, width))
        }
        Method::Scale => (scaled(width, shape.height, height), shape.height),
        Method::Crop if width >= shape.width && height >= shape.height => (shape.width, shape.height),
        // As much of the proportions of the shape as the picture has.
        Method::Crop
            if u64::from(width) * u64::from(shape.height) >= u64::from(height) * u64::from(shape.width) =>
        {
            (scaled(shape.width, height, shape.height).min(width), height)
        }
        Method::Crop => (width, scaled(shape.height, width, shape.width).min(height)),
    }
}

/// Fills `target`: what has other proportions is cut on both sides.
fn resize(picture: &DynamicImage, target: (u32, u32)) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let (wide, high) = (u64::from(width) * u64::from(target.1), u64::from(height) * u64::from(target.0));
    // What of the picture has the proportions of the target.
    let (part_width, part_height) = if wide > high {
        (u32::try_from(high / u64::from(target.1.max(1))).unwrap_or(width).clamp(1, width), height)
    } else {
        (width, u32::try_from(wide / u64::from(target.0.max(1))).unwrap_or(height).clamp(1, height))
    };
    let part;
    let cut = if (part_width, part_height) == (width, height) {
        picture
    } else {
        part =
            picture.crop_imm((width - part_width) / 2, (height - part_height) / 2, part_width, part_height);
        &part
    };
    if (part_width, part_height) == target { cut.clone() } else { cut.thumbnail_exact(target.0, target.1) }
}

fn encode(picture: &DynamicImage, format: Format) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    match format {
        Format::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
            DynamicImage::ImageRgb8(picture.to_rgb8()).write_with_encoder(encoder)?;
        }
        Format::Png | Format::Gif | Format::WebP => {
            let encoder = PngEncoder::new(&mut bytes);
            let picture = if picture.color().has_alpha() {
                DynamicImage::ImageRgba8(picture.to_rgba8())
            } else {
                DynamicImage::ImageRgb8(picture.to_rgb8())
            };
            picture.write_with_encoder(encoder)?;
        }
    }
    Ok(bytes)
}

fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(max_pixels.saturating_mul(BYTES_PER_PIXEL).max(LEAST_BYTES));
    limits
}

fn check_size(size: (u32, u32), max_pixels: u64) -> Result<(), PictureError> {
    if pixels(size) > max_pixels { Err(PictureError::TooLarge) } else { Ok(()) }
}

fn pixels((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// The size once it is turned.
fn turned((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => (width, height),
    }
}

/// Of the formats that [`format`] lets through.
fn known(format: ImageFormat) -> Format {
    match format {
        ImageFormat::Jpeg => Format::Jpeg,
        ImageFormat::Gif => Format::Gif,
        ImageFormat::WebP => Format::WebP,
        _ => Format::Png,
    }
}

fn rewind(source: &mut impl Seek) -> Result<(), PictureError> {
    Ok(source.seek(SeekFrom::Start(0)).map(drop)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_disk_that_fails_says_nothing_about_a_picture() {
        let of = |error: Error| PictureError::from(ImageError::IoError(error));
        assert!(matches!(of(Error::from_raw_os_error(5)), PictureError::Unread(_)));
        assert!(matches!(of(ErrorKind::UnexpectedEof.into()), PictureError::Broken(_)));
    }
}
