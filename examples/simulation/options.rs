//! The command line: options, and the text that explains them.

use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
Usage: simulation [--seed N] [--out DIR]

Runs the scenarios in virtual time, and prints their outcomes and whether the
required figures are met.

Options:
  --seed N    seed of the random events; default 1
  --out DIR   write the plots to this folder
  -h, --help  print this

Exit code: 0; 1 if a required figure is not met; 2 if the options are wrong or
the plots cannot be written.
";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Help,
    Run { seed: u64, out: Option<PathBuf> },
}

/// Parses the arguments after the program's name.
///
/// # Errors
///
/// Returns a text that names the first unknown option or invalid number.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Action, String> {
    let mut args = args.into_iter();
    let (mut seed, mut out) = (1, None);
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("-h" | "--help") => return Ok(Action::Help),
            Some("--seed") => seed = number(args.next())?,
            Some("--out") => out = Some(args.next().ok_or("--out needs a DIR")?.into()),
            _ => return Err(format!("unknown option '{}'", arg.display())),
        }
    }
    Ok(Action::Run { seed, out })
}

fn number(arg: Option<OsString>) -> Result<u64, String> {
    let arg = arg.ok_or("--seed needs a number")?;
    let number = arg.to_str().and_then(|arg| arg.parse().ok());
    number.ok_or_else(|| format!("'{}' is no number", arg.display()))
}
