//! [`Violations`]: every fault of an invalid message at once, each with its field.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// A fault of a message: the field, a code for programs and a text for people.
///
/// ```
/// use arcbus::Violation;
///
/// let fault = Violation::new("age", "min", "must be at least 18");
/// assert_eq!(fault.to_string(), "age: must be at least 18 (min)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    field: Cow<'static, str>,
    code: Cow<'static, str>,
    text: Cow<'static, str>,
}

impl Violation {
    /// Describes a fault, with the arguments of [`Violations::add`].
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: field.into(),
            code: code.into(),
            text: text.into(),
        }
    }

    /// Returns the field at fault, in the message's own terms, such as `address.street`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns a short and stable code of the broken rule, such as `min`, on which programs match.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns the broken rule in words, such as `must be at least 18`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.field, self.text, self.code)
    }
}

/// Every fault found in a message, in the order in which they were added.
///
/// One pointer wide, so that an error that carries violations stays small. An empty list owns no
/// memory, so validating a sound message allocates nothing.
///
/// ```
/// use arcbus::Violations;
///
/// fn validate(email: &str, age: u8) -> Result<(), Violations> {
///     let mut found = Violations::new();
///     if !email.contains('@') {
///         found.add("email", "email", "must contain '@'");
///     }
///     if age < 18 {
///         found.add("age", "min", "must be at least 18");
///     }
///     found.into_result()
/// }
///
/// assert!(validate("ada@example.org", 36).is_ok());
/// assert_eq!(
///     validate("ada", 7).unwrap_err().to_string(),
///     "2 violations: email: must contain '@' (email); age: must be at least 18 (min)",
/// );
/// ```
#[derive(Clone, Default)]
pub struct Violations {
    list: Option<Box<List>>,
}

/// The list of violations, boxed so that an owner is one pointer wide.
#[derive(Clone, Default)]
struct List(Vec<Violation>);

impl Violations {
    /// Creates an empty list without an allocation.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: None }
    }

    /// Adds a fault: the field's name, a short stable code for programs and a text for people.
    pub fn add(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        text: impl Into<Cow<'static, str>>,
    ) -> &mut Self {
        self.push(Violation::new(field, code, text));
        self
    }

    /// Adds a fault by value, with the arguments of [`add`](Self::add).
    ///
    /// ```
    /// use arcbus::Violations;
    ///
    /// let faults = Violations::new().with("name", "required", "must not be empty");
    /// assert_eq!(faults.len(), 1);
    /// ```
    #[must_use]
    pub fn with(
        mut self,
        field: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.add(field, code, text);
        self
    }

    /// Returns whether the message was found valid so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Returns the number of violations found so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Returns the violations, in the order in which they were added.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.as_slice().iter()
    }

    /// Ends a validation, with `Ok` if there are no violations.
    ///
    /// # Errors
    ///
    /// Returns the list itself if there are any violations.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    fn push(&mut self, fault: Violation) {
        self.list.get_or_insert_default().0.push(fault);
    }

    fn as_slice(&self) -> &[Violation] {
        self.list.as_deref().map_or(&[], |list| &list.0)
    }
}

impl PartialEq for Violations {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Violations {}

impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Violations")?;
        f.debug_list().entries(self).finish()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len() {
            0 => return f.write_str("no violations"),
            1 => f.write_str("1 violation")?,
            many => write!(f, "{many} violations")?,
        }
        for (nth, fault) in self.iter().enumerate() {
            let separator = if nth == 0 { ": " } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl Error for Violations {}

impl Extend<Violation> for Violations {
    fn extend<I: IntoIterator<Item = Violation>>(&mut self, faults: I) {
        faults.into_iter().for_each(|fault| self.push(fault));
    }
}

impl FromIterator<Violation> for Violations {
    fn from_iter<I: IntoIterator<Item = Violation>>(faults: I) -> Self {
        let mut list = Self::new();
        list.extend(faults);
        list
    }
}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.map_or_else(Vec::new, |list| list.0).into_iter()
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Violations {
        Violations::new()
            .with("email", "email", "must contain '@'")
            .with("age", "min", "must be at least 18")
    }

    #[test]
    fn violations_are_one_pointer_wide() {
        assert_eq!(size_of::<Violations>(), size_of::<usize>());
    }

    #[test]
    fn an_empty_list_is_ok_and_displays_so() {
        let none = Violations::new();
        assert!(none.is_empty());
        assert_eq!(none.len(), 0);
        assert_eq!(none.to_string(), "no violations");
        assert_eq!(none.into_result(), Ok(()));
    }

    #[test]
    fn into_result_keeps_every_fault() {
        assert_eq!(two().into_result(), Err(two()));
    }

    #[test]
    fn display_lists_every_violation() {
        assert_eq!(
            two().to_string(),
            "2 violations: email: must contain '@' (email); age: must be at least 18 (min)"
        );
        let one = Violations::new().with("age", "min", "must be at least 18");
        assert_eq!(
            one.to_string(),
            "1 violation: age: must be at least 18 (min)"
        );
    }

    #[test]
    fn debug_shows_the_faults() {
        let text = format!("{:?}", two());
        assert!(text.starts_with("Violations[Violation {"), "{text}");
        assert!(text.contains("must be at least 18"), "{text}");
    }

    #[test]
    fn add_chains_and_takes_owned_text() {
        let mut found = Violations::new();
        found
            .add(format!("tags[{}]", 3), "length", "at most 8 characters")
            .add("tags", String::from("count"), format!("at most {}", 5));
        let fields: Vec<_> = found.iter().map(Violation::field).collect();
        assert_eq!(fields, ["tags[3]", "tags"]);
        assert_eq!(found.iter().nth(1).map(Violation::code), Some("count"));
        assert_eq!(found.iter().nth(1).map(Violation::text), Some("at most 5"));
    }

    #[test]
    fn violations_are_collected_from_an_iterator_and_back() {
        let again: Violations = two().into_iter().collect();
        assert_eq!(again, two());
        let mut both = two();
        both.extend(two());
        assert_eq!(both.len(), 4);
        assert_eq!((&both).into_iter().count(), 4);
        assert_eq!(Violations::new().into_iter().count(), 0);
    }

    #[test]
    fn violations_are_equal_by_faults_and_order() {
        let turned: Violations = two().into_iter().rev().collect();
        assert_ne!(turned, two());
        assert_eq!(
            std::iter::empty().collect::<Violations>(),
            Violations::new()
        );
    }

    #[test]
    fn violations_are_an_error() {
        let error: Box<dyn Error + Send + Sync> = Box::new(two());
        assert!(error.source().is_none());
        assert!(error.to_string().starts_with("2 violations"));
    }
}
