//! An outage of a backend in virtual time, with the effect of each policy on callers and backend.
//!
//! ```text
//! cargo run --release -p arcbus-examples --bin simulation -- [--seed N] [--out src/docs/plots]
//! ```
//!
//! Real buses with real layers call a simulated backend, on a [`FakeClock`](arcbus::FakeClock).
//! When everything waits, time jumps to the next event. The program prints the outcome of each
//! scenario, and whether the required figures are met. With `--out`, it draws the plots of the page
//! `docs::simulation`, which explains them. Runs with equal seeds produce equal figures, to the
//! last digit.
//!
//! | file | contents |
//! |---|---|
//! | `scenario.rs` | the table of the scenarios: begin here |
//! | `timeline.rs`, `backend.rs` | the phases of an outage, and the behaviour of the backend |
//! | `world.rs`, `executor.rs`, `random.rs` | the simulation |
//! | `naive.rs` | a retry that does harm |
//! | `record.rs`, `spectrum.rs`, `figures.rs` | the measurements, and the required figures |
//! | `runs.rs`, `report.rs`, `plots.rs`, `svg.rs`, `options.rs` | the other parts of the program |

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

/// Runs the whole program, and returns its exit code.
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    match act(args, out) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            // If this output fails as well, there is no place left to report to.
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

/// Runs all scenarios, and returns whether all required figures are met.
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
