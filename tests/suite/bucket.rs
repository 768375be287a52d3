//! Files in a store that speaks S3, over HTTP: one as far as it is needed, with its objects in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode, header};
use image::{ImageFormat, RgbaImage};
use plop_bed::{Ground, server, user};
use plop_media::schema::{KEYSPACES, Method as Fitting};
use plop_media::{BlobStore, Found, Media, Parts, S3, Settings, ThumbnailError, Upload, Wanted};
use tokio::sync::watch;

/// The part that stores of this kind take at least, but for the last.
const PART: usize = 5 << 20;

/// What the store has and has seen.
struct Seen {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Parts of uploads, by the object and the number.
    parts: Mutex<BTreeMap<(String, u32), Vec<u8>>>,
    /// Objects that were asked for.
    reads: watch::Sender<usize>,
    /// Whether they are answered.
    answers: watch::Sender<bool>,
}

async fn store() -> (BlobStore, Arc<Seen>) {
    let (reads, answers) = (watch::Sender::new(0), watch::Sender::new(true));
    let seen = Arc::new(Seen { objects: Mutex::default(), parts: Mutex::default(), reads, answers });
    let router = Router::new().fallback(object).with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let bucket = S3 {
        endpoint: Some(endpoint),
        region: "nowhere".to_owned(),
        bucket: "files".to_owned(),
        key_id: "id".to_owned(),
        secret: "secret".to_owned(),
    };
    (BlobStore::s3(&bucket).expect("a store"), seen)
}

async fn object(
    State(seen): State<Arc<Seen>>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let name = parts.uri.path().to_owned();
    if !parts.headers.contains_key(header::AUTHORIZATION) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    match (parts.method, query.get("partNumber")) {
        (Method::PUT, Some(number)) => {
            let number = number.parse().expect("a number");
            seen.parts.lock().expect("parts").insert((name, number), body.to_vec());
            [(header::ETAG, format!("\"{number}\""))].into_response()
        }
        (Method::PUT, None) => {
            seen.objects.lock().expect("objects").insert(name, body.to_vec());
            [(header::ETAG, "\"whole\"")].into_response()
        }
        (Method::POST, _) if query.contains_key("uploads") => {
            "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
                .into_response()
        }
        (Method::POST, _) => {
            let parts = seen.parts.lock().expect("parts");
            let whole = parts.iter().filter(|((of, _), _)| *of == name).flat_map(|(_, part)| part.clone());
            seen.objects.lock().expect("objects").insert(name.clone(), whole.collect());
            "<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>".into_response()
        }
        (Method::DELETE, _) => {
            seen.objects.lock().expect("objects").remove(&name);
            StatusCode::NO_CONTENT.into_response()
        }
        (Method::GET, _) => {
            seen.reads.send_modify(|reads| *reads += 1);
            seen.answers.subscribe().wait_for(|answers| *answers).await.expect("the test goes on");
            let range =
                parts.headers.get(header::RANGE).map(|range| range.to_str().expect("text").to_owned());
            read(&seen, &name, range.as_deref())
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn read(seen: &Seen, name: &str, range: Option<&str>) -> Response {
    let objects = seen.objects.lock().expect("objects");
    let Some(bytes) = objects.get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let answer = Response::builder()
        .header(header::ETAG, "\"whole\"")
        .header(header::LAST_MODIFIED, "Thu, 26 Nov 2026 08:00:00 GMT");
    let Some(range) = range else {
        return answer.body(Body::from(bytes.clone())).expect("an answer");
    };
    let (first, last) =
        range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).expect("a range");
    let (first, last): (usize, usize) = (first.parse().expect("a number"), last.parse().expect("a number"));
    let of = format!("bytes {first}-{last}/{}", bytes.len());
    let answer = answer.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, of);
    answer.body(Body::from(bytes[first..=last].to_vec())).expect("an answer")
}

fn media(blobs: BlobStore, settings: Settings) -> Media {
    let Ground { db, clock, random } = Ground::new(KEYSPACES.to_vec(), 7);
    Media::new(Parts { db, clock, random, server: server(), blobs, settings, previewing: None })
}

async fn upload(media: &Media, bytes: &[u8]) -> Found {
    let body = stream::iter([Ok::<_, String>(Bytes::copy_from_slice(bytes))]);
    let id = media.upload(&user("alice"), Upload::default(), body).await.expect("an upload");
    media.find(&server(), &id, Duration::ZERO).await.expect("a file")
}

async fn bytes(media: &Media, found: &Found, range: Option<Range<u64>>) -> Vec<u8> {
    let parts: Vec<_> = media.read(found, range).await.expect("bytes").collect().await;
    parts.into_iter().flat_map(|part| part.expect("a part")).collect()
}

#[tokio::test]
async fn what_goes_into_a_bucket_comes_out_in_parts_of_one_size() {
    let (blobs, seen) = store().await;
    let media = media(blobs, Settings::default());
    for size in [2 * PART + 10, PART, 10, 0] {
        let file: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let found = upload(&media, &file).await;
        assert_eq!(bytes(&media, &found, None).await, file);
        if size > 10 {
            assert_eq!(bytes(&media, &found, Some(2..5)).await, file[2..5]);
        }
    }
    let sizes: Vec<usize> = seen.parts.lock().expect("parts").values().map(Vec::len).collect();
    assert_eq!(
        sizes.iter().filter(|size| **size == PART).count(),
        2,
        "one part alone is written whole: {sizes:?}"
    );
    assert_eq!(
        sizes.iter().filter(|size| **size != PART).collect::<Vec<_>>(),
        [&10],
        "only the last of a file"
    );
}

/// Nobody pays here.
fn free() -> Result<(), ThumbnailError> {
    Ok(())
}

/// A file of a bucket is in memory while it is decoded: no more of them than there are decoders, however many wait.
#[tokio::test]
async fn files_of_a_bucket_are_fetched_when_there_is_a_decoder_for_them() {
    let (blobs, seen) = store().await;
    let media = media(blobs, Settings { decoders: 1, ..Settings::default() });
    let mut png = std::io::Cursor::new(Vec::new());
    RgbaImage::new(400, 400).write_to(&mut png, ImageFormat::Png).expect("a picture");
    let png = png.into_inner();
    let mut files = Vec::new();
    for _ in 0..4 {
        files.push(upload(&media, &png).await);
    }
    seen.answers.send_replace(false);
    let wanted = Wanted { width: 32, height: 32, method: Fitting::Crop, animated: false };
    let thumbnails = join_all(
        files
            .iter()
            .map(async |found| media.thumbnail(found, &wanted, free).await.expect("a thumbnail").row.width),
    );
    let first = async {
        let mut reads = seen.reads.subscribe();
        reads.wait_for(|reads| *reads > 0).await.expect("a request");
        // There and back over the same network: time in which the others would have asked.
        upload(&media, b"small").await;
        assert_eq!(*reads.borrow(), 1, "the others wait for the decoder");
        seen.answers.send_replace(true);
    };
    let (widths, ()) = futures_util::join!(thumbnails, first);
    assert_eq!(widths, [32; 4]);
}

/// Row 108 of the hostile input: what is fetched is decoded, and nothing else is.
#[tokio::test]
async fn row_108_what_cannot_be_decoded_is_fetched_once_whoever_asks_for_whatever_shape() {
    let (blobs, seen) = store().await;
    let media = media(blobs, Settings::default());
    let found = upload(&media, b"no picture").await;
    let wanted = (0..20).map(|number: u32| Wanted {
        width: 32 * (1 + number % 4),
        height: 32,
        method: Fitting::Crop,
        animated: number.is_multiple_of(2),
    });
    let asked = join_all(wanted.map(async |wanted| media.thumbnail(&found, &wanted, free).await)).await;
    assert!(asked.iter().all(|asked| matches!(asked, Err(ThumbnailError::NotAPicture))), "{asked:?}");
    assert_eq!(*seen.reads.borrow(), 1);
}
