//! Completed runs of scenarios, by the names of the scenarios.

use arcbus::RegistrationError;

use super::record::Record;
use super::scenario::{SCENARIOS, Scenario};
use super::world;

#[derive(Debug)]
pub(crate) struct Runs(Vec<(&'static Scenario, Record)>);

impl Runs {
    /// Runs all scenarios with one seed.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting of a layer is out of range.
    pub(crate) fn all(seed: u64) -> Result<Self, RegistrationError> {
        Self::of_scenarios(SCENARIOS, seed)
    }

    /// Runs these scenarios with one seed.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting of a layer is out of range.
    pub(crate) fn of_scenarios(
        scenarios: impl IntoIterator<Item = &'static Scenario>,
        seed: u64,
    ) -> Result<Self, RegistrationError> {
        let run = |scenario| Ok((scenario, world::run(scenario, seed)?));
        scenarios
            .into_iter()
            .map(run)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns the record of the scenario `name`.
    ///
    /// # Panics
    ///
    /// Panics with the name of the scenario if that scenario was not run.
    pub(crate) fn of(&self, name: &str) -> &Record {
        let found = self.iter().find(|(scenario, _)| scenario.name == name);
        let (_, record) = found.unwrap_or_else(|| panic!("'{name}' was not run"));
        record
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static Scenario, &Record)> {
        self.0.iter().map(|(scenario, record)| (*scenario, record))
    }
}
