//! The weaker forms of an ordering, and the mutants made of them.

use std::fmt;

use crate::find::{Access, Order, Place};

/// Returns the orderings next below that of the place, where `None` stands for no fence at all.
#[must_use]
pub fn weaker(place: &Place) -> Vec<Option<Order>> {
    use Order::{AcqRel, Acquire, Relaxed, Release, SeqCst};
    match (place.order, place.access) {
        (Relaxed, _) => Vec::new(),
        (Acquire | Release, Access::Fence) => vec![None],
        (Acquire | Release, _) => vec![Some(Relaxed)],
        (AcqRel, _) => vec![Some(Acquire), Some(Release)],
        (SeqCst, Access::Load | Access::Failure) => vec![Some(Acquire)],
        (SeqCst, Access::Store) => vec![Some(Release)],
        (SeqCst, Access::Update | Access::Fence | Access::Value) => vec![Some(AcqRel)],
    }
}

/// A change that weakens one ordering of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The number of the place among all places that can be weakened.
    pub number: usize,
    /// The name of the place, with its file, function and number.
    pub place: String,
    /// The kind of access that the ordering belongs to.
    pub access: Access,
    /// The ordering that the source has at this place.
    pub from: Order,
    /// The weaker ordering, or `None` to leave a fence out.
    pub to: Option<Order>,
}

impl Change {
    /// Returns the change as [`rewrite`](crate::rewrite) reads it from the environment.
    #[must_use]
    pub fn switch(&self) -> String {
        match self.to {
            Some(order) => format!("{}={order}", self.number),
            None => format!("{}=none", self.number),
        }
    }

    /// Returns the change in words, for a line of the output.
    #[must_use]
    pub fn words(&self) -> String {
        match self.to {
            Some(order) => format!("{} -> {order}", self.from),
            None => format!("{} -> none", self.from),
        }
    }
}

/// A build with one weakened ordering, or with two in one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// The name of the room that the changes are in.
    pub room: String,
    /// The one or two changes that the mutant makes.
    pub changes: Vec<Change>,
}

impl Mutant {
    /// Returns the name of the place, or the names of both places.
    #[must_use]
    pub fn place(&self) -> String {
        self.join(|change| change.place.clone())
    }

    /// Returns the names of the places with at most the last three parts of each path. So a page stays true
    /// when the groups of folders change.
    #[must_use]
    pub fn short_place(&self) -> String {
        self.join(|change| {
            let from = change.place.rmatch_indices('/').nth(2);
            change.place[from.map_or(0, |(at, _)| at + 1)..].to_owned()
        })
    }

    /// Returns the changes in words, for the output and the page.
    #[must_use]
    pub fn words(&self) -> String {
        self.join(Change::words)
    }

    /// Returns the value of the environment variable that switches the mutant on.
    #[must_use]
    pub fn switches(&self) -> String {
        let switches = self.changes.iter().map(Change::switch);
        switches.collect::<Vec<_>>().join(" ")
    }

    fn join(&self, part: impl Fn(&Change) -> String) -> String {
        let parts = self.changes.iter().map(part);
        parts.collect::<Vec<_>>().join(" and ")
    }

    /// Returns both mutants as one, if they change different places of one function.
    #[must_use]
    pub fn with(&self, other: &Self) -> Option<Self> {
        let function = |mutant: &Self| {
            let place = &mutant.changes[0].place;
            place.rsplit_once('#').map(|(name, _)| name.to_owned())
        };
        let is_pair =
            function(self) == function(other) && self.changes[0].number != other.changes[0].number;
        is_pair.then(|| Self {
            room: self.room.clone(),
            changes: [self.changes.clone(), other.changes.clone()].concat(),
        })
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.words())
    }
}

/// Returns every place that can be weakened, in the order of their numbers.
#[must_use]
pub fn weakenable(places: &[Place]) -> Vec<Place> {
    let strong = places.iter().filter(|place| !weaker(place).is_empty());
    strong.cloned().collect()
}

/// Returns the mutants of places that can be weakened, each with one change, where `room` returns the room of
/// a file.
#[must_use]
pub fn mutants(weakenable: &[Place], room: impl Fn(&str) -> Option<String>) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (number, place) in weakenable.iter().enumerate() {
        let Some(room) = room(&place.file) else {
            continue;
        };
        mutants.extend(weaker(place).into_iter().map(|to| Mutant {
            room: room.clone(),
            changes: vec![Change {
                number,
                place: place.to_string(),
                access: place.access,
                from: place.order,
                to,
            }],
        }));
    }
    mutants
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    fn mutants_of(body: &str) -> Vec<Mutant> {
        let text = format!("fn f() {{ {body} }}");
        let places = find::in_text("a.rs", &text).expect("it is Rust").places;
        mutants(&weakenable(&places), |_| Some("room".to_owned()))
    }

    fn words(body: &str) -> Vec<String> {
        let mutants = mutants_of(body);
        mutants.iter().map(Mutant::words).collect()
    }

    #[test]
    fn each_ordering_is_weakened_by_one_step() {
        assert_eq!(words("a.load(Ordering::Relaxed);"), [""; 0]);
        assert_eq!(words("a.load(Ordering::Acquire);"), ["Acquire -> Relaxed"]);
        let both = ["AcqRel -> Acquire", "AcqRel -> Release"];
        assert_eq!(words("a.swap(1, Ordering::AcqRel);"), both);
        assert_eq!(words("fence(Ordering::Acquire);"), ["Acquire -> none"]);
        assert_eq!(words("a.load(Ordering::SeqCst);"), ["SeqCst -> Acquire"]);
        assert_eq!(
            words("a.store(1, Ordering::SeqCst);"),
            ["SeqCst -> Release"]
        );
        assert_eq!(words("fence(Ordering::SeqCst);"), ["SeqCst -> AcqRel"]);
    }

    #[test]
    fn a_short_place_has_three_parts_of_the_path() {
        let mut mutant = mutants_of("a.load(Ordering::Acquire);").remove(0);
        assert_eq!(mutant.short_place(), "a.rs::f#1");
        mutant.changes[0].place = "a/b/c/d.rs::T::f#1".to_owned();
        assert_eq!(mutant.short_place(), "b/c/d.rs::T::f#1");
    }

    #[test]
    fn two_changes_of_one_function_go_together() {
        let mutants = mutants_of("a.swap(1, Ordering::AcqRel); a.load(Ordering::Acquire);");
        let [acquire, release, load] = &mutants[..] else {
            panic!("{mutants:?}");
        };
        assert_eq!(acquire.with(release), None, "of one ordering");
        let pair = release.with(load).expect("of one function");
        assert_eq!(pair.place(), "a.rs::f#1 and a.rs::f#2");
        assert_eq!(pair.switches(), "0=Release 1=Relaxed");
    }
}
