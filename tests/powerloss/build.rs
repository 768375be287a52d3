//! Compiles the library that children load before all others; it becomes a part of the crate.

#![expect(clippy::disallowed_macros, reason = "this is how cargo is told")]

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=preload.c");
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo says where to"));
    let status = Command::new("cc")
        .args(["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
        .args([folder.join("preload.so"), PathBuf::from("preload.c")])
        .status()
        .expect("a C compiler, which RocksDB needs too");
    assert!(status.success(), "the preload library did not compile");
}
