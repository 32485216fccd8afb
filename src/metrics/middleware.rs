//! [`MetricsMiddleware`]: the adapter.

use crate::context::Context;
use crate::message::Message;
use crate::metrics::Recorder;
use crate::outcome::{Error, ErrorKind, Outcome};
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

/// A dispatch that has begun, and when. Dropped, it counts as dropped.
struct Begun<'r, 'c> {
    recorder: &'r Recorder,
    cx: &'c Context<'c>,
    at: u64,
}

impl Drop for Begun<'_, '_> {
    /// Reads the clock anew: an attempt further in may have ended before.
    #[cold]
    fn drop(&mut self) {
        let nanos = self.cx.clock().ticks().wrapping_sub(self.at);
        self.recorder.fail(ErrorKind::Dropped, nanos);
    }
}

impl Meter<'_> {
    /// Counts it as dropped where the message's own `classify` panics.
    #[cold]
    fn fail<M: Message>(self, begun: Begun<'_, '_>, error: &Error<M::Error>) {
        let kind = ErrorKind::of::<M>(error);
        let nanos = begun.cx.done_tick().wrapping_sub(begun.at);
        std::mem::forget(begun);
        self.0.fail(kind, nanos);
    }
}

impl<'r, 'c, M: Message> Entry<'c, M> for Meter<'r> {
    type Pass = Begun<'r, 'c>;

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &'c Context<'c>) -> Result<Begun<'r, 'c>, Error<M::Error>> {
        let at = cx.entry_tick();
        self.0.start();
        Ok(Begun {
            recorder: self.0,
            cx,
            at,
        })
    }

    #[inline(always)]
    fn leave(&self, begun: Begun<'r, 'c>, outcome: &Outcome<M>, cx: &'c Context<'c>) {
        match outcome {
            Ok(_) => {
                let at = begun.at;
                std::mem::forget(begun);
                self.0.reply(cx.done_tick().wrapping_sub(at));
                if !cx.is_of_handler() {
                    self.0.substitute(cx.source());
                }
            }
            Err(error) => self.fail::<M>(begun, error),
        }
    }
}

debug_name!(MetricsMiddleware, "MetricsMiddleware");
