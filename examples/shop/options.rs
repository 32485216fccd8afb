//! The command line: options, and the text that explains them.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::Failure;

/// The text of `--help`, which also follows an error in the arguments.
pub(crate) const USAGE: &str = "\
Usage: shop [--print] [--verbose] FILE

Dispatches the commands and queries in FILE, one JSON object a line, to a shop
in memory, and prints a summary. FILE may be `-` for standard input.

Options:
  --print     print each outcome with its line number
  --verbose   report every line without a message, not only the first three
  -h, --help  print this

Lines without a message are reported on standard error with their numbers.
Exit code: 0, or 2 if the input cannot be read or the options are wrong.
";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Help,
    Serve(Options),
}

/// The lines to print in addition to the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Show {
    /// Prints the outcome of each line, together with the line's number.
    pub(crate) outcomes: bool,
    /// Reports every malformed line, and not only the first few.
    pub(crate) every_complaint: bool,
}

/// The input to serve, and the lines to print.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) show: Show,
    pub(crate) source: Source,
}

/// The source of the input lines, which is a file or the standard input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
}

impl Options {
    /// Returns the failure to read from this source.
    pub(super) fn unreadable(&self, error: io::Error) -> Failure {
        let name = match &self.source {
            Source::Stdin => "standard input".into(),
            Source::File(path) => format!("'{}'", path.display()),
        };
        Failure::Unreadable(name, error)
    }
}

/// Parses the arguments after the program's name, or returns a text about the first invalid
/// argument.
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
