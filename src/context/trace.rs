//! W3C trace context: the `traceparent` header, parsed and written.
//!
//! Source: <https://www.w3.org/TR/trace-context/#traceparent-header>, sections 3.2 and 4.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// The caller may have recorded this trace.
const FLAG_SAMPLED: u8 = 0b0000_0001;

/// The length in bytes of a version 00 header, and the minimum of any later version.
const LENGTH: usize = 55;

/// Offset of each field in the header, where a `-` precedes every field but the first.
const VERSION_AT: usize = 0;
const TRACE_ID_AT: usize = 3;
const PARENT_ID_AT: usize = 36;
const FLAGS_AT: usize = 53;

/// The place of a dispatch in a distributed trace, as the `traceparent` header carries it.
///
/// Parsed with [`str::parse`], written with [`to_string`](ToString::to_string).
///
/// ```
/// use arcbus::TraceParent;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let caller: TraceParent = header.parse()?;
/// assert!(caller.is_sampled());
///
/// let ours = caller.child([1, 2, 3, 4, 5, 6, 7, 8]);
/// assert_eq!(ours.trace_id(), caller.trace_id());
/// assert_eq!(
///     ours.to_string(),
///     "00-4bf92f3577b34da6a3ce929d0e0e4736-0102030405060708-01",
/// );
/// # Ok::<(), arcbus::TraceParentError>(())
/// ```
// Invariant: neither id is all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
}

impl TraceParent {
    /// Creates a trace parent from its parts. Bit 0 of `flags` means "sampled", and the other bits
    /// are kept unchanged.
    ///
    /// # Errors
    ///
    /// Returns an error if an id is all zero, which the format reserves for "none".
    pub fn new(
        trace_id: [u8; 16],
        parent_id: [u8; 8],
        flags: u8,
    ) -> Result<Self, TraceParentError> {
        if trace_id == [0; 16] {
            return Err(Field::TraceId.wrong(Problem::AllZero));
        }
        if parent_id == [0; 8] {
            return Err(Field::ParentId.wrong(Problem::AllZero));
        }
        Ok(Self {
            trace_id,
            parent_id,
            flags,
        })
    }

    /// Returns the id of the whole trace, which is never all zero.
    #[must_use]
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// Returns the id of the caller's span, which is not all zero unless [`child`](Self::child) was
    /// given zeros.
    #[must_use]
    pub fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// Returns whether the caller may have recorded this trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & FLAG_SAMPLED != 0
    }

    /// Returns all eight flags, of which only bit 0, "sampled", has a meaning in version 00.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Creates a trace parent with this trace id and these flags, and the span `parent_id` as the
    /// parent.
    #[must_use]
    pub fn child(self, parent_id: [u8; 8]) -> Self {
        Self { parent_id, ..self }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trace_id = u128::from_be_bytes(self.trace_id);
        let parent_id = u64::from_be_bytes(self.parent_id);
        write!(f, "00-{trace_id:032x}-{parent_id:016x}-{:02x}", self.flags)
    }
}

/// Parses `00-<32 hex>-<16 hex>-<2 hex>`, all lower case.
///
/// A version later than 00 may continue after another `-`. As the standard asks, such a header is
/// parsed as far as version 00 goes, and only the flag "sampled" is kept.
impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(header: &str) -> Result<Self, Self::Err> {
        if header.len() < LENGTH {
            return Err(Field::Header.wrong(Problem::Length(header.len())));
        }
        let [version] = hex(header, Field::Version, VERSION_AT)?;
        check_end(header, version)?;
        separator(header, TRACE_ID_AT - 1)?;
        let trace_id = hex(header, Field::TraceId, TRACE_ID_AT)?;
        separator(header, PARENT_ID_AT - 1)?;
        let parent_id = hex(header, Field::ParentId, PARENT_ID_AT)?;
        separator(header, FLAGS_AT - 1)?;
        let [flags] = hex(header, Field::Flags, FLAGS_AT)?;
        if version > 0 && header.len() > LENGTH {
            separator(header, LENGTH)?;
        }
        Self::new(trace_id, parent_id, flags & known_flags(version))
    }
}

/// Later versions may give the other bits a meaning, which version 00 must not pass on.
fn known_flags(version: u8) -> u8 {
    if version == 0 { u8::MAX } else { FLAG_SAMPLED }
}

fn check_end(header: &str, version: u8) -> Result<(), TraceParentError> {
    match version {
        0xff => Err(Field::Version.wrong(Problem::Forbidden)),
        0 if header.len() != LENGTH => Err(Field::Header.wrong(Problem::Length(header.len()))),
        _ => Ok(()),
    }
}

fn separator(header: &str, at: usize) -> Result<(), TraceParentError> {
    if header.as_bytes()[at] == b'-' {
        return Ok(());
    }
    let found = char_at(header, at);
    Err(Field::Header.wrong(Problem::Separator { found, at }))
}

/// Parses the hexadecimal digits of `N` bytes, starting at offset `at` of the header.
fn hex<const N: usize>(header: &str, field: Field, at: usize) -> Result<[u8; N], TraceParentError> {
    let digit = |at: usize| {
        hex_digit(header.as_bytes()[at]).ok_or_else(|| {
            let found = char_at(header, at);
            field.wrong(Problem::Digit { found, at })
        })
    };
    let mut bytes = [0; N];
    for (nth, byte) in bytes.iter_mut().enumerate() {
        let high = at + 2 * nth;
        *byte = digit(high)? << 4 | digit(high + 1)?;
    }
    Ok(bytes)
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Returns the character at `at`, which is a character boundary because everything before the first
/// fault is ASCII.
fn char_at(header: &str, at: usize) -> char {
    header
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The error of an invalid `traceparent`, whose text names the field, the value and the
/// expectation.
///
/// ```
/// use arcbus::TraceParent;
///
/// let upper = "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01";
/// assert_eq!(
///     upper.parse::<TraceParent>().unwrap_err().to_string(),
///     "traceparent: trace-id: found 'B' at byte 4, expected a lower-case hex digit (0-9, a-f)",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParentError {
    field: Field,
    problem: Problem,
}

impl TraceParentError {
    /// Returns the invalid field: `header`, `version`, `trace-id`, `parent-id` or `trace-flags`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field.name()
    }
}

impl fmt::Display for TraceParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "traceparent: {}: {}", self.field(), self.problem)
    }
}

impl Error for TraceParentError {}

/// A field of the header, named as in the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Header,
    Version,
    TraceId,
    ParentId,
    Flags,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Version => "version",
            Self::TraceId => "trace-id",
            Self::ParentId => "parent-id",
            Self::Flags => "trace-flags",
        }
    }

    fn wrong(self, problem: Problem) -> TraceParentError {
        let field = self;
        TraceParentError { field, problem }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    AllZero,
    Forbidden,
    Length(usize),
    Separator { found: char, at: usize },
    Digit { found: char, at: usize },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllZero => f.write_str("found all zeros, expected at least one bit set"),
            Self::Forbidden => f.write_str("found ff, expected 00 to fe"),
            Self::Length(found) => write!(
                f,
                "found {found} bytes, expected {LENGTH} (a later version than 00 may be longer)"
            ),
            Self::Separator { found, at } => {
                write!(f, "found {found:?} at byte {at}, expected '-'")
            }
            Self::Digit { found, at } => write!(
                f,
                "found {found:?} at byte {at}, expected a lower-case hex digit (0-9, a-f)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn parse(header: &str) -> Result<TraceParent, TraceParentError> {
        header.parse()
    }

    /// Returns the header with one byte range replaced.
    fn with(at: usize, text: &str) -> String {
        let mut header = HEADER.to_owned();
        header.replace_range(at..at + text.len(), text);
        header
    }

    #[test]
    fn reads_every_field() {
        let trace = parse(HEADER).unwrap();
        assert_eq!(trace.trace_id()[..3], [0x4b, 0xf9, 0x2f]);
        assert_eq!(trace.trace_id()[15], 0x36);
        assert_eq!(trace.parent_id(), 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
        assert_eq!(trace.flags(), 1);
        assert!(trace.is_sampled());
        assert!(!parse(&with(53, "fe")).unwrap().is_sampled());
    }

    #[test]
    fn prints_what_it_read() {
        for header in [HEADER, &with(53, "00"), &with(53, "ff"), &with(3, "00")] {
            assert_eq!(parse(header).unwrap().to_string(), header);
        }
    }

    #[test]
    fn prints_leading_zeros() {
        let mut trace_id = [0; 16];
        trace_id[15] = 1;
        let trace = TraceParent::new(trace_id, [0, 0, 0, 0, 0, 0, 0, 2], 0).unwrap();
        let header = "00-00000000000000000000000000000001-0000000000000002-00";
        assert_eq!(trace.to_string(), header);
        assert_eq!(parse(header), Ok(trace));
    }

    #[test]
    fn child_keeps_trace_and_flags() {
        let trace = parse(HEADER).unwrap();
        let child = trace.child([9; 8]);
        assert_eq!(child.parent_id(), [9; 8]);
        assert_eq!(child.trace_id(), trace.trace_id());
        assert_eq!(child.flags(), trace.flags());
    }

    #[test]
    fn refuses_zero_ids() {
        assert_eq!(
            TraceParent::new([0; 16], [1; 8], 0).unwrap_err().field(),
            "trace-id"
        );
        assert_eq!(
            TraceParent::new([1; 16], [0; 8], 0).unwrap_err().field(),
            "parent-id"
        );
        assert_eq!(
            parse(&with(3, &"0".repeat(32))).unwrap_err().field(),
            "trace-id"
        );
        let error = parse(&with(36, &"0".repeat(16))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "traceparent: parent-id: found all zeros, expected at least one bit set"
        );
    }

    #[test]
    fn refuses_a_wrong_length() {
        for header in ["", "00", &HEADER[..54], &with(0, "01")[..54]] {
            let text = parse(header).unwrap_err().to_string();
            assert!(
                text.contains(&format!("found {} bytes", header.len())),
                "{text}"
            );
        }
        assert_eq!(parse(&format!("{HEADER}-")).unwrap_err().field(), "header");
        assert_eq!(parse(&format!(" {HEADER}")).unwrap_err().field(), "version");
        assert_eq!(parse(&format!("{HEADER} ")).unwrap_err().field(), "header");
    }

    #[test]
    fn names_the_field_of_a_bad_digit() {
        let table = [
            (0, "version"),
            (1, "version"),
            (3, "trace-id"),
            (34, "trace-id"),
            (36, "parent-id"),
            (51, "parent-id"),
            (53, "trace-flags"),
            (54, "trace-flags"),
        ];
        for (at, field) in table {
            for bad in ["A", "F", "g", "-", " ", "/", ":", "`"] {
                let error = parse(&with(at, bad)).unwrap_err();
                assert_eq!(error.field(), field);
                let wanted = format!("found '{bad}' at byte {at},");
                assert!(error.to_string().contains(&wanted), "{error}");
            }
        }
    }

    #[test]
    fn names_the_byte_of_a_bad_separator() {
        for at in [2, 35, 52] {
            let error = parse(&with(at, "_")).unwrap_err();
            let wanted = format!("traceparent: header: found '_' at byte {at}, expected '-'");
            assert_eq!(error.to_string(), wanted);
        }
    }

    #[test]
    fn survives_text_that_is_not_ascii() {
        for at in 0..54 {
            let error = parse(&with(at, "é")).unwrap_err();
            assert!(error.to_string().contains("'é'"), "{error}");
        }
        assert!(parse(&"é".repeat(40)).is_err());
        assert!(parse(&format!("{}é", &HEADER[..54])).is_err());
    }

    #[test]
    fn reads_later_versions_as_far_as_it_can() {
        let known = parse(HEADER).unwrap();
        assert_eq!(parse(&with(0, "01")), Ok(known));
        assert_eq!(parse(&with(0, "fe")), Ok(known));
        assert_eq!(
            parse(&format!("{}-what-may-come", with(0, "cc"))),
            Ok(known)
        );
        assert_eq!(parse(&format!("{}-", with(0, "01"))), Ok(known));
        assert_eq!(
            parse(&format!("{}.x", with(0, "01"))).unwrap_err().field(),
            "header"
        );
    }

    #[test]
    fn of_later_versions_only_the_sampled_flag_is_kept() {
        let later = with(53, "ff").replacen("00", "01", 1);
        assert_eq!(parse(&later).unwrap().flags(), 1);
    }

    #[test]
    fn refuses_version_ff() {
        assert_eq!(
            parse(&with(0, "ff")).unwrap_err().to_string(),
            "traceparent: version: found ff, expected 00 to fe"
        );
        assert_eq!(parse(&with(0, "FF")).unwrap_err().field(), "version");
    }
}
