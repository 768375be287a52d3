//! Previews of addresses, of pages on loopback.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use image::{DynamicImage, ImageFormat};
use plop_base::{Actor, Clock, UnixMillis};
use plop_bed::web::{Endless, Web, redirect};
use plop_bed::{id, user};
use plop_db::KeyRange;
use plop_media::schema::{MediaFiles, PreviewTotal, PreviewTotals, Previews};
use plop_media::{BlobStore, Hosts, OpenError, PreviewError, Previewing, Settings};
use plop_outbound::Client;
use ruma::owned_device_id;
use serde_json::{Value, json};

use crate::bed::Bed;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Media whose previews may reach `open`; all names lead to loopback.
fn bed(open: &str) -> Bed {
    bed_with(open, |_| "127.0.0.1", |_| ())
}

/// The same with names that lead elsewhere, and other choices.
fn bed_with(
    open: &str,
    names: impl Fn(&str) -> &'static str + Send + Sync + 'static,
    choose: impl FnOnce(&mut Previewing),
) -> Bed {
    let open = vec![open.parse().expect("a network")];
    let settings = plop_outbound::Settings { open, ..plop_outbound::Settings::default() };
    let names = move |name: &str| vec![names(name).parse().expect("an address")];
    Bed::previewing(BlobStore::memory(), Settings::default(), |clock| {
        let client = Client::with_names(settings, clock.clone(), names).expect("a client");
        let (denied, max_picture_bytes) = (Hosts::default(), 1 << 20);
        let mut chosen = Previewing { client, allowed: None, denied, lifetime: DAY, max_picture_bytes };
        choose(&mut chosen);
        Some(chosen)
    })
}

fn hosts(name: &str) -> Hosts {
    Hosts::new(&[name.to_owned()])
}

fn answer(content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(width, height).write_to(&mut bytes, ImageFormat::Png).expect("a picture");
    bytes.into_inner()
}

fn html(image: &str) -> Vec<u8> {
    let page = format!(
        "<html prefix='og: http://ogp.me/ns#'><head><title>The Rock (1996)</title><meta property='og:title' content='The Rock' />\
         <meta property='og:type' content='video.movie' /><meta property='og:url' content='http://www.imdb.com/title/tt0117500/' />\
         <meta property='og:image' content='{image}' /></head><body></body></html>"
    );
    answer("text/html", page.as_bytes())
}

async fn preview(bed: &Bed, url: &str) -> Result<Value, PreviewError> {
    let text = bed.media.preview(&user("alice"), url).await?;
    Ok(serde_json::from_str(&text).expect("JSON"))
}

#[tokio::test]
async fn a_page_is_previewed_with_its_picture_and_fetched_once() {
    let web = Web::start(|path| match path {
        "/test.html" => html("test.png"),
        _ => answer("image/png", &png(279, 129)),
    })
    .await;
    let bed = bed("127.0.0.0/8");
    let url = web.url("127.0.0.1", "/test.html");
    let asked = join_all((0..10).map(|_| preview(&bed, &url))).await;
    let first = asked[0].as_ref().expect("a preview").clone();
    assert!(asked.iter().all(|asked| asked.as_ref().is_ok_and(|asked| *asked == first)));
    assert_eq!(web.connections(), 2, "the page and the picture");
    assert_eq!(
        (&first["og:title"], &first["og:type"], &first["og:url"]),
        (&"The Rock".into(), &"video.movie".into(), &"http://www.imdb.com/title/tt0117500/".into())
    );
    assert_eq!((&first["og:image:width"], &first["og:image:height"]), (&279.into(), &129.into()));
    assert_eq!(first["matrix:image:size"], png(279, 129).len());
    let picture = first["og:image"].as_str().and_then(|address| address.strip_prefix("mxc://plop.example/"));
    assert_eq!(bed.bytes(picture.expect("a file")).await, png(279, 129));
    assert_eq!(preview(&bed, &format!("{url}#fragment")).await.expect("the same page"), first);
    assert_eq!(web.connections(), 2);
    assert_eq!(bed.unplaced().await, 0);
    bed.check().await;
}

/// Rows 98 and 100 of the hostile input: the picture, the base of a page and redirects are looked at like the page.
#[tokio::test]
async fn row_100_nothing_that_a_page_names_gets_around_the_guard() {
    let secret = Web::start(|_| answer("image/png", &png(1, 1))).await;
    let inside = secret.url("127.0.0.2", "/");
    let named = secret.url("denied.example", "/picture.png");
    let (direct, redirected, based, to_denied) =
        (inside.clone(), inside.clone(), inside.clone(), named.clone());
    let web = Web::start(move |path| match path {
        "/image" => html(&direct),
        "/mapped" => html(&direct.replace("127.0.0.2", "[::ffff:7f00:2]")),
        "/image-redirect" => html("/redirect"),
        "/redirect" => redirect(&redirected),
        "/redirect-twice" => redirect("/redirect"),
        "/to-denied" => redirect(&to_denied),
        "/denied" => html(&named),
        "/data" => html("data:image/png;base64,AAAA"),
        "/file" => html("file:///etc/passwd"),
        _ => answer(
            "text/html",
            format!("<title>t</title><base href='{based}'><meta property=og:image content=a.png>").as_bytes(),
        ),
    })
    .await;
    let bed = bed_with("127.0.0.1/32", |_| "127.0.0.1", |chosen| chosen.denied = hosts("denied.example"));
    for path in ["/image", "/mapped", "/image-redirect", "/denied", "/data", "/file", "/base"] {
        let shown = preview(&bed, &web.url("127.0.0.1", path)).await.expect("a page without its picture");
        assert_eq!((shown.get("og:image"), shown["og:title"].is_string()), (None, true), "{path}");
    }
    let closed = [
        web.url("127.0.0.1", "/redirect"),
        web.url("127.0.0.1", "/redirect-twice"),
        web.url("127.0.0.1", "/to-denied"),
        web.url("127.0.0.3", "/"),
        web.url("[::ffff:127.0.0.3]", "/"),
        web.url("denied.example", "/"),
        web.url("sub.DENIED.example.", "/"),
        "http://[::1]/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ];
    for url in closed {
        assert!(matches!(preview(&bed, &url).await, Err(PreviewError::None)), "{url}");
    }
    let long = format!("http://127.0.0.1/{}", "a".repeat(5_000));
    for url in ["ftp://example.org/", "file:///etc/passwd", "nothing", "", &long] {
        assert!(matches!(preview(&bed, url).await, Err(PreviewError::InvalidUrl)), "{url}");
    }
    assert_eq!(secret.connections(), 0);
}

/// Row 99 of the hostile input: a name that leads to an open address first, and inside when the picture is fetched.
#[tokio::test]
async fn row_99_a_name_that_changes_its_mind_gains_nothing() {
    let web =
        Web::start(|path| if path == "/" { html("/secret.png") } else { answer("image/png", &png(1, 1)) })
            .await;
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lookups);
    let names = move |_: &str| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => "127.0.0.1",
        _ => "127.0.0.2",
    };
    let bed = bed_with("127.0.0.1/32", names, |_| ());
    let shown = preview(&bed, &web.url("rebinding.example", "/")).await.expect("the page");
    assert_eq!((shown.get("og:image"), web.connections()), (None, 1));
    assert_eq!(lookups.load(Ordering::SeqCst), 2);
}

/// Row 82 of the hostile input: hosts that are allowed.
#[tokio::test]
async fn row_82_where_hosts_are_named_only_those_are_asked() {
    let web = Web::start(|_| html("none.png")).await;
    let bed = bed_with(
        "127.0.0.0/8",
        |_| "127.0.0.1",
        |chosen| {
            chosen.allowed = Some(hosts("example.org"));
            chosen.denied = hosts("bad.example.org");
        },
    );
    for (host, is_shown) in
        [("example.org", true), ("a.example.org", true), ("bad.example.org", false), ("other.example", false)]
    {
        assert_eq!(preview(&bed, &web.url(host, "/")).await.is_ok(), is_shown, "{host}");
    }
}

/// Rows 102, 107 and 110 of the hostile input: what is said to be a picture.
#[tokio::test]
async fn row_110_what_is_no_picture_is_not_kept() {
    let web = Web::start(|path| match path {
        "/svg" => {
            answer("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>")
        }
        "/html" => answer("image/png", b"<script>alert(1)</script>"),
        "/large" => answer("image/png", &[&png(1, 1), vec![0; 6 << 20].as_slice()].concat()),
        // What a header says of a picture that would be 10,000,000,000 pixels.
        "/huge" => answer("image/png", &patched(&png(1, 1), 100_000)),
        "/none" => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
        path => html(path.trim_start_matches("/page")),
    })
    .await;
    let bed = bed("127.0.0.0/8");
    for path in ["/svg", "/html", "/large", "/huge", "/none"] {
        let shown = preview(&bed, &web.url("127.0.0.1", &format!("/page{path}"))).await.expect("a page");
        assert_eq!((shown.get("og:image"), shown.get("matrix:image:size")), (None, None), "{path}");
    }
    assert_eq!((bed.unplaced().await, pictures(&bed).await), (0, 0));
    // Of what is neither page nor picture nothing is said.
    let other = Web::start(|_| answer("application/pdf", b"%PDF")).await;
    assert_eq!(preview(&bed, &other.url("127.0.0.1", "/")).await.expect("nothing"), json!({}));
}

/// Row 102 of the hostile input: pages without an end, and packed ones.
#[tokio::test]
async fn row_102_a_page_is_looked_at_as_far_as_it_goes_and_never_unpacked() {
    let web = Web::start(|path| match path {
        "/long" => answer("text/html", &[b"<title>t</title>".as_slice(), &vec![b' '; 8 << 20]].concat()),
        "/deep" => answer("text/html", ["<title>t</title>", &"<div><p>".repeat(100_000)].concat().as_bytes()),
        "/entities" => answer("text/html", b"<!DOCTYPE t [<!ENTITY a '&b;&b;'><!ENTITY b '&c;&c;'>]><title>t</title>&a;"),
        _ => b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\nConnection: close\r\n\r\n<title>packed</title".to_vec(),
    })
    .await;
    let bed = bed("127.0.0.0/8");
    for path in ["/long", "/deep", "/entities"] {
        let shown = preview(&bed, &web.url("127.0.0.1", path)).await.expect("a page");
        assert_eq!(shown["og:title"], "t", "{path}");
    }
    let packed = preview(&bed, &web.url("127.0.0.1", "/packed")).await;
    assert!(matches!(packed, Err(PreviewError::None)));
    assert!(web.requests().iter().all(|head| !head.to_ascii_lowercase().contains("accept-encoding")));
}

/// Row 102 of the hostile input: a server that says nothing, for ever. Nothing else happens meanwhile, so the time passes by itself.
#[tokio::test(start_paused = true)]
async fn row_102_a_page_has_so_much_time_and_no_more() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let bed = bed("127.0.0.0/8");
    let began = bed.ground.clock.monotonic();
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    assert!(matches!(preview(&bed, &url).await, Err(PreviewError::None)));
    let took = bed.ground.clock.monotonic().saturating_sub(began);
    assert!((Duration::from_secs(14)..Duration::from_secs(17)).contains(&took), "{took:?}");
}

/// A head without a length, and the beginning of what follows it.
fn without_end(content_type: &str, beginning: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), beginning].concat()
}

/// Row 102 of the hostile input: a byte a second, so that it is never silent for long.
#[tokio::test(start_paused = true)]
async fn row_102_a_page_that_drips_has_no_more_time() {
    let drips = Endless {
        part: b".".to_vec(),
        every: Duration::from_secs(1),
        clock: Clock::simulated(UnixMillis(0)),
    };
    let web = Web::endless(|_| without_end("text/html", b"<title>t</title>"), drips).await;
    let bed = bed("127.0.0.0/8");
    let began = bed.ground.clock.monotonic();
    assert!(matches!(preview(&bed, &web.url("127.0.0.1", "/")).await, Err(PreviewError::None)));
    let took = bed.ground.clock.monotonic().saturating_sub(began);
    assert!((Duration::from_secs(14)..Duration::from_secs(17)).contains(&took), "{took:?}");
    assert!((10..20).contains(&web.endless_parts()), "{} bytes", web.endless_parts());
    assert_eq!(bed.unplaced().await, 0);
}

/// Rows 102 and 110 of the hostile input: what never ends, as fast as it is taken.
#[tokio::test]
async fn row_102_a_page_and_a_picture_without_an_end_are_cut_off() {
    const PART: usize = 64 << 10;
    let flood = Endless { part: vec![b' '; PART], every: Duration::ZERO, clock: Clock::system() };
    let web = Web::endless(
        |path| match path {
            "/picture.png" => without_end("image/png", &png(1, 1)),
            "/with" => {
                without_end("text/html", b"<title>t</title><meta property=og:image content=/picture.png>")
            }
            _ => without_end("text/html", b"<title>t</title>"),
        },
        flood,
    )
    .await;
    let bed = bed("127.0.0.0/8");
    for path in ["/", "/with"] {
        let shown = preview(&bed, &web.url("127.0.0.1", path)).await.expect("a page");
        assert_eq!(shown, json!({ "og:title": "t" }), "{path}");
    }
    assert_eq!((web.connections(), bed.unplaced().await, pictures(&bed).await), (3, 0, 0));
    // What was taken, and what the system holds of three connections that nobody reads.
    assert!(web.endless_parts() * PART < 64 << 20, "{}", web.endless_parts());
}

/// Row 102 of the hostile input: one user who asks for what never comes leaves room for others.
#[tokio::test(start_paused = true)]
async fn row_102_one_user_waits_for_so_many_previews_at_a_time() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let bed = bed("127.0.0.0/8");
    let at = silent.local_addr().expect("an address");
    let asked = join_all((0..40).map(|number| {
        let (media, url) = (bed.media.clone(), format!("http://{at}/{number}"));
        async move { media.preview(&user("alice"), &url).await }
    }))
    .await;
    let busy = asked.iter().filter(|asked| matches!(asked, Err(PreviewError::Busy))).count();
    let none = asked.iter().filter(|asked| matches!(asked, Err(PreviewError::None))).count();
    assert_eq!((none, busy), (16, 24));
}

#[tokio::test]
async fn what_has_no_preview_is_not_asked_for_again_at_once() {
    let web =
        Web::start(|_| b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()).await;
    let bed = bed("127.0.0.0/8");
    for _ in 0..3 {
        assert!(matches!(preview(&bed, &web.url("127.0.0.1", "/")).await, Err(PreviewError::None)));
    }
    assert_eq!(web.connections(), 1);
    let guest = Actor::Guest { user: id("guest"), device: owned_device_id!("D") };
    let refused = bed.media.preview(&guest, &web.url("127.0.0.1", "/other")).await;
    assert!(matches!(refused, Err(PreviewError::Forbidden)));
    let off = Bed::new().media.preview(&user("alice"), "http://example.org/").await;
    assert!(matches!(off, Err(PreviewError::Off)));
}

/// Pictures are bounded together; the one that nobody asked for longest goes, and its page is looked at anew.
#[tokio::test]
async fn pictures_stay_within_their_bound() {
    let picture = png(50, 50);
    let size = picture.len() as u64;
    let web = Web::start(move |path| match path {
        "/picture.png" => answer("image/png", &picture),
        _ => html("/picture.png"),
    })
    .await;
    let bed = bed_with("127.0.0.0/8", |_| "127.0.0.1", |chosen| chosen.max_picture_bytes = 2 * size);
    let mut shown = Vec::new();
    for number in 0..5 {
        shown.push(preview(&bed, &web.url("127.0.0.1", &format!("/{number}"))).await.expect("a page"));
    }
    assert_eq!((pictures(&bed).await, bed.unplaced().await), (2, 0));
    assert_eq!(total(&bed, PreviewTotal::PictureBytes).await, i64::try_from(2 * size).expect("small"));
    let lost = shown.iter().position(|shown| shown["og:image"].is_string()).expect("one");
    let id = shown[lost]["og:image"].as_str().and_then(|address| address.rsplit('/').next()).expect("an id");
    // All of them have the same time, so any may be gone; a preview never shows a picture that is not there.
    for number in 0..5 {
        let again = preview(&bed, &web.url("127.0.0.1", &format!("/{number}"))).await.expect("a page");
        let id = again["og:image"].as_str().and_then(|address| address.rsplit('/').next()).expect("an id");
        assert!(bed.find(id).await.is_ok(), "{number}");
    }
    assert!(matches!(bed.find(id).await, Ok(_) | Err(OpenError::NotFound)));
    bed.check().await;
}

/// Time passes without a socket: nothing is open.
#[tokio::test(start_paused = true)]
async fn previews_expire() {
    let bed = bed("127.0.0.1/32");
    for number in 0..5 {
        let url = format!("http://10.0.0.{number}/");
        assert!(matches!(preview(&bed, &url).await, Err(PreviewError::None)));
    }
    assert_eq!((total(&bed, PreviewTotal::Previews).await, rows::<Previews>(&bed).await), (5, 5));
    bed.check().await;
    bed.pass(DAY).await;
    bed.media.sweep().await.expect("swept");
    assert_eq!((total(&bed, PreviewTotal::Previews).await, rows::<Previews>(&bed).await), (0, 0));
    bed.check().await;
}

async fn total(bed: &Bed, total: PreviewTotal) -> i64 {
    bed.ground.db.snapshot().get::<PreviewTotals>(&total).await.expect("a row").unwrap_or_default().0
}

async fn rows<K: plop_db::Keyspace>(bed: &Bed) -> usize {
    let all = KeyRange::<K>::all();
    bed.ground.db.snapshot().scan(all, plop_db::Direction::Forward, 1_000).await.expect("a page").rows.len()
}

async fn pictures(bed: &Bed) -> usize {
    rows::<MediaFiles>(bed).await
}

/// A PNG whose header says another width and height.
fn patched(png: &[u8], side: u32) -> Vec<u8> {
    let mut png = png.to_vec();
    png[16..20].copy_from_slice(&side.to_be_bytes());
    png[20..24].copy_from_slice(&side.to_be_bytes());
    let sum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    png
}

/// As PNG has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}
