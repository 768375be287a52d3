//! `[media]`: files that users upload.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use ruma::ServerName;

use crate::schema::section;
use crate::{Problems, Secret};

section! {
    /// Files that users upload.
    pub struct Media {
        /// The folder of the files. Without one it is `media` beside the folder of the database.
        pub path: Option<PathBuf> = None,
        /// Disk space left alone, in MiB: with less free, no files are taken.
        pub keep_free_mib: u32 = 512,
        /// The bucket of a store that speaks S3: files are kept there and not in a folder. Give it a rule that ends
        /// unfinished multipart uploads after some days.
        pub s3_bucket: Option<String> = None,
        /// The region of the bucket.
        pub s3_region: String = "us-east-1".to_owned(),
        /// Where the store is, for example "https://s3.example.org"; without it, at Amazon.
        pub s3_endpoint: Option<String> = None,
        /// The id of the key for the store.
        pub s3_key_id: Option<String> = None,
        /// The key itself.
        pub s3_secret: Option<Secret> = None,
        /// The largest file, in MiB.
        pub max_upload_mib: NonZeroU32 = const { NonZeroU32::new(50).unwrap() },
        /// Most that one user may have here, in MiB; 0 is as much as there is room for.
        pub quota_mib: u32 = 0,
        /// Most files that one user may have here; 0 is as many as there is room for.
        pub quota_files: u32 = 0,
        /// Files that nobody asked for in so many days are deleted; 0 keeps them for ever. Old messages then lose their pictures.
        pub keep_unused_days: u32 = 0,
        /// Files that are announced and not uploaded, of one user.
        pub pending_uploads: NonZeroU32 = const { NonZeroU32::new(100).unwrap() },
        /// How long an announced file is waited for, in hours.
        pub pending_hours: NonZeroU64 = const { NonZeroU64::new(24).unwrap() },
        /// The largest picture of which thumbnails are made, in millions of pixels. One being made takes up to 10 bytes for each.
        pub thumbnail_megapixels: NonZeroU32 = const { NonZeroU32::new(40).unwrap() },
        /// Thumbnails that are made at a time.
        pub thumbnail_threads: NonZeroU32 = const { NonZeroU32::new(2).unwrap() },
        /// Whether files can be had only by users of this server, as the specification wants it ("freeze"). Without it the older
        /// endpoints, which ask for no access token, give all files to everyone who knows their address.
        pub freeze_unauthenticated: bool = true,
        /// Whether this server fetches pages whose addresses stand in messages, to show what they are about. The page sees this
        /// server's address, not that of the user; this server sees what its users link to, as far as clients ask it. Only public
        /// addresses are reached (`[outbound]`).
        pub previews: bool = true,
        /// If any are named: the only hosts of which previews are made, with all below them: "example.org".
        /// International names are written in Punycode.
        pub preview_allowed_hosts: Vec<String> = Vec::new(),
        /// Hosts of which no previews are made, with all below them, whatever else is said.
        pub preview_denied_hosts: Vec<String> = Vec::new(),
        /// How long a preview is kept, in hours.
        pub preview_hours: NonZeroU64 = const { NonZeroU64::new(24).unwrap() },
        /// Most that pictures of previews may take, in MiB. Those that nobody asked for longest go first.
        pub preview_pictures_mib: NonZeroU32 = const { NonZeroU32::new(1_024).unwrap() },
    }
}

impl Media {
    pub(crate) fn validate(&self, problems: &mut Problems) {
        self.validate_hosts(problems);
        if self.s3_bucket.is_none() {
            return;
        }
        let needed =
            [("media.s3_key_id", self.s3_key_id.is_some()), ("media.s3_secret", self.s3_secret.is_some())];
        for (key, is_there) in needed {
            if !is_there {
                problems.add(key, "`media.s3_bucket` needs it");
            }
        }
        if let Some(endpoint) = &self.s3_endpoint
            && !(endpoint.starts_with("https://") || endpoint.starts_with("http://"))
        {
            problems.add(
                "media.s3_endpoint",
                format!("`{endpoint}` is no address such as https://s3.example.org"),
            );
        }
    }

    fn validate_hosts(&self, problems: &mut Problems) {
        let hosts = [
            ("media.preview_allowed_hosts", &self.preview_allowed_hosts),
            ("media.preview_denied_hosts", &self.preview_denied_hosts),
        ];
        for (key, names) in hosts {
            let is_host = |name: &str| ServerName::parse(name).is_ok_and(|name| name.port().is_none());
            for name in names.iter().filter(|name| !is_host(name)) {
                problems.add(key, format!("`{name}` is no name of a host such as example.org"));
            }
        }
    }
}
