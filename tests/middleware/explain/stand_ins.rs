//! Layers without behaviour, which only state their role and their figures.

use arcbus::{
    Context, Error, Facts, Gate, Gated, InvalidSetting, Layer, Message, Outcome, Query, Role,
    RouteInfo,
};

pub(super) struct Ask;

impl Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = Query;
    type Reply = u8;
    type Error = String;
}

/// The middleware of all these layers, which passes every message through.
pub(super) struct Through;

impl<M: Message> Gate<M> for Through {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

macro_rules! stand_ins {
    ($($role:ident)*) => {
        $(
            #[derive(Clone)]
            pub(super) struct $role(pub(super) Facts);

            impl<M: Message> Layer<M> for $role {
                type Middleware = Gated<Through>;
                const ROLE: Role = Role::$role;

                fn middleware(
                    &self,
                    _route: &RouteInfo,
                    _previous: Option<&Gated<Through>>,
                ) -> Result<Gated<Through>, InvalidSetting> {
                    Ok(Gated(Through))
                }

                fn facts(&self) -> Facts {
                    self.0.clone()
                }
            }
        )*

        /// A layer without behaviour for each name that a rule mentions.
        #[allow(non_snake_case)]
        pub(super) mod plain {
            $(
                pub(in super::super) fn $role() -> super::$role {
                    super::$role(arcbus::Facts::new())
                }
            )*
        }
    };
}

stand_ins! {
    AdaptiveLimit Authorize Bulkhead Cache Chaos CircuitBreaker Coalesce Fallback Hedge Idempotency
    KeyedRateLimit Metrics Other RateLimit Retry Timeout Trace Validation
}
