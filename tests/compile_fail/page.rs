//! The page on type errors quotes what the compiler says.

use std::fs;
use std::path::Path;

use super::{files, folder};

#[test]
fn the_page_on_type_errors_quotes_what_is_recorded() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs/type_errors.md");
    let page = fs::read_to_string(page).expect("it can be read");
    let recorded = files(&folder().join("fail"), "stderr");
    let recorded: String = recorded
        .iter()
        .map(|path| fs::read_to_string(path).expect("it can be read"))
        .collect();
    let quoted: Vec<_> = quoted(&page).collect();
    assert!(quoted.len() >= 20, "{quoted:#?}");
    let strange: Vec<_> = quoted
        .iter()
        .filter(|line| !recorded.contains(**line))
        .collect();
    assert!(strange.is_empty(), "no compiler says {strange:#?}");
}

/// The lines of the blocks of text.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```text\n").skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap_or("").lines())
}
