//! The output of a run, and the page `loom-tests/README.md` that is made of this output.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::mutation::Mutant;
use crate::run::Model;

/// The verdict on a mutant, after its models were run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These models failed, and further models were not run unless all were asked for.
    Killed(Vec<String>),
    /// No model failed, and `rooms.toml` gives this reason.
    Explained(String),
    /// No model failed and no reason is given. The text holds the messages of models that neither passed nor
    /// failed.
    Unexplained(String),
}

/// A mutant that was run, with its verdict and the time that took.
#[derive(Clone, Debug)]
pub struct Row {
    /// The mutant that the models were run with.
    pub mutant: Mutant,
    /// The verdict of the models of the room on the mutant.
    pub verdict: Verdict,
    /// The time that all models together took with this mutant.
    pub took: Duration,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, by) = match &self.verdict {
            Verdict::Killed(models) => ("killed", models.join(", ")),
            Verdict::Explained(_) => ("EXPLAINED", "rooms.toml".to_owned()),
            Verdict::Unexplained(said) => ("SURVIVED", said.clone()),
        };
        let seconds = self.took.as_secs_f64();
        let uses = self
            .mutant
            .changes
            .iter()
            .map(|change| change.access.to_string());
        let uses = uses.collect::<Vec<_>>().join(" and ");
        let (place, words) = (self.mutant.place(), self.mutant.words());
        write!(f, "{word:9}  {place}  {uses} {words}  {by}  {seconds:.1} s")
    }
}

/// The number of mutants for each verdict, as the last line prints them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    killed: usize,
    explained: usize,
    unexplained: usize,
}

impl Totals {
    /// Counts the verdicts of all rows, separately for each kind of verdict.
    #[must_use]
    pub fn of(rows: &[Row]) -> Self {
        let mut totals = Self::default();
        for row in rows {
            match row.verdict {
                Verdict::Killed(_) => totals.killed += 1,
                Verdict::Explained(_) => totals.explained += 1,
                Verdict::Unexplained(_) => totals.unexplained += 1,
            }
        }
        totals
    }

    /// Returns whether every mutant was killed or is explained, so that the run succeeds.
    #[must_use]
    pub fn is_good(self) -> bool {
        self.unexplained == 0
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            killed,
            explained,
            unexplained,
        } = self;
        let all = killed + explained + unexplained;
        write!(
            f,
            "{all} mutated, {killed} killed, {explained} explained, {unexplained} unexplained"
        )
    }
}

/// The line at which the generated part of the page begins.
pub const BEGIN: &str = "<!-- Written by `loom-tests/mutate.sh --readme`. -->\n";

/// Returns the page with its end, which is the generated part, replaced.
#[must_use]
pub fn page(old: &str, rows: &[Row], models: &[Model]) -> String {
    let (kept, _) = old.split_once(BEGIN).unwrap_or((old, ""));
    let mut page = format!("{}{BEGIN}\n{}.\n", kept, Totals::of(rows));
    page.push_str("\n## Models\n\n| model | property | executions | kills |\n|---|---|---|---|\n");
    let mut kills: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in rows {
        if let Verdict::Killed(by) = &row.verdict {
            for model in by {
                let (place, words) = (row.mutant.short_place(), row.mutant.words());
                let kill = format!("`{place}` {}", words.replace("->", "to"));
                kills.entry(model).or_default().push(kill);
            }
        }
    }
    for model in models {
        let property = model.name.replace('_', " ");
        let kills = kills.get(model.name.as_str());
        let kills = kills.map_or(String::new(), |kills| kills.join("; "));
        let file = &model.file;
        let executions = match model.executions {
            0 => "not counted".to_owned(),
            executions => executions.to_string(),
        };
        page.push_str(&format!(
            "| `{file}` | {property} | {executions} | {kills} |\n"
        ));
    }
    page + &survivors(rows)
}

fn survivors(rows: &[Row]) -> String {
    let mut lines = String::new();
    for row in rows {
        if let Verdict::Explained(reason) = &row.verdict {
            let (place, words) = (row.mutant.short_place(), row.mutant.words());
            let (words, reason) = (words.replace("->", "to"), reason.split_whitespace());
            let reason = reason.collect::<Vec<_>>().join(" ");
            lines.push_str(&format!("| `{place}` | {words} | {reason} |\n"));
        }
    }
    let head =
        "\n## Mutants that no model fails on\n\n| place | mutation | reason |\n|---|---|---|\n";
    match lines.is_empty() {
        true => lines,
        false => head.to_owned() + &lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find::{Access, Order};
    use crate::mutation::Change;

    fn row(verdict: Verdict) -> Row {
        let change = Change {
            number: 0,
            place: "a.rs::f#1".to_owned(),
            access: Access::Load,
            from: Order::Acquire,
            to: Some(Order::Relaxed),
        };
        let mutant = Mutant {
            room: "a".to_owned(),
            changes: vec![change],
        };
        Row {
            mutant,
            verdict,
            took: Duration::from_millis(1500),
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row(Verdict::Killed(vec!["none_is_lost".to_owned()])),
            row(Verdict::Explained("of the hardware".to_owned())),
        ]
    }

    #[test]
    fn the_last_line_says_how_many_and_fails_for_one_unexplained() {
        let mut rows = rows();
        assert!(Totals::of(&rows).is_good());
        rows.push(row(Verdict::Unexplained(String::new())));
        let totals = Totals::of(&rows);
        let expected = "3 mutated, 1 killed, 1 explained, 1 unexplained";
        assert_eq!(
            (totals.to_string().as_str(), totals.is_good()),
            (expected, false)
        );
    }

    #[test]
    fn a_row_says_place_mutation_verdict_model_and_seconds() {
        let expected = "killed     a.rs::f#1  load Acquire -> Relaxed  none_is_lost  1.5 s";
        assert_eq!(rows()[0].to_string(), expected);
    }

    #[test]
    fn the_page_keeps_its_head_and_lists_models_and_survivors() {
        let models = [Model {
            file: "slots".to_owned(),
            name: "none_is_lost".to_owned(),
            program: "slots".into(),
            took: Duration::ZERO,
            executions: 7,
        }];
        let once = page("# Models\n\nHead.\n\n", &rows(), &models);
        assert_eq!(page(&once, &rows(), &models), once);
        assert!(once.starts_with("# Models\n\nHead.\n\n<!-- "));
        assert!(once.contains("| `slots` | none is lost | 7 | `a.rs::f#1` Acquire to Relaxed |"));
        assert!(once.contains("| `a.rs::f#1` | Acquire to Relaxed | of the hardware |"));
    }
}
