//! Compares the table of `src/docs/orderings.md` with the orderings of the source.
//!
//! The first column of the table names a file and functions in that file, for example `` `registry/tomb.rs`
//! `Ticket::new` ``. A row without a function covers the whole file. A path may leave out its first folders
//! as long as its end is unique. The second column names the orderings, and the last column names the models.

use std::collections::BTreeSet;

use crate::find::{Order, Place};

/// A row of the table in `src/docs/orderings.md`.
#[derive(Debug, Default)]
struct Row {
    /// Files of the source, each with a function, or with `None` for the whole file.
    places: Vec<(String, Option<String>)>,
    orders: Vec<String>,
    models: Vec<String>,
}

impl Row {
    fn covers(&self, place: &Place) -> bool {
        let names = |(file, function): &(String, Option<String>)| {
            let is_it = |function: &String| *function == place.function;
            *file == place.file && function.as_ref().is_none_or(is_it)
        };
        self.places.iter().any(names)
    }

    fn has(&self, order: Order) -> bool {
        self.orders.contains(&order.to_string())
    }
}

/// Returns every disagreement of the page and the source, in words. `tests` holds the names of all models and
/// of their files.
#[must_use]
pub fn disagreements(page: &str, places: &[Place], tests: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let files: BTreeSet<&str> = places.iter().map(|place| place.file.as_str()).collect();
    let rows = rows(page, &files, &mut wrong);
    for place in places {
        let covered = rows
            .iter()
            .any(|row| row.covers(place) && row.has(place.order));
        if !covered {
            let (function, order) = (place.function(), place.order);
            wrong.push(format!("no row for {order} in {function}"));
        }
    }
    for row in &rows {
        check_row(row, places, tests, &mut wrong);
    }
    wrong.dedup();
    wrong
}

/// Returns the paths in backticks on a page that are not the end of a file or folder of `files`.
#[must_use]
pub fn missing_paths(page: &str, files: &[String]) -> Vec<String> {
    let is_there = |name: &String| {
        let inside = format!("/{name}");
        let mut files = files.iter().map(|file| format!("/{file}"));
        match name.ends_with('/') {
            true => files.any(|file| file.contains(&inside)),
            false => files.any(|file| file.ends_with(&inside)),
        }
    };
    let names = page.lines().flat_map(code);
    let paths = names.filter(|name| name.ends_with(".rs") || name.ends_with('/'));
    paths.filter(|name| !is_there(name)).collect()
}

fn check_row(row: &Row, places: &[Place], tests: &BTreeSet<String>, wrong: &mut Vec<String>) {
    let covered: Vec<_> = places.iter().filter(|place| row.covers(place)).collect();
    for (file, function) in &row.places {
        let Some(function) = function else { continue };
        let mut covered = covered.iter();
        if !covered.any(|place| place.file == *file && place.function == *function) {
            wrong.push(format!(
                "a row for {file}::{function}, which has no ordering"
            ));
        }
    }
    for order in &row.orders {
        if !covered
            .iter()
            .any(|place| place.order.to_string() == *order)
        {
            wrong.push(format!("a row says {order} of {:?}", row.places));
        }
    }
    for model in &row.models {
        let start = model.strip_suffix("..");
        let is_there = match start {
            Some(start) => tests.iter().any(|test| test.starts_with(start)),
            None => tests.contains(model),
        };
        if !is_there {
            wrong.push(format!("no model {model}"));
        }
    }
}

/// Reads the rows of the table whose head begins with "place", and adds faults to `wrong`.
fn rows(page: &str, files: &BTreeSet<&str>, wrong: &mut Vec<String>) -> Vec<Row> {
    let lines = page.lines().skip_while(|line| !line.starts_with("| place"));
    let lines = lines.skip(2).take_while(|line| line.starts_with('|'));
    lines.map(|line| row(line, files, wrong)).collect()
}

fn row(line: &str, files: &BTreeSet<&str>, wrong: &mut Vec<String>) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
    let [place, orders, _, models] = cells[..] else {
        wrong.push(format!("a row has other than four cells: {line}"));
        return Row::default();
    };
    let names = code(orders);
    let mut row = Row {
        places: Vec::new(),
        orders: names.into_iter().filter(|name| is_order(name)).collect(),
        models: code(models),
    };
    let mut file = None;
    for name in code(place) {
        if name.ends_with(".rs") {
            file = full(&name, files, wrong);
            row.places.extend(file.clone().map(|file| (file, None)));
        } else if let Some(file) = &file {
            row.places.retain(|place| *place != (file.clone(), None));
            row.places.push((file.clone(), Some(name)));
        }
    }
    row
}

/// Returns the whole path of a file whose end is on the page, if exactly one file ends like that.
fn full(name: &str, files: &BTreeSet<&str>, wrong: &mut Vec<String>) -> Option<String> {
    let ends = |file: &&&str| **file == name || file.ends_with(&format!("/{name}"));
    let found: Vec<_> = files.iter().filter(ends).collect();
    match found[..] {
        [file] => Some((*file).to_owned()),
        [] => {
            wrong.push(format!("a row for {name}, which has no ordering"));
            None
        }
        _ => {
            wrong.push(format!("more than one file ends with {name}"));
            None
        }
    }
}

fn is_order(name: &str) -> bool {
    ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"].contains(&name)
}

/// Returns the parts of a text that stand between backticks.
fn code(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    fn disagree(rows: &str) -> Vec<String> {
        let text = "
            impl Tomb { fn is_empty(&self) { self.0.load(Ordering::Acquire); } }
            impl Ticket {
                fn new() { tomb.fetch_add(1, Ordering::Relaxed); }
                fn drop() { tomb.fetch_sub(1, Ordering::Release); }
            }
        ";
        let places = find::in_text("registry/tomb.rs", text)
            .expect("it is Rust")
            .places;
        let tests = ["retirement", "what_another_thread_freed_is_seen"];
        let tests = tests.map(str::to_owned).into_iter().collect();
        let head = "# Orderings\n\n| place | ordering | partner | model |\n|---|---|---|---|\n";
        disagreements(&format!("{head}{rows}\n\nText."), &places, &tests)
    }

    const EMPTY: &str = "| `tomb.rs` `Tomb::is_empty` | `Acquire` load | below | `retirement` |\n";
    const NEW: &str = "| `registry/tomb.rs` `Ticket::new`: made | `Relaxed` | none | none |\n";
    const DROP: &str = "| `tomb.rs` `Ticket::drop` | `Release` sub | above | `what_another_..` |\n";

    #[test]
    fn a_page_with_a_row_for_each_ordering_agrees() {
        assert_eq!(disagree(&[EMPTY, NEW, DROP].concat()), [""; 0]);
        let whole = "| `tomb.rs` | `Relaxed`, `Acquire`, `Release` | each other | none |";
        assert_eq!(disagree(whole), [""; 0]);
    }

    #[test]
    fn a_missing_row_and_one_too_many_are_told() {
        let missing = disagree(&[EMPTY, NEW].concat());
        assert_eq!(
            missing,
            ["no row for Release in registry/tomb.rs::Ticket::drop"]
        );
        let old = "| `tomb.rs` `Ticket::leave` | `Release` | none | none |\n";
        let told = disagree(&[EMPTY, NEW, DROP, old].concat());
        assert!(
            told[0].contains("Ticket::leave, which has no ordering"),
            "{told:?}"
        );
        let gone = "| `grave.rs` | `Relaxed` | none | none |\n";
        let told = disagree(&[EMPTY, NEW, DROP, gone].concat());
        assert!(told[0].contains("grave.rs"), "{told:?}");
    }

    #[test]
    fn a_path_that_is_not_there_is_told() {
        let files = ["src/registry/tomb.rs".to_owned()];
        let missing = |page| missing_paths(page, &files);
        assert_eq!(
            missing("`registry/tomb.rs`, `tomb.rs` and `registry/`, `a.b`"),
            [""; 0]
        );
        let page = "`registry/omb.rs`\n`grave/`";
        assert_eq!(missing(page), ["registry/omb.rs", "grave/"]);
    }

    #[test]
    fn another_ordering_or_an_unknown_model_is_told() {
        let weaker = DROP.replace("Release", "Relaxed");
        let told = disagree(&[EMPTY, NEW, &weaker].concat());
        assert!(
            told.len() == 2 && told[1].contains("a row says Relaxed"),
            "{told:?}"
        );
        let renamed = DROP.replace("what_another", "what_others");
        let told = disagree(&[EMPTY, NEW, &renamed].concat());
        assert_eq!(told, ["no model what_others_.."]);
    }
}
