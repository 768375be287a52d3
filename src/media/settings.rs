//! What an administrator chose about media.

use std::time::Duration;

/// What an administrator chose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The largest file, in bytes.
    pub max_upload: u64,
    /// What one user may have here.
    pub quota: Quota,
    pub retention: Retention,
    /// How much is announced and not uploaded, of one user.
    pub max_pending: usize,
    /// How long what is announced is waited for.
    pub pending_lifetime: Duration,
    /// The largest picture that is decoded, in pixels.
    pub max_pixels: u64,
    /// Threads that decode pictures.
    pub decoders: usize,
}

/// What one user may have here; 0 is as much as there is room for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quota {
    pub bytes: u64,
    pub files: u64,
}

/// For how long what nobody asks for is kept; `None` is for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retention {
    /// What users uploaded.
    pub uploads: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_upload: 50 << 20,
            quota: Quota::default(),
            retention: Retention::default(),
            max_pending: 100,
            pending_lifetime: Duration::from_secs(24 * 60 * 60),
            max_pixels: 40_000_000,
            decoders: 2,
        }
    }
}
