//! A backend's bad day in virtual time: what each policy does for its callers, and for the backend.
//!
//! ```text
//! cargo run --release -p arcbus-examples --bin simulation -- [--seed N] [--out src/docs/plots]
//! ```
//!
//! Real buses with real layers in front of a simulated backend, on a [`FakeClock`](arcbus::FakeClock):
//! where everybody waits, time jumps to the next event. Prints what came of each scenario and whether the
//! figures are what is asked of them; with `--out`, draws the plots of the page `docs::simulation`, which
//! says what is to be seen. The same seed gives the same figures, to the last digit.
//!
//! | file | is |
//! |---|---|
//! | `scenario.rs` | the table of what is run: begin here |
//! | `timeline.rs`, `backend.rs` | what the backend goes through, and how it behaves |
//! | `world.rs`, `executor.rs`, `random.rs` | the simulation |
//! | `naive.rs` | a retry as it should not be |
//! | `record.rs`, `spectrum.rs`, `figures.rs` | what is measured, and what is asked |
//! | `runs.rs`, `report.rs`, `plots.rs`, `svg.rs`, `options.rs` | a program like any other |

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) mod backend;
pub(crate) mod executor;
pub(crate) mod figures;
pub(crate) mod naive;
pub(crate) mod options;
pub(crate) mod plots;
pub(crate) mod random;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod runs;
pub(crate) mod scenario;
pub(crate) mod spectrum;
pub(crate) mod svg;
#[cfg(test)]
mod tests;
pub(crate) mod timeline;
pub(crate) mod world;

use figures::Figure;
use options::{Action, USAGE};
use runs::Runs;

fn main() -> ExitCode {
    let args = std::env::args_os().skip(1);
    ExitCode::from(run(args, &mut io::stdout(), &mut io::stderr()))
}

/// The whole program; gives its exit code.
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    match act(args, out) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            // Nobody is left to be told if that fails, too.
            let _ = writeln!(err, "simulation: {error}");
            2
        }
    }
}

fn act(
    args: impl IntoIterator<Item = OsString>,
    out: &mut impl Write,
) -> Result<bool, Box<dyn Error>> {
    match options::parse(args)? {
        Action::Help => write!(out, "{USAGE}")?,
        Action::Run { seed, out: folder } => return simulate(seed, folder, out),
    }
    Ok(true)
}

/// Whether all figures are what is asked.
fn simulate(
    seed: u64,
    folder: Option<PathBuf>,
    out: &mut impl Write,
) -> Result<bool, Box<dyn Error>> {
    let runs = Runs::all(seed)?;
    report::write_runs(out, &runs)?;
    let figures = figures::figures(&runs);
    report::write_figures(out, &figures)?;
    if let Some(folder) = folder {
        plots::write(&plots::plots(&runs), &folder)?;
    }
    Ok(figures.iter().all(Figure::holds))
}
