//! [`Rejection`]: the refusal of a message by a middleware, with its kind and reason.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// The kind of a [`Rejection`], which a transport maps to a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The caller is unknown and has to sign in first (401 in HTTP).
    Unauthenticated,
    /// The caller is known, but lacks the permission (403 in HTTP).
    Forbidden,
    /// The message contradicts an earlier message (409 in HTTP).
    Conflict,
    /// The message was rejected for another reason, which the text gives.
    Other,
}

/// A deliberate refusal of a message by a middleware, before the handler ran.
///
/// One pointer wide, so that an error that carries a rejection stays small.
///
/// ```
/// use arcbus::{Rejection, RejectionKind};
///
/// let refusal = Rejection::forbidden("insufficient permissions");
/// assert_eq!(refusal.kind(), RejectionKind::Forbidden);
/// assert_eq!(refusal.to_string(), "forbidden: insufficient permissions");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Rejection {
    inner: Box<Inner>,
}

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: RejectionKind,
    reason: Cow<'static, str>,
}

impl Rejection {
    /// Rejects an unknown caller: nobody has signed in, or the credentials were not accepted.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::of(
            RejectionKind::Unauthenticated,
            "the caller is unknown".into(),
        )
    }

    /// Rejects a known caller without the permission. `reason` completes the text "forbidden: ".
    #[must_use]
    pub fn forbidden(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(RejectionKind::Forbidden, reason.into())
    }

    /// Rejects a message that contradicts an earlier one. `reason` completes the text "conflict: ".
    #[must_use]
    pub fn conflict(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(RejectionKind::Conflict, reason.into())
    }

    /// Rejects a message for another reason, such as "the shop is closed".
    #[must_use]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(RejectionKind::Other, reason.into())
    }

    /// Returns the kind of this rejection, which a transport maps to a status.
    #[must_use]
    pub fn kind(&self) -> RejectionKind {
        self.inner.kind
    }

    /// Returns the reason in words, as the display of the rejection writes it.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.inner.reason
    }

    fn of(kind: RejectionKind, reason: Cow<'static, str>) -> Self {
        let inner = Box::new(Inner { kind, reason });
        Self { inner }
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.kind())
            .field("reason", &self.reason())
            .finish()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            RejectionKind::Unauthenticated => f.write_str("unauthenticated: ")?,
            RejectionKind::Forbidden => f.write_str("forbidden: ")?,
            RejectionKind::Conflict => f.write_str("conflict: ")?,
            RejectionKind::Other => {}
        }
        f.write_str(self.reason())
    }
}

impl Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_is_one_pointer_wide() {
        assert_eq!(size_of::<Rejection>(), size_of::<usize>());
        assert_eq!(size_of::<Option<Rejection>>(), size_of::<usize>());
    }

    #[test]
    fn each_constructor_has_its_kind_and_text() {
        let table = [
            (
                Rejection::unauthenticated(),
                RejectionKind::Unauthenticated,
                "unauthenticated: the caller is unknown",
            ),
            (
                Rejection::forbidden("admins only"),
                RejectionKind::Forbidden,
                "forbidden: admins only",
            ),
            (
                Rejection::conflict("paid already"),
                RejectionKind::Conflict,
                "conflict: paid already",
            ),
            (
                Rejection::new(format!("closed until {}", 9)),
                RejectionKind::Other,
                "closed until 9",
            ),
        ];
        for (rejection, kind, text) in table {
            assert_eq!(rejection.kind(), kind);
            assert_eq!(rejection.to_string(), text);
            assert!(text.ends_with(rejection.reason()));
        }
    }

    #[test]
    fn rejections_are_equal_by_kind_and_reason() {
        assert_eq!(
            Rejection::new("closed"),
            Rejection::new(String::from("closed"))
        );
        assert_ne!(Rejection::new("closed"), Rejection::forbidden("closed"));
        assert_ne!(Rejection::new("closed"), Rejection::new("full"));
    }

    #[test]
    fn debug_of_a_rejection_hides_the_box() {
        assert_eq!(
            format!("{:?}", Rejection::new("full")),
            r#"Rejection { kind: Other, reason: "full" }"#
        );
    }

    #[test]
    fn a_rejection_is_an_error() {
        let error: Box<dyn Error + Send + Sync> = Rejection::new("full").into();
        assert!(error.downcast_ref::<Rejection>().is_some());
    }
}
