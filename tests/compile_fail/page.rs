//! Checks that the page on type errors quotes the compiler's messages.

use std::fs;
use std::path::Path;

use super::{files, folder};

#[test]
fn the_page_on_type_errors_quotes_recorded_texts() {
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

/// Returns the lines of the page's blocks of text.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```text\n").skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap_or("").lines())
}

/// A newcomer copies the examples, and `?` rejects an error of the type `String`.
#[test]
fn documentation_examples_have_errors_that_support_a_question_mark() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    each_file_below(&sources, &mut |path| {
        let text = fs::read_to_string(path).expect("it can be read");
        let is_code = path.extension().is_some_and(|name| name == "rs");
        let shown = |line: &str| !is_code || line.trim_start().starts_with("//");
        let strings = text
            .lines()
            .filter(|line| shown(line) && line.contains("type Error = String;"))
            .filter(|line| !line.contains("not a standard error"));
        found.extend(strings.map(|line| format!("{}: {line}", path.display())));
    });
    assert!(found.is_empty(), "{found:#?}");
}

fn each_file_below(folder: &Path, act: &mut dyn FnMut(&Path)) {
    for entry in folder.read_dir().expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            each_file_below(&path, act);
        } else if path.extension().is_none_or(|name| name != "svg") {
            act(&path);
        }
    }
}
