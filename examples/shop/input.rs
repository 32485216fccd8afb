//! Input: from bytes to lines, and from a line to a message.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::str;

use serde::{Deserialize, de::DeserializeOwned};

/// Length of the longest line, in bytes. A longer line is skipped without being kept in memory.
pub(crate) const LONGEST_LINE: usize = 64 * 1024;
/// Length of the longest quotation of invalid input, in characters.
const LONGEST_QUOTE: usize = 160;

/// Reads lines and numbers them, with a limit on their length.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
}

/// A single line, without white space at its ends.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// The number of the line, from 1 up.
    pub(crate) number: u64,
    pub(crate) text: Result<&'a str, Malformed>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// Reads the next line, if there is one. The line borrows from the reader, so this type is no
    /// iterator.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let mut head = self.reader.by_ref().take(LONGEST_LINE as u64 + 1);
        if head.read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Line {
            number: self.number,
            text: self.text()?,
        }))
    }

    fn text(&mut self) -> io::Result<Result<&str, Malformed>> {
        if self.buffer.len() > LONGEST_LINE && !self.buffer.ends_with(b"\n") {
            self.reader.skip_until(b'\n')?;
            return Ok(Err(Malformed::TooLong));
        }
        Ok(text_of(&self.buffer))
    }
}

fn text_of(bytes: &[u8]) -> Result<&str, Malformed> {
    let text = str::from_utf8(bytes).map_err(|error| Malformed::NotUtf8 {
        column: error.valid_up_to() + 1,
    })?;
    // Some text editors begin a file with a byte order mark.
    Ok(text.trim_start_matches('\u{feff}').trim())
}

/// The part that all messages share, which names the message.
#[derive(Deserialize)]
#[serde(expecting = "an object with a \"type\"")]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
}

/// Returns the name of the message in a line.
pub(crate) fn message_name(line: &str) -> Result<Cow<'_, str>, Malformed> {
    if !line.starts_with('{') {
        return Err(Malformed::NotJson("expected an object".into()));
    }
    let head: Head<'_> = serde_json::from_str(line)?;
    Ok(head.name)
}

/// Parses the message in a line, whose name is already known.
pub(crate) fn message<M: DeserializeOwned>(line: &str) -> Result<M, Malformed> {
    Ok(serde_json::from_str(line)?)
}

/// The reason why a line contains no message, with a quotation of the invalid part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    TooLong,
    NotUtf8 { column: usize },
    NotJson(String),
    UnknownMessage(String),
    BadFields(String),
}

impl Malformed {
    /// Returns a short stable name of the reason, for the report.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotJson(_) => "not_json",
            Self::UnknownMessage(_) => "unknown_message",
            Self::BadFields(_) => "bad_fields",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {LONGEST_LINE} bytes"),
            Self::NotUtf8 { column } => write!(f, "not UTF-8, column {column}"),
            Self::NotJson(reason) => write!(f, "not JSON: {reason}"),
            Self::UnknownMessage(name) => write!(f, "unknown message {:?}", quote(name)),
            Self::BadFields(reason) => write!(f, "bad fields: {reason}"),
        }
    }
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        let reason = reason_of(&error);
        if error.is_data() {
            Self::BadFields(reason)
        } else {
            Self::NotJson(reason)
        }
    }
}

/// Returns serde's text without its line number, since each line is parsed alone and is serde's
/// line 1.
fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(reason, _)| reason);
    format!("{}, column {}", quote(reason), error.column())
}

fn quote(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}
