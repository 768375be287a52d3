//! What is said of the figures holds for the figures that there are.

use std::collections::BTreeSet;

use serde_json::Value;
use tempfile::tempdir;

use crate::plop::{Plop, get};

/// Every word of `text` that can be the name of one of our figures, histograms without what Prometheus puts behind their names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let figures = words.filter(|word| word.starts_with("plop_"));
    let base = |word: &str| {
        let suffix = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| word.strip_suffix(suffix));
        suffix.unwrap_or(word).to_owned()
    };
    figures.map(base).collect()
}

#[test]
fn the_dashboard_and_the_operating_guide_name_the_figures_that_there_are() {
    let data = tempdir().unwrap();
    let (_plop, listeners) = Plop::start(data.path(), &[("PLOP_METRICS__ADDRESSES", r#"["127.0.0.1:0"]"#)]);
    // A request counts once it has been answered.
    get(listeners[0].1, "/health");
    let (_, _, text) = get(listeners[1].1, "/metrics");
    let exposed: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect();

    let read = |file: &str| {
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
    };
    let dashboard = read("docs/grafana.json");
    assert!(serde_json::from_str::<Value>(&dashboard).is_ok());
    assert_eq!(named(&dashboard), exposed, "docs/grafana.json");
    assert_eq!(named(&read("docs/operating.md")), exposed, "docs/operating.md");
}
