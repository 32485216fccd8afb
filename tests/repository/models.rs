//! Compares the pages on orderings and models with the source.

use std::collections::BTreeSet;
use std::fs;

use arcbus_mutate::mutation::Mutant;
use arcbus_mutate::tests_of::Names;
use arcbus_mutate::{docs, find, mutation, root, tree};

const HINT: &str = "run loom-tests/mutate.sh --readme";

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

#[test]
fn each_ordering_of_the_source_has_its_row_and_each_row_its_ordering() {
    let places = find::in_folder(&root().join("src")).expect("the source can be read");
    assert!(places.len() > 150, "{}", places.len());
    let models = Names::read(&root()).expect("the models can be read").all();
    let wrong = docs::disagreements(&read("src/docs/orderings.md"), &places, &models);
    assert!(wrong.is_empty(), "src/docs/orderings.md: {wrong:#?}");
}

#[test]
fn the_page_on_orderings_names_existing_files() {
    let files = tree::files(&root()).expect("git lists the files");
    let missing = docs::missing_paths(&read("src/docs/orderings.md"), &files);
    assert!(missing.is_empty(), "src/docs/orderings.md: {missing:#?}");
}

#[test]
fn the_page_on_models_lists_exactly_the_models() {
    let page = read("loom-tests/README.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| model"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let listed = rows.map(|row| row.split('|').nth(2).unwrap_or_default().trim());
    let listed: BTreeSet<String> = listed.map(|property| property.replace(' ', "_")).collect();
    let names = Names::read(&root()).expect("the models can be read");
    let is_written =
        |model: &String| names.models.contains(model) || names.in_macros.contains(model);
    let missing: Vec<_> = names.models.difference(&listed).collect();
    let gone: Vec<_> = listed.iter().filter(|model| !is_written(model)).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "missing {missing:?}, gone {gone:?}: {HINT}"
    );
}

/// A renamed place or a changed ordering makes the page wrong.
#[test]
fn the_page_on_models_has_a_verdict_on_each_ordering_that_can_be_weakened() {
    let page = read("loom-tests/README.md");
    let places = find::in_folder(&root().join("src")).expect("the source can be read");
    let mutants = mutation::mutants(&mutation::weakenable(&places), |_| Some(String::new()));
    let is_listed = |mutant: &Mutant| {
        let (place, words) = (mutant.short_place(), mutant.words().replace("->", "to"));
        page.contains(&format!("`{place}` {words}"))
            || page.contains(&format!("`{place}` | {words}"))
    };
    let missing: Vec<_> = mutants.iter().filter(|mutant| !is_listed(mutant)).collect();
    let missing: Vec<_> = missing.into_iter().map(Mutant::to_string).collect();
    assert!(missing.is_empty(), "{missing:#?}: {HINT}");
}

#[test]
fn the_model_on_the_page_is_a_model_that_runs() {
    let (page, test) = (
        read("src/docs/models.md"),
        read("loom-tests/tests/own_code.rs"),
    );
    let (_, code) = test.split_once("\n\n").expect("a comment first");
    assert!(
        page.contains(&format!("```rust,ignore\n{code}```")),
        "copy loom-tests/tests/own_code.rs"
    );
}
