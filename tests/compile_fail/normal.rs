//! Normalizes messages of the compiler, without the parts that other changes or machines would alter.

use std::path::Path;

/// Removes line numbers outside the case, sources of the standard library, and numbers of unlisted types. The
/// closing lines of the compiler are removed too.
pub(crate) fn of(said: &str, case: &Path) -> String {
    let case = case.to_string_lossy();
    let mut normal: Vec<_> = said
        .split("\n\n")
        .map(str::trim_end)
        .filter(|block| !is_last_word(block))
        .map(|block| diagnostic(block, &case))
        .collect();
    normal.retain(|block| !block.is_empty());
    normal.join("\n")
}

fn is_last_word(block: &str) -> bool {
    let block = block.trim_start();
    [
        "error: aborting due to",
        "Some errors have detailed",
        "For more information about",
    ]
    .iter()
    .any(|start| block.starts_with(start))
}

/// Normalizes one error or warning with its notes.
fn diagnostic(block: &str, case: &str) -> String {
    let mut place = Place::Case;
    let mut lines = Vec::new();
    let mut digits = 1;
    for line in block.lines() {
        if let Some((arrow, at)) = location(line) {
            place = Place::of(at, case);
            lines.push(format!("{arrow}{}", place.named(at)));
            continue;
        }
        if line.starts_with(char::is_alphabetic) {
            place = Place::Case;
        }
        let number = line.trim_start().split(' ').next().unwrap_or("");
        let is_numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        match place {
            // The compiler shows these sources only where they are installed.
            Place::Standard if is_numbered || line.trim_start().starts_with(['|', '.']) => {}
            Place::Elsewhere if is_numbered => {
                lines.push(line.replacen(number, &" ".repeat(number.len()), 1));
            }
            _ if says_where_a_type_is_written(line) => {}
            _ => {
                digits = digits.max(if is_numbered { number.len() } else { 1 });
                lines.push(without_count(line));
            }
        }
    }
    narrowed(&lines, digits)
}

/// The origin of the source that a diagnostic shows.
enum Place {
    Case,
    Elsewhere,
    Standard,
}

impl Place {
    fn of(at: &str, case: &str) -> Self {
        if at.starts_with(case) {
            Self::Case
        } else if at.contains("/library/") {
            Self::Standard
        } else {
            Self::Elsewhere
        }
    }

    fn named(&self, at: &str) -> String {
        let file = at.split(".rs:").next().unwrap_or(at);
        match self {
            Self::Case => at.into(),
            Self::Elsewhere => format!("{file}.rs"),
            Self::Standard => {
                let (_, file) = file.split_once("/library/").unwrap_or(("", file));
                format!("$RUST/{file}.rs")
            }
        }
    }
}

/// Splits a line with the place of a source into its arrow and the place.
fn location(line: &str) -> Option<(&str, &str)> {
    let start = line.len() - line.trim_start().len();
    ["--> ", "::: "]
        .iter()
        .find(|arrow| line[start..].starts_with(**arrow))
        .map(|arrow| line.split_at(start + arrow.len()))
}

fn says_where_a_type_is_written(line: &str) -> bool {
    line.contains("full name for the type has been written to")
        || line.contains("full type name has been written to")
        || line.contains("consider using `--verbose` to print the full type name")
}

fn without_count(line: &str) -> String {
    let counted = line.trim_start().strip_prefix("and ");
    let count = counted.and_then(|rest| rest.strip_suffix(" others"));
    match count {
        Some(count) if count.bytes().all(|byte| byte.is_ascii_digit()) => {
            line.replacen(count, "$N", 1)
        }
        _ => line.into(),
    }
}

/// Returns the lines with a margin for line numbers of `digits` digits.
fn narrowed(lines: &[String], digits: usize) -> String {
    let margin = lines.iter().find_map(|line| location(line));
    let margin = margin.map_or(0, |(arrow, _)| arrow.len() - "--> ".len());
    let surplus = " ".repeat(margin.saturating_sub(digits));
    lines.iter().fold(String::new(), |text, line| {
        text + line.strip_prefix(&surplus).unwrap_or(line).trim_end() + "\n"
    })
}

#[test]
fn line_numbers_of_other_files_are_removed() {
    let said = "\
error[E0277]: no
   --> tests/fail/a.rs:27:10
    |
 27 |         .register(x)
    |          ^^^^^^^^ not
    = help: the following other types implement trait `T`:
              A
            and 11 others
note: required by `r`
   --> src/b.rs:100:12
    |
 96 |     pub fn r()
    |            - here
...
100 |         S: T,
    |            ^ this
help: derive it
    |
  5 + #[derive(C)]
    |

error: aborting due to 1 previous error

For more information about this error, try `rustc --explain E0277`.
";
    let expected = "\
error[E0277]: no
  --> tests/fail/a.rs:27:10
   |
27 |         .register(x)
   |          ^^^^^^^^ not
   = help: the following other types implement trait `T`:
             A
           and $N others
note: required by `r`
  --> src/b.rs
   |
   |     pub fn r()
   |            - here
...
   |         S: T,
   |            ^ this
help: derive it
   |
 5 + #[derive(C)]
   |
";
    assert_eq!(of(said, Path::new("tests/fail/a.rs")), expected);
}

#[test]
fn standard_library_sources_are_named_and_not_shown() {
    let said = "\
error: no
  --> tests/fail/a.rs:2:1
   |
 2 | x
   | ^
note: here
  --> /rustc/5980/library/core/src/task.rs:407:0
   |
 7 | y
   | ^ that
   = note: more
";
    let expected = "\
error: no
 --> tests/fail/a.rs:2:1
  |
2 | x
  | ^
note: here
 --> $RUST/core/src/task.rs
  = note: more
";
    assert_eq!(of(said, Path::new("tests/fail/a.rs")), expected);
}
