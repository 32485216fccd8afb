//! [`by_garde`]: checks the rules that stand as attributes on the fields of a message.

use std::borrow::Cow;
use std::fmt::Display;

use garde::Validate;
use garde::i18n::{
    DefaultI18n, I18n, InvalidCreditCard, InvalidEmail, InvalidPhoneNumber, InvalidUrl, IpKind,
    with_i18n,
};

use crate::outcome::Violations;

/// Checks the rules that `#[derive(garde::Validate)]` found on the fields. Call this function in the
/// [`validate`](crate::Message::validate) of a message.
///
/// The field of a violation is garde's path (`address.street`, `tags[3]`), and its text is garde's text.
/// Its code is the name of the rule: `required`, `min` and `max` (of a range), `min_length`,
/// `max_length`, `email`, `url`, `pattern`, `contains`, `prefix`, `suffix`, `matches`, `ascii`,
/// `alphanumeric`, `ip`, `phone_number`, `credit_card`, and `custom` for a rule of your own. The
/// violations are in the order of their fields' names.
///
/// ```
/// use arcbus::middleware::validation::by_garde;
/// use arcbus::{Command, Message, Violation, Violations};
///
/// #[derive(garde::Validate)]
/// struct CreateUser {
///     #[garde(email)]
///     email: String,
///     #[garde(range(min = 18))]
///     age: u8,
/// }
///
/// impl Message for CreateUser {
///     const NAME: &'static str = "user.create";
///     type Kind = Command;
///     type Reply = u64;
///     type Error = std::convert::Infallible;
///
///     fn validate(&self) -> Result<(), Violations> {
///         by_garde(self)
///     }
/// }
///
/// let invalid = CreateUser { email: "nobody".into(), age: 7 };
/// let violations = Message::validate(&invalid).unwrap_err();
/// let codes: Vec<_> = violations.iter().map(|v| (v.field(), v.code())).collect();
/// assert_eq!(codes, [("age", "min"), ("email", "email")]);
/// ```
///
/// # Errors
///
/// Returns every rule that does not hold, as a violation.
pub fn by_garde<T: Validate<Context = ()>>(value: &T) -> Result<(), Violations> {
    match with_i18n(WithCode, || value.validate()) {
        Ok(()) => Ok(()),
        Err(report) => Err(violations(&report)),
    }
}

#[cold]
fn violations(report: &garde::Report) -> Violations {
    let mut violations = Violations::new();
    for (path, error) in report.iter() {
        let message = error.message();
        let (code, text) = message.split_once(SEPARATOR).unwrap_or(("custom", message));
        violations.add(path.to_string(), code.to_owned(), text.to_owned());
    }
    violations
}

/// Separates the name of a rule from garde's text, and is not part of any sensible text.
const SEPARATOR: char = '\u{1f}';

/// Puts the name of the rule before garde's own text, because garde keeps nothing else of the rule.
struct WithCode;

fn with_code(code: &str, text: &str) -> Cow<'static, str> {
    format!("{code}{SEPARATOR}{text}").into()
}

macro_rules! with_codes {
    ($($code:literal $rule:ident($($name:ident: $type:ty)?);)*) => {
        impl I18n for WithCode {
            $(
                fn $rule(&self $(, $name: $type)?) -> Cow<'static, str> {
                    with_code($code, &DefaultI18n.$rule($($name)?))
                }
            )*
        }
    };
}

with_codes! {
    "min_length" length_lower_than(min: usize);
    "max_length" length_greater_than(max: usize);
    "min" range_lower_than(min: &dyn Display);
    "max" range_greater_than(max: &dyn Display);
    "credit_card" credit_card_invalid(reason: InvalidCreditCard);
    "pattern" pattern_no_match(pattern: &dyn Display);
    "contains" contains_missing(pattern: &dyn Display);
    "url" url_invalid(reason: InvalidUrl);
    "prefix" prefix_missing(pattern: &dyn Display);
    "suffix" suffix_missing(pattern: &dyn Display);
    "phone_number" phone_number_invalid(reason: InvalidPhoneNumber);
    "ip" ip_invalid(kind: IpKind);
    "matches" matches_field_mismatch(field: &dyn Display);
    "email" email_invalid(reason: InvalidEmail);
    "ascii" ascii_invalid();
    "alphanumeric" alphanumeric_invalid();
    "required" required_not_set();
}
