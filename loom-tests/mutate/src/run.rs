//! Runs models as separate programs, with and without a mutant.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::mutation::Mutant;
use crate::rewrite::SWITCH;
use crate::tree::output;

/// The time limit of a model with a mutant, in addition to ten times its time without a mutant.
const LIMIT: Duration = Duration::from_secs(20);
/// The time limit of a model that is run without a mutant.
const UNMUTATED: Duration = Duration::from_secs(600);

/// A model that passes without a mutant, and can be run with one.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name of the file in `loom-tests/tests/`, without the ending.
    pub file: String,
    /// The name of the test function, as the test program lists it.
    pub name: String,
    /// The path of the test program that contains the model.
    pub program: PathBuf,
    /// The time that the model takes without a mutant, which sets its limit with one.
    pub took: Duration,
    /// The number of executions that the model explores, or 0 if not counted.
    pub executions: u64,
}

/// The result of a model that was run, with or without a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The model passed, so that a mutant survives this model.
    Passed,
    /// The model failed with this message, so that a mutant is killed.
    Failed(String),
    /// The model failed for a reason that proves nothing against a mutant. Either a counted state was not
    /// seen, or there were more steps than `loom` explores.
    Unclear(String),
    /// The model exceeded its time limit and was stopped.
    Endless,
}

impl Model {
    /// Runs every test of a program without a mutant, and returns the models. Leaves out tests that should
    /// panic, because they are weakened twins and say nothing about a mutant.
    ///
    /// # Errors
    ///
    /// Fails if a test does not pass, with everything that it printed.
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

    /// Runs the model with a mutant, up to the time limit.
    ///
    /// # Errors
    ///
    /// Fails if the program of the model cannot be run.
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

/// Returns the line after `panicked at`, which is the message of the panic.
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

/// Adds up the counts that `explore` prints, in lines such as `name: 24 runs in 1.7ms; ..`.
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
