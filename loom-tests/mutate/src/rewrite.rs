//! Rewrites the source so that each ordering is looked up at run time.
//!
//! One build of the models then serves every mutant, and a mutant costs no more than a run of the models.

use crate::find::{Access, Place};

/// The environment variable that says which orderings of a build are weakened.
pub const SWITCH: &str = "ARCBUS_MUTANT";

/// Replaces the numbered places of `text` with calls of the functions in [`SUPPORT`].
#[must_use]
pub fn rewrite(text: &str, places: &[(usize, &Place)]) -> String {
    let mut places = places.to_vec();
    places.sort_by_key(|(_, place)| place.bytes.start);
    let mut new = String::with_capacity(text.len() + 64 * places.len());
    let mut end = 0;
    for (number, place) in places {
        new.push_str(&text[end..place.bytes.start]);
        let order = place.order;
        let call = match place.access {
            Access::Fence => "mutant_fence",
            _ => "mutant",
        };
        new.push_str(&format!(
            "crate::sync::{call}({number}, crate::sync::Ordering::{order})"
        ));
        end = place.bytes.end;
    }
    new + &text[end..]
}

/// The functions that are added to `src/sync/mod.rs` of the copy.
pub const SUPPORT: &str = r#"
fn weakened(place: usize) -> Option<Option<Ordering>> {
    static SWITCHES: std::sync::OnceLock<Vec<(usize, Option<Ordering>)>> = std::sync::OnceLock::new();
    let switches = SWITCHES.get_or_init(|| {
        let switches = std::env::var("ARCBUS_MUTANT").unwrap_or_default();
        let parse = |switch: &str| {
            let (place, order) = switch.split_once('=').expect("place=ordering");
            let order = match order {
                "none" => None,
                "Relaxed" => Some(Ordering::Relaxed),
                "Acquire" => Some(Ordering::Acquire),
                "Release" => Some(Ordering::Release),
                "AcqRel" => Some(Ordering::AcqRel),
                other => panic!("no ordering: {other}"),
            };
            (place.parse().expect("a number"), order)
        };
        switches.split_whitespace().map(parse).collect()
    });
    let switch = switches.iter().find(|switch| switch.0 == place);
    switch.map(|switch| switch.1)
}

pub(crate) fn mutant(place: usize, ordering: Ordering) -> Ordering {
    match weakened(place) {
        Some(weaker) => weaker.expect("only a fence can be left out"),
        None => ordering,
    }
}

#[allow(dead_code)]
#[track_caller]
pub(crate) fn mutant_fence(place: usize, ordering: Ordering) {
    match weakened(place) {
        Some(None) => {}
        Some(Some(weaker)) => fence(weaker),
        None => fence(ordering),
    }
}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    fn rewritten(text: &str) -> String {
        let places = find::in_text("a.rs", text).expect("it is Rust").places;
        let numbered = places.iter().enumerate().collect::<Vec<_>>();
        rewrite(text, &numbered)
    }

    #[test]
    fn orderings_and_fences_are_replaced_and_nothing_else() {
        let text =
            "fn f() { /* ä */ a.store(load(), Ordering::Release); fence(Ordering::Acquire) }";
        let expected = "fn f() { /* ä */ a.store(load(), crate::sync::mutant(0, crate::sync::Ordering::Release)); \
                        crate::sync::mutant_fence(1, crate::sync::Ordering::Acquire) }";
        assert_eq!(rewritten(text), expected);
        syn::parse_file(&rewritten(text)).expect("it is Rust");
    }

    #[test]
    fn what_is_added_is_rust_and_reads_the_switch() {
        syn::parse_file(SUPPORT).expect("it is Rust");
        assert!(SUPPORT.contains(SWITCH));
    }
}
