//! Runs models, with and without a mutant.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::mutation::Mutant;
use crate::rewrite::SWITCH;
use crate::tree::output;

/// The longest time of a model with a mutant, besides ten times its time without.
const LIMIT: Duration = Duration::from_secs(20);
/// The longest time of a model without a mutant.
const UNMUTATED: Duration = Duration::from_secs(600);

/// A model that passes without a mutant.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name of the file.
    pub file: String,
    /// The name of the test.
    pub name: String,
    /// The program it is in.
    pub program: PathBuf,
    /// How long it takes.
    pub took: Duration,
    /// How many executions it explores.
    pub executions: u64,
}

/// The end of a model that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It passed.
    Passed,
    /// It failed, with this message.
    Failed(String),
    /// It failed for a reason that proves nothing against a mutant: a state that it counts was not seen, or
    /// it had more steps than `loom` goes.
    Unclear(String),
    /// It took too long.
    Endless,
}

impl Model {
    /// Runs every model of a program without a mutant. A test that should panic is a weakened twin, and says
    /// nothing of a mutant.
    ///
    /// # Errors
    ///
    /// One of them does not pass.
    pub fn of_program(file: &str, program: &Path, log: &Path) -> Fallible<Vec<Self>> {
        let tests = output(Command::new(program).arg("--list"))?;
        let names = tests.lines().filter_map(|line| line.strip_suffix(": test"));
        let mut models = Vec::new();
        for name in names {
            let began = Instant::now();
            let end = run(program, name, "", UNMUTATED, log)?;
            let said = fs::read_to_string(log)?;
            if end != End::Passed {
                return Err(format!("{name} fails without a mutant:\n{said}").into());
            }
            if said.contains(&format!("test {name} - should panic ... ")) {
                continue;
            }
            models.push(Self {
                file: file.to_owned(),
                name: name.to_owned(),
                program: program.to_path_buf(),
                took: began.elapsed(),
                executions: executions(&said),
            });
        }
        Ok(models)
    }

    /// Runs the model with a mutant.
    ///
    /// # Errors
    ///
    /// It cannot be run.
    pub fn with(&self, mutant: &Mutant, log: &Path) -> Fallible<End> {
        let limit = LIMIT + 10 * self.took;
        run(&self.program, &self.name, &mutant.switches(), limit, log)
    }
}

fn run(program: &Path, test: &str, switches: &str, limit: Duration, log: &Path) -> Fallible<End> {
    let out = File::create(log)?;
    let mut child = Command::new(program)
        .args([test, "--exact", "--nocapture"])
        .env(SWITCH, switches)
        .env("RUST_BACKTRACE", "0")
        .env_remove("ARCBUS_LOOM_FULL")
        .stdin(Stdio::null())
        .stderr(out.try_clone()?)
        .stdout(out)
        .spawn()?;
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            let said = String::from_utf8_lossy(&fs::read(log)?).into_owned();
            return Ok(judge(status.success(), &said));
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Ok(End::Endless);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn judge(success: bool, said: &str) -> End {
    if success {
        return match said.contains("1 passed") {
            true => End::Passed,
            false => End::Unclear("the program has no such model".to_owned()),
        };
    }
    let message = message(said);
    match message.contains("never seen: ")
        || message.contains("exceeded maximum number of branches")
    {
        true => End::Unclear(message),
        false => End::Failed(message),
    }
}

/// Returns the line after `panicked at`.
fn message(said: &str) -> String {
    let mut lines = said
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    lines
        .nth(1)
        .unwrap_or("it ended without a word")
        .trim()
        .to_owned()
}

/// Adds up the counts that `explore` prints, as `name: 24 runs in 1.7ms; ..`.
fn executions(said: &str) -> u64 {
    let counts = said.lines().filter_map(|line| line.split_once(" runs in "));
    let numbers = counts.filter_map(|(before, _)| before.rsplit(' ').next()?.parse::<u64>().ok());
    numbers.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_fails_proves_something_unless_it_missed_a_state() {
        let panicked =
            |message: &str| format!("thread 'a' panicked at tests/a.rs:1:2:\n{message}\nnote: b");
        let failed = judge(false, &panicked("a permit was lost"));
        assert_eq!(failed, End::Failed("a permit was lost".to_owned()));
        let missed = panicked("adaptive, tries: never seen: one refused");
        assert!(matches!(judge(false, &missed), End::Unclear(_)));
        let branches = panicked("Model exceeded maximum number of branches. ..");
        assert!(matches!(judge(false, &branches), End::Unclear(_)));
        assert_eq!(
            judge(true, "test result: ok. 1 passed; 0 failed"),
            End::Passed
        );
        assert!(matches!(judge(true, "ok. 0 passed"), End::Unclear(_)));
    }

    #[test]
    fn executions_are_read_from_what_a_model_prints() {
        let said =
            "\nadaptive, falls: 24 runs in 1.7ms; fell 6\nadaptive, grows: 6 runs in 1ms; \n";
        assert_eq!((executions(said), executions("nothing")), (30, 0));
    }
}
