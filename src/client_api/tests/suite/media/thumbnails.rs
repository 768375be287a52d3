//! Small pictures of files.

use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::{bytes, path};
use crate::bed::Bed;

const THUMBNAIL: &str = "/_matrix/client/v1/media/thumbnail";

/// A PNG of one pixel.
const PIXEL: &[u8] =
    b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\x08\
    \x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\x0d\x49\x44\x41\x54\x78\x9c\x63\xf8\xcf\xc0\xf0\x1f\x00\
    \x05\x00\x01\xff\x89\x99\x3d\x1d\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

/// Row 107 of the hostile input: what it is decides, not what was said of it.
#[tokio::test(start_paused = true)]
async fn row_107_a_thumbnail_is_what_it_is() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let address = bed.upload(&alice, "text/html", "a.html", PIXEL.to_vec()).await;
    let answer = bed
        .get(&format!("{}?width=32&height=32&method=crop", path(THUMBNAIL, &address)))
        .by(&alice)
        .open()
        .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()[CONTENT_TYPE], "image/png");
    assert_eq!(answer.headers()[CONTENT_DISPOSITION], "inline; filename=\"thumbnail.png\"");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(bytes(answer).await, PIXEL, "it is not made larger");
}

/// Row 114 of the hostile input, and what is no picture.
#[tokio::test(start_paused = true)]
async fn row_114_what_cannot_be_made_is_refused() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let address = bed.upload(&alice, "image/png", "", PIXEL.to_vec()).await;
    let get = async |address: &str, query: &str| {
        bed.get(&format!("{}?{query}", path(THUMBNAIL, address))).by(&alice).await
    };
    for query in ["width=0&height=0", "width=0&height=5"] {
        get(&address, query).await.refused(400, "M_UNKNOWN");
    }
    for query in ["", "width=32"] {
        get(&address, query).await.refused(400, "M_MISSING_PARAM");
    }
    for query in [
        "width=-1&height=32",
        "width=4294967296&height=1",
        "width=a&height=b",
        "width=32&height=32&method=stretch",
    ] {
        get(&address, query).await.refused(400, "M_INVALID_PARAM");
    }
    let text = bed.upload(&alice, "image/png", "", b"<svg/>".to_vec()).await;
    get(&text, "width=32&height=32").await.refused(400, "M_UNKNOWN");
    get("mxc://plop.example/nothing", "width=32&height=32").await.refused(404, "M_NOT_FOUND");
    get("mxc://other.example/nothing", "width=32&height=32").await.refused(404, "M_NOT_FOUND");
    // Frozen.
    let older = path("/_matrix/media/v3/thumbnail", &address);
    bed.get(&format!("{older}?width=32&height=32")).await.refused(404, "M_NOT_FOUND");
}
