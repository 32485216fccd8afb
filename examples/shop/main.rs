//! A shop behind a command bus and a query bus.
//!
//! ```text
//! cargo run --release -p arcbus-examples --bin shop -- examples/data/shop.jsonl
//! ```
//!
//! The program reads one JSON object a line, each a command or a query whose `"type"` is the
//! message's name:
//!
//! ```text
//! {"type":"user.create","name":"Ada Byron","email":"ada@example.org"}
//! {"type":"order.place","user":1,"product":7,"quantity":2}
//! {"type":"order.list","user":1}
//! ```
//!
//! The messages are dispatched to a store in memory, and the program prints their outcomes. Read
//! the files in this order:
//!
//! | file | shows |
//! |---|---|
//! | `messages.rs` | messages with typed replies, a typed error and validation |
//! | `handlers.rs` | handlers of several messages, a nested dispatch |
//! | `layers.rs`, `buses.rs` | a gate with its layer, scopes with a `guard` and an `inspect`, two buses |
//! | `clerk.rs` | the loop: from a line to an outcome |
//! | `model.rs`, `store.rs`, `input.rs`, `report.rs`, `options.rs` | a program like any other |

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;

pub(crate) mod buses;
pub(crate) mod clerk;
pub(crate) mod handlers;
pub(crate) mod input;
pub(crate) mod layers;
pub(crate) mod messages;
pub(crate) mod model;
pub(crate) mod options;
pub(crate) mod report;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use clerk::Clerk;
use options::{Action, Options, Source, USAGE};

fn main() -> ExitCode {
    let args = std::env::args_os().skip(1);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut err = io::stderr().lock();
    ExitCode::from(run(args, io::stdin().lock(), &mut out, &mut err))
}

/// Runs the whole program, and returns its exit code: 0 on success, or 2 if a failure stopped the
/// program.
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    stdin: impl BufRead,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    let done = act(args, stdin, out, err).and_then(|()| out.flush().map_err(Failure::Write));
    match done {
        Ok(()) => 0,
        Err(failure) if failure.is_closed_pipe() => 0,
        Err(failure) => {
            // If this output fails as well, there is no place left to report to.
            let _ = writeln!(err, "shop: {failure}");
            2
        }
    }
}

fn act(
    args: impl IntoIterator<Item = OsString>,
    stdin: impl BufRead,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Failure> {
    match options::parse(args).map_err(Failure::Usage)? {
        Action::Help => out.write_all(USAGE.as_bytes()).map_err(Failure::Write),
        Action::Serve(options) => match &options.source {
            Source::Stdin => serve(stdin, &options, out, err),
            Source::File(path) => {
                let file = File::open(path).map_err(|error| options.unreadable(error))?;
                serve(BufReader::new(file), &options, out, err)
            }
        },
    }
}

/// Serves every line, then prints the summary, even if the input failed half way.
fn serve(
    input: impl BufRead,
    options: &Options,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Failure> {
    let mut clerk = Clerk::new(options.show).map_err(Failure::Shop)?;
    let served = clerk.serve(input, out, err);
    let report = clerk.into_report();
    if served.is_ok() || !report.is_empty() {
        write!(out, "{report}").map_err(Failure::Write)?;
    }
    served.map_err(|failure| match failure {
        Failure::Read(error) => options.unreadable(error),
        other => other,
    })
}

/// The failure that stopped the program, whose text goes to the error output.
#[derive(Debug)]
pub(crate) enum Failure {
    Usage(String),
    Unreadable(String, io::Error),
    Read(io::Error),
    Write(io::Error),
    Shop(arcbus::RegistrationError),
}

impl Failure {
    /// Returns whether the reader of the output has closed the pipe (`shop .. | head`).
    fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(reason) => write!(f, "{reason}\n\n{}", USAGE.trim_end()),
            Self::Unreadable(name, error) => write!(f, "cannot read {name}: {error}"),
            Self::Read(error) => write!(f, "cannot read the input: {error}"),
            Self::Write(error) => write!(f, "cannot write the output: {error}"),
            Self::Shop(error) => write!(f, "cannot open the shop: {error}"),
        }
    }
}
