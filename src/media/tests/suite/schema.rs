//! What is stored.

use plop_base::UnixMillis;
use plop_bed::{id, server};
use plop_db::{Batch, Counter};
use plop_media::schema::*;

/// What is on disks already. A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let (server, user, at) = (server(), id("alice"), UnixMillis(1_700_000_000_000));
    let (file, blob) = ("abc_-1".to_owned(), "blob".to_owned());
    let row = MediaRow {
        kind: MediaKind::Upload,
        blob: blob.clone(),
        size: 300,
        content_type: Some("image/png".to_owned()),
        file_name: Some("a.png".to_owned()),
        uploader: Some(user.clone()),
        created: at,
        accessed: UnixMillis(at.0 + 1),
    };
    let fetched = MediaRow {
        kind: MediaKind::Preview,
        content_type: None,
        file_name: None,
        uploader: None,
        ..row.clone()
    };
    let mut rows = Batch::durable();
    rows.put::<MediaFiles>(&(server.clone(), file.clone()), &row);
    rows.put::<MediaFiles>(&(server.clone(), file.clone()), &fetched);
    rows.put::<UploadsByUser>(&(user.clone(), at, file.clone()), &300);
    for total in [Total::Bytes, Total::Files] {
        rows.put::<UploadTotals>(&(user.clone(), total), &Counter(5));
    }
    rows.put::<MediaByAccess>(&(MediaKind::Upload, at, server.clone(), file.clone()), &());
    rows.put::<PendingMedia>(&file, &PendingRow { user: user.clone(), expires: at });
    rows.put::<PendingByUser>(&(user, file.clone()), &at);
    rows.put::<PendingByExpiry>(&(at, file.clone()), &());
    rows.put::<UnplacedBlobs>(&blob, &at);
    let formats = [Format::Png, Format::Jpeg, Format::Gif, Format::WebP];
    for (method, format) in [Method::Crop, Method::Scale].into_iter().cycle().zip(formats) {
        let shape = Shape { method, width: 320, height: 240, animated: format == Format::Gif };
        let blob = (format != Format::WebP).then(|| blob.clone());
        let thumbnail = ThumbnailRow { blob, size: 10, format, width: 32, height: 32 };
        rows.put::<Thumbnails>(&(server.clone(), file.clone(), shape), &thumbnail);
    }
    for reason in [Unfit::NotAPicture, Unfit::TooLarge, Unfit::Broken] {
        rows.put::<UnfitFiles>(&(server.clone(), file.clone()), &UnfitRow { reason, since: at });
    }
    for text in [None, Some("{}".to_owned())] {
        let picture = text.as_ref().map(|_| file.clone());
        rows.put::<Previews>(&[1; 32], &PreviewRow { expires: at, text, picture });
    }
    rows.put::<PreviewsByExpiry>(&(at, [1; 32]), &());
    for total in [PreviewTotal::Previews, PreviewTotal::PictureBytes] {
        rows.put::<PreviewTotals>(&total, &Counter(1));
    }
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}
