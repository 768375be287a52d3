//! The binary, rank 6: reads the command line and the configuration, then serves or does one command.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

mod cli;
mod health_check;
mod maintenance;
mod server;

/// What RocksDB uses, too. Decision 0075 says why it is not the C library's.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    cli::run().into()
}
