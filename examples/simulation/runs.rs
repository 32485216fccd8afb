//! All scenarios, run.

use arcbus::RegistrationError;

use super::record::Record;
use super::scenario::{self, SCENARIOS, Scenario};
use super::world;

/// The records of all scenarios.
#[derive(Debug)]
pub(crate) struct Runs(Vec<(&'static Scenario, Record)>);

impl Runs {
    /// Runs them all.
    ///
    /// # Errors
    ///
    /// If a setting of a layer is out of range.
    pub(crate) fn new(seed: u64) -> Result<Self, RegistrationError> {
        let run = |scenario| Ok((scenario, world::run(scenario, seed)?));
        SCENARIOS.iter().map(run).collect::<Result<_, _>>().map(Self)
    }

    /// The record of the scenario `name`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn of(&self, name: &str) -> &Record {
        let found = self.iter().find(|(scenario, _)| scenario.name == name);
        found.map(|(_, record)| record).unwrap_or_else(|| {
            panic!("there is no scenario '{}'", scenario::find(name).name);
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static Scenario, &Record)> {
        self.0.iter().map(|(scenario, record)| (*scenario, record))
    }
}
