//! Media on the Memory engine, a simulated clock, and stores of blobs in memory and on disk.

mod bed;
mod blob_check;
mod pending;
mod previews;
mod schema;
mod sweeping;
mod thumbnails;
mod uploading;
