//! [`MetricsMiddleware`]: the adapter.

use std::fmt;

use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::message::Message;
use crate::metrics::{FailureKind, InFlight, Recorder};
use crate::pipeline::{Entry, Middleware, through_entry};
use crate::sync::PlainArc;

/// What [`MetricsLayer`](super::MetricsLayer) makes.
pub struct MetricsMiddleware {
    recorder: PlainArc<Recorder>,
}

impl MetricsMiddleware {
    pub(super) fn new(recorder: PlainArc<Recorder>) -> Self {
        Self { recorder }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Middleware<M> for MetricsMiddleware {
    through_entry!(this => Meter(&this.recorder));
}

#[derive(Clone, Copy)]
struct Meter<'r>(&'r Recorder);

/// A dispatch that has begun, and when.
struct Begun<'r> {
    dispatch: InFlight<'r>,
    at: u64,
}

impl<'r, 'c, M: Message> Entry<'c, M> for Meter<'r> {
    type Pass = Begun<'r>;

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &'c Context<'c>) -> Result<Begun<'r>, Error<M::Error>> {
        Ok(Begun {
            at: cx.entry_tick(),
            dispatch: self.0.start(),
        })
    }

    #[inline(always)]
    fn leave(&self, begun: Begun<'r>, outcome: &Outcome<M>, cx: &'c Context<'c>) {
        match outcome {
            Ok(_) => {
                begun.dispatch.reply(cx.done_tick().wrapping_sub(begun.at));
                if !cx.is_of_handler() {
                    self.0.substitute(cx.source());
                }
            }
            Err(error) => begun.dispatch.fail(FailureKind::of::<M>(error)),
        }
    }
}

impl fmt::Debug for MetricsMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsMiddleware")
    }
}
