//! Display of an [`Explanation`] as a page of text.

use std::fmt;

use super::Explanation;
use super::worst::Time;
use crate::outcome::ErrorKind;
use crate::pipeline::LayerInfo;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_stack(f)?;
        self.write_worst(f)?;
        self.write_instances(f)?;
        self.write_unknown(f)?;
        self.write_warnings(f)
    }
}

/// The least width of the first column, which is as wide as the longest name.
const COLUMN: usize = 14;

impl Explanation {
    fn write_stack(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, kind) = (self.message.name(), self.kind);
        match self.layers.len() {
            0 => writeln!(f, "{name} ({kind}), through no layer:")?,
            1 => writeln!(f, "{name} ({kind}), through one layer:")?,
            n => writeln!(f, "{name} ({kind}), through {n} layers, outermost first:")?,
        }
        for layer in &self.layers {
            self.write_line(f, layer.name(), &described(layer))?;
        }
        self.write_line(f, "the handler", "")
    }

    fn write_worst(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "At worst, as set up:")?;
        let attempts = format!("{}, one after the other", self.max_attempts());
        self.write_line(f, "attempts", &attempts)?;
        self.write_line(f, "handler calls", &self.max_handler_calls().to_string())?;
        self.write_line(f, "time", &self.time())?;
        self.write_line(f, "kept", &self.kept())?;
        self.write_line(f, "errors", &self.all_errors())?;
        match self.errors_by_caller() {
            [] => Ok(()),
            errors => self.write_line(f, "by the caller", &listed(errors)),
        }
    }

    fn write_instances(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.layers.iter().filter(|layer| layer.is_shared()).count();
        if self.layers.is_empty() {
            Ok(())
        } else if shared == 0 {
            writeln!(f, "Each layer has one instance per route.")
        } else if shared == self.layers.len() {
            writeln!(f, "Each layer is shared: its routes use one instance.")
        } else {
            writeln!(
                f,
                "The routes of a shared layer use one instance; other layers have one per route."
            )
        }
    }

    fn write_unknown(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unknown() {
            [] => Ok(()),
            names => writeln!(
                f,
                "Not counted, because they state no facts: {}",
                names.join(", ")
            ),
        }
    }

    fn write_warnings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.warnings.is_empty() {
            return writeln!(f, "No dangerous order.");
        }
        self.warnings
            .iter()
            .try_for_each(|warning| writeln!(f, "Warning: {warning}"))
    }

    fn write_line(&self, f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
        if text.is_empty() {
            return writeln!(f, "  {name}");
        }
        let widths = self.layers.iter().map(|layer| layer.name().len());
        let width = widths.max().unwrap_or(0).max(COLUMN);
        writeln!(f, "  {name:width$}  {text}")
    }

    fn time(&self) -> String {
        match self.worst.time {
            Time::AtMost(time) => {
                format!("{time:?}, unless a handler computes that long without waiting")
            }
            Time::Unbounded(by) => format!(
                "as long as {by} takes: a `Timeout` outside, or the caller's deadline, limits it"
            ),
        }
    }

    fn kept(&self) -> String {
        match self.keeps() {
            Some(age) => format!("a reply may be {age:?} old"),
            None => "nothing".to_owned(),
        }
    }

    fn all_errors(&self) -> String {
        if self.worst.errors.are_all() {
            return "any".to_owned();
        }
        listed(self.errors())
    }
}

fn listed(kinds: &[ErrorKind]) -> String {
    let codes: Vec<_> = kinds.iter().map(|kind| kind.code()).collect();
    codes.join(", ")
}

/// Returns the settings of a layer as one line of text.
fn described(layer: &LayerInfo) -> String {
    let facts = layer.facts();
    let parts = [
        (!facts.note.is_empty(), facts.note.as_str()),
        (facts.live, "can be changed live"),
        (facts.shared, "shared"),
        (facts.unknown, "unknown"),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(said, _)| *said)
        .map(|(_, part)| *part)
        .collect();
    parts.join("; ")
}
