//! The file `rooms.toml`: the table of rooms, and the explanations of mutants that no model fails on.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::Fallible;
use crate::mutation::Mutant;

/// The contents of `rooms.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rooms {
    /// The rooms, which together cover every ordering of the source.
    pub room: Vec<Room>,
    /// The mutants that no model fails on, with the reasons.
    #[serde(default)]
    pub survivor: Vec<Survivor>,
}

/// A part of the source and the models that check it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// The name of the room, as given on the command line.
    pub name: String,
    /// The folders or files of the room, relative to `src/`.
    pub sources: Vec<String>,
    /// The names of the files in `loom-tests/tests/` that check the room. The list is empty if no model can
    /// reach the source.
    #[serde(default)]
    pub models: Vec<String>,
    /// Set for rooms that are run even when the changed files are not known.
    #[serde(default)]
    pub cheap: bool,
}

/// A mutant that no model fails on, with the reason why its ordering stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survivor {
    /// The name of the place, or two names joined with `and`. A path may leave out its first folders.
    pub place: String,
    /// The mutation in words, as the output prints it.
    pub mutation: String,
    /// The property of the hardware, of a library or of `loom` that requires the ordering.
    pub reason: String,
}

impl Survivor {
    /// Returns whether the explanation applies to this mutant, by its place and mutation.
    #[must_use]
    pub fn is(&self, mutant: &Mutant) -> bool {
        self.is_at(&mutant.place()) && self.mutation == mutant.words()
    }

    /// Returns whether the explanation names this place, or both of these places.
    #[must_use]
    pub fn is_at(&self, place: &str) -> bool {
        let (ours, theirs) = (self.place.split(" and "), place.split(" and "));
        let ends = |(end, place): (&str, &str)| place == end || place.ends_with(&format!("/{end}"));
        ours.clone().count() == theirs.clone().count() && ours.zip(theirs).all(ends)
    }

    /// Returns whether the explanation and this mutant share their first place.
    #[must_use]
    pub fn is_near(&self, mutant: &Mutant) -> bool {
        let first = self.place.split(" and ").next().unwrap_or_default();
        let place = mutant.place();
        place == first || place.ends_with(&format!("/{first}"))
    }
}

impl Rooms {
    /// Reads the file `rooms.toml` in the repository whose folder is `root`.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or does not have the expected fields.
    pub fn read(root: &Path) -> Fallible<Self> {
        let path = root.join("loom-tests/mutate/rooms.toml");
        Self::parse(&fs::read_to_string(path)?)
    }

    fn parse(text: &str) -> Fallible<Self> {
        let rooms: Self = toml::from_str(text)?;
        let short = |survivor: &&Survivor| survivor.reason.split_whitespace().count() < 6;
        match rooms.survivor.iter().find(short) {
            Some(survivor) => Err(format!("{}: say the reason", survivor.place).into()),
            None => Ok(rooms),
        }
    }

    /// Returns the room of a file, which is the room with the longest path that contains the file.
    #[must_use]
    pub fn of(&self, file: &str) -> Option<&Room> {
        let length = |room: &Room| {
            let sources = room.sources.iter();
            let around = sources.filter(|source| Path::new(file).starts_with(source));
            around.map(String::len).max()
        };
        let rooms = self.room.iter();
        let around = rooms.filter(|room| length(room).is_some());
        around.max_by_key(|room| length(room))
    }

    /// Returns the room of this name, if the table has one.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Room> {
        self.room.iter().find(|room| room.name == name)
    }

    /// Returns the reason why no model fails on a mutant, if the file gives one.
    #[must_use]
    pub fn reason(&self, mutant: &Mutant) -> Option<&str> {
        let survivor = self.survivor.iter().find(|survivor| survivor.is(mutant));
        survivor.map(|survivor| survivor.reason.as_str())
    }

    /// Returns the names of the rooms that the changed files of the repository belong to.
    #[must_use]
    pub fn touched(&self, changed: &[String]) -> Vec<&Room> {
        let sources = changed.iter().filter_map(|file| file.strip_prefix("src/"));
        let by_source = sources.filter_map(|file| self.of(file));
        let by_source: Vec<_> = by_source.map(|room| room.name.as_str()).collect();
        let is_changed = |model: &String| changed.contains(&format!("loom-tests/tests/{model}.rs"));
        let rooms = self.room.iter();
        let touched = rooms.filter(|room| {
            by_source.contains(&room.name.as_str()) || room.models.iter().any(is_changed)
        });
        touched.filter(|room| !room.models.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMS: &str = r#"
        [[room]]
        name = "context"
        sources = ["context"]
        models = ["waiting"]

        [[room]]
        name = "timing"
        sources = ["context/timing.rs", "random.rs"]
    "#;

    fn names(rooms: Vec<&Room>) -> Vec<&str> {
        rooms.into_iter().map(|room| room.name.as_str()).collect()
    }

    #[test]
    fn a_file_is_in_the_room_of_its_nearest_folder() {
        let rooms = Rooms::parse(ROOMS).expect("rooms");
        let name = |file| rooms.of(file).map(|room| room.name.as_str());
        assert_eq!(name("context/cancel.rs"), Some("context"));
        assert_eq!(name("context/timing.rs"), Some("timing"));
        assert_eq!(name("random.rs"), Some("timing"));
        assert_eq!(name("contexts.rs"), None);
    }

    #[test]
    fn a_change_touches_the_rooms_of_its_sources_and_models() {
        let rooms = Rooms::parse(ROOMS).expect("rooms");
        let touched = |file: &str| names(rooms.touched(&[file.to_owned()]));
        assert_eq!(touched("src/context/cancel.rs"), ["context"]);
        assert_eq!(touched("loom-tests/tests/waiting.rs"), ["context"]);
        assert_eq!(touched("src/random.rs"), [""; 0], "it has no models");
        assert_eq!(touched("README.md"), [""; 0]);
    }

    #[test]
    fn a_survivor_is_found_by_the_end_of_its_path() {
        let survivor = |place: &str| Survivor {
            place: place.to_owned(),
            mutation: String::new(),
            reason: String::new(),
        };
        assert!(survivor("b.rs::f#1").is_at("a/b.rs::f#1"));
        assert!(!survivor("b.rs::f#1").is_at("a/ab.rs::f#1"));
        assert!(survivor("b.rs::f#1 and b.rs::f#2").is_at("a/b.rs::f#1 and a/b.rs::f#2"));
        assert!(!survivor("b.rs::f#1").is_at("a/b.rs::f#1 and a/b.rs::f#2"));
    }

    #[test]
    fn a_survivor_needs_a_reason() {
        let survivor = "[[survivor]]\nplace = 'a'\nmutation = 'b'\nreason = 'because'";
        assert!(Rooms::parse(&format!("{ROOMS}\n{survivor}")).is_err());
    }
}
