//! The options of an attribute. Each option may be set only once, and an error for an unknown option suggests
//! the nearest known name.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parse;
use syn::{Error, LitStr, Path, Result, Token};

/// Returns the name of an option, which is a single word.
///
/// # Errors
///
/// Returns an error if the option is a path of several words.
pub(crate) fn name_of(meta: &ParseNestedMeta<'_>) -> Result<Ident> {
    meta.path.require_ident().cloned()
}

/// Parses the value of an option that has one, such as `reply = u64`.
///
/// # Errors
///
/// Returns an error that shows `example` if the value is missing or cannot be parsed.
pub(crate) fn value<T: Parse>(meta: &ParseNestedMeta<'_>, example: &str) -> Result<T> {
    let option = name_of(meta)?;
    if !meta.input.peek(Token![=]) {
        let text = format!("`{option}` needs a value: write `{example}`");
        return Err(Error::new(option.span(), text));
    }
    let value = meta.value()?;
    let at = value.span();
    value.parse().map_err(|_| {
        let text = format!("this is no value of `{option}`: write `{example}`");
        Error::new(at, text)
    })
}

/// Checks that an option without a value, such as `idempotent`, stands alone.
///
/// # Errors
///
/// Returns an error if the option has a value.
pub(crate) fn alone(meta: &ParseNestedMeta<'_>) -> Result<Span> {
    let option = name_of(meta)?;
    if meta.input.is_empty() || meta.input.peek(Token![,]) {
        return Ok(option.span());
    }
    let text = format!("`{option}` takes no value: write `{option}`, or leave it out");
    Err(Error::new(option.span(), text))
}

/// Sets an option that has not been set before.
///
/// # Errors
///
/// Returns an error if the option is set already.
pub(crate) fn set<T>(slot: &mut Option<T>, meta: &ParseNestedMeta<'_>, value: T) -> Result<()> {
    if slot.replace(value).is_none() {
        return Ok(());
    }
    let option = name_of(meta)?;
    let text = format!("`{option}` is given twice: leave one of them out");
    Err(Error::new(option.span(), text))
}

/// Returns the error for an unknown option, which suggests the nearest known name.
pub(crate) fn unknown(meta: &ParseNestedMeta<'_>, known: &[&str]) -> Error {
    let Ok(option) = name_of(meta) else {
        return Error::new_spanned(&meta.path, list(known));
    };
    let text = match nearest(&option.to_string(), known) {
        Some(nearest) => format!("there is no option `{option}`: did you mean `{nearest}`?"),
        None => format!("there is no option `{option}`: {}", list(known)),
    };
    Error::new(option.span(), text)
}

fn list(known: &[&str]) -> String {
    format!("there are `{}`", known.join("`, `"))
}

/// Finds the known name with the fewest letters to change, if at least half of them stay.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distances = known.iter().map(|known| (distance(name, known), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance * 2 <= nearest.len().max(name.len())).then_some(nearest)
}

/// Counts the letters to insert, to delete or to change between two words.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, &found) in other.iter().enumerate() {
            let change = diagonal + usize::from(letter != found);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// The path of the library: `::arcbus`, or the value of the option `crate`.
#[derive(Default)]
pub(crate) struct Library(Option<Path>);

impl Library {
    /// Parses the value of `crate = ".."`.
    pub(crate) fn set(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let text: LitStr = value(meta, r#"crate = "path::to::arcbus""#)?;
        set(&mut self.0, meta, text.parse()?)
    }

    pub(crate) fn path(&self) -> TokenStream {
        match &self.0 {
            Some(path) => quote!(#path),
            None => quote!(::arcbus),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn letters_to_change_are_counted() {
        let counts = [
            ("", "", 0),
            ("name", "name", 0),
            ("nam", "name", 1),
            ("named", "name", 1),
            ("nmae", "name", 2),
            ("", "reply", 5),
            ("kitten", "sitting", 3),
        ];
        for (one, other, count) in counts {
            assert_eq!(distance(one, other), count, "{one} {other}");
            assert_eq!(distance(other, one), count, "{other} {one}");
        }
    }

    #[test]
    fn a_name_far_from_all_names_has_no_nearest_name() {
        assert_eq!(nearest("replay", &["name", "reply"]), Some("reply"));
        assert_eq!(nearest("timeout", &["name", "reply"]), None);
    }
}
