//! The example in `conf/` is what the binary prints.

use std::process::Command;

#[test]
fn the_example_configuration_is_fresh() {
    let printed = Command::new(env!("CARGO_BIN_EXE_plop")).args(["config", "example"]).output().unwrap();
    assert!(printed.status.success());
    let committed =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/conf/plop.example.toml")).unwrap_or_default();
    assert!(
        printed.stdout == committed,
        "conf/plop.example.toml is stale; write it anew: target/release/plop config example > conf/plop.example.toml"
    );
}
