//! The API, through its real router.
