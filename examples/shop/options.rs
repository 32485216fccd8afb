//! The command line.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::Failure;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Usage: shop [--print] [--verbose] FILE

Dispatches the commands and queries in FILE, one JSON object a line, to a shop
in memory, and prints a summary. FILE may be `-` for standard input.

Options:
  --print     print each outcome with its line number
  --verbose   print every line that holds no message, not only the first three
  -h, --help  print this

Lines that hold no message are reported on standard error with their numbers.
Exit code: 0, or 2 if the input cannot be read or the options are wrong.
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Help,
    Serve(Options),
}

/// Selects the lines to print besides the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Show {
    /// The outcome of each line.
    pub(crate) outcomes: bool,
    /// Every line that holds no message, and not only the first few.
    pub(crate) every_complaint: bool,
}

/// How to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) show: Show,
    pub(crate) source: Source,
}

/// Where the lines come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
}

impl Options {
    /// The failure to read the source.
    pub(super) fn unreadable(&self, error: io::Error) -> Failure {
        let name = match &self.source {
            Source::Stdin => "standard input".into(),
            Source::File(path) => format!("'{}'", path.display()),
        };
        Failure::Unreadable(name, error)
    }
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Action, String> {
    let (mut show, mut source, mut only_files) = (Show::default(), None, false);
    for arg in args {
        match arg.to_str() {
            Some("--") if !only_files => only_files = true,
            Some("-h" | "--help") if !only_files => return Ok(Action::Help),
            Some("--print") if !only_files => show.outcomes = true,
            Some("--verbose") if !only_files => show.every_complaint = true,
            Some(text) if is_option(text) && !only_files => {
                return Err(format!("unknown option '{text}'"));
            }
            _ if source.is_some() => return Err("more than one FILE".into()),
            _ => source = Some(source_of(arg)),
        }
    }
    let source = source.ok_or("no FILE")?;
    Ok(Action::Serve(Options { show, source }))
}

fn is_option(text: &str) -> bool {
    text.starts_with('-') && text != "-"
}

fn source_of(arg: OsString) -> Source {
    if arg == "-" {
        Source::Stdin
    } else {
        Source::File(arg.into())
    }
}
