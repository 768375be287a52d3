//! Media: files of a mebibyte up and down, thumbnails of a photograph.

use bytes::Bytes;
use image::{ImageFormat, RgbImage};

use crate::client::Session;
use crate::http::Failure;
use crate::load::{for_each, measure};
use crate::measure::{Bounds, Measured};
use crate::world::{ScenarioError, World};

const FILE_BYTES: usize = 1 << 20;
const AT_ONCE: usize = 4;
/// Files that are downloaded in turn.
const FILES: usize = 16;
/// Pictures of which each thumbnail is asked for once.
const PICTURES: usize = 50;

/// A file that is like no other.
fn file(number: u64) -> Bytes {
    let mut bytes = vec![0; FILE_BYTES];
    for (place, chunk) in bytes.chunks_mut(8).enumerate() {
        let word = (number << 32 | place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
    bytes.into()
}

/// A picture of 1200 by 900 that is like no other, as PNG.
fn picture(number: usize) -> Result<Bytes, Failure> {
    let shade = |x: u32, y: u32| {
        let [a, b, ..] = (x * 7 + y * 13 + number as u32 * 31).to_le_bytes();
        image::Rgb([a, b, (x % 251) as u8])
    };
    let mut png = std::io::Cursor::new(Vec::new());
    let written = RgbImage::from_fn(1_200, 900, shade).write_to(&mut png, ImageFormat::Png);
    written.map_err(|error| Failure::Unexpected(error.to_string()))?;
    Ok(png.into_inner().into())
}

pub async fn upload(world: &mut World) -> Result<Measured, ScenarioError> {
    let mut sessions = world.sessions("photographers", AT_ONCE).await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, number| {
        session.upload("application/octet-stream", file(number + 1_000)).await.map(drop)
    })
    .await)
}

pub async fn download(world: &mut World) -> Result<Measured, ScenarioError> {
    let mut sessions = world.sessions("photographers", AT_ONCE).await?;
    let files = for_each(&world.progress, &mut sessions, 0..FILES, async |session, number| {
        session.upload("application/octet-stream", file(number as u64)).await
    });
    let files = files.await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, number| {
        match session.download(&files[number as usize % FILES]).await?.len() {
            FILE_BYTES => Ok(()),
            other => Err(Failure::Unexpected(format!("{other} bytes"))),
        }
    })
    .await)
}

async fn pictures(world: &World, sessions: &mut [Session]) -> Result<Vec<String>, ScenarioError> {
    let count = world.scaled(PICTURES, 4);
    let pictures = for_each(&world.progress, sessions, 0..count, async |session, number| {
        session.upload("image/png", picture(number)?).await
    });
    Ok(pictures.await?)
}

/// Each operation is the first request for a thumbnail of another picture, one after the other.
pub async fn first_thumbnail(world: &mut World) -> Result<Measured, ScenarioError> {
    let mut sessions = world.sessions("photographers", 1).await?;
    let pictures = pictures(world, &mut sessions).await?;
    let bounds = Bounds::time(world.seconds(60.0)).operations(pictures.len() as u64);
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, number| {
        session.thumbnail(&pictures[number as usize]).await.map(drop)
    })
    .await)
}

pub async fn thumbnail(world: &mut World) -> Result<Measured, ScenarioError> {
    let mut sessions = world.sessions("photographers", AT_ONCE).await?;
    let pictures = pictures(world, &mut sessions[..1]).await?;
    for_each(&world.progress, &mut sessions, pictures.iter(), async |session, picture| {
        session.thumbnail(picture).await
    })
    .await?;
    let bounds = Bounds::time(world.seconds(10.0));
    Ok(measure(&world.meter, &world.progress, bounds, &mut sessions, async |session, number| {
        session.thumbnail(&pictures[number as usize % pictures.len()]).await.map(drop)
    })
    .await)
}
