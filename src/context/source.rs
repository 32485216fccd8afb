//! [`Source`]: the origin of a reply.

macro_rules! sources {
    ($($(#[$doc:meta])* $source:ident $name:literal,)*) => {
        /// The origin of a reply: see [`Context::source`](super::Context::source). The metrics
        /// count it and a trace shows it, so that a substitute is never mistaken for the handler's
        /// reply.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Source {
            $($(#[$doc])* $source,)*
        }

        impl Source {
            /// All sources.
            pub const ALL: &[Self] = &[$(Self::$source,)*];

            /// Returns the name of the source, as in the label of a metric.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$source => $name,)*
                }
            }
        }
    };
}

sources! {
    /// The handler, in this dispatch.
    #[default]
    Handler "handler",
    /// A [`Fallback`](crate::middleware::Fallback), after the handler failed.
    Fallback "fallback",
    /// A [`Cache`](crate::middleware::Cache), with an earlier reply that is still fresh.
    Cache "cache",
    /// A [`Cache`](crate::middleware::Cache), with an earlier reply that has expired.
    Stale "stale",
    /// Another dispatch with this key, which the caller waited for.
    Coalesced "coalesced",
    /// An [`Idempotency`](crate::middleware::Idempotency) layer, with the reply of the first run
    /// with this key.
    Replay "replay",
}

impl Source {
    /// Returns the source of this reply for a dispatch that has waited for it.
    pub(crate) fn passed_on(self) -> Self {
        match self {
            Self::Handler => Self::Coalesced,
            other => other,
        }
    }

    /// Returns the source with this number.
    #[inline(always)]
    pub(super) fn of(number: u64) -> Self {
        match Self::ALL.get(number as usize) {
            Some(source) => *source,
            None => Self::Handler,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    #[test]
    fn every_source_has_its_number() {
        for (number, source) in Source::ALL.iter().enumerate() {
            assert_eq!(
                (*source as usize, Source::of(number as u64)),
                (number, *source)
            );
        }
    }

    #[test]
    fn a_source_is_told_outwards_and_not_to_another_dispatch() {
        let clock = crate::FakeClock::new().clock();
        let cx = Context::root(&clock);
        let mut nested = cx.nested();
        nested.begin(&clock).expect("no limit");
        nested.attempt_number(2).derive().answered_by(Source::Cache);
        assert_eq!(
            (nested.source(), cx.source()),
            (Source::Cache, Source::Handler)
        );
        let attempt = cx.attempt_number(7);
        attempt.derive().answered_by(Source::Fallback);
        assert_eq!((attempt.attempt(), attempt.derive().attempt()), (7, 7));
        assert_eq!((cx.attempt(), cx.source()), (1, Source::Fallback));
        assert_eq!(attempt.detach().attempt(), 7);
    }
}
