//! [`MetricsGate`]: the recorder around a handler.

use crate::context::Context;
use crate::message::Message;
use crate::metrics::Recorder;
use crate::outcome::{Error, ErrorKind, Outcome};
use crate::pipeline::Gate;
use crate::sync::{PlainArc, unless_done};

/// Records when each dispatch begins and how it ends. Made by [`MetricsLayer`](super::MetricsLayer).
pub struct MetricsGate {
    recorder: PlainArc<Recorder>,
}

impl MetricsGate {
    pub(super) fn new(recorder: PlainArc<Recorder>) -> Self {
        Self { recorder }
    }

    /// Counts a dispatch as dropped where the message's own `classify` panics.
    #[cold]
    fn fail<M: Message>(&self, began: u64, error: &Error<M::Error>, cx: &Context<'_>) {
        let kind = unless_done(|| ErrorKind::of::<M>(error), || self.dropped(began, cx));
        let nanos = cx.done_tick().wrapping_sub(began);
        self.recorder.fail(kind, nanos);
    }

    /// Reads the clock anew, because an inner attempt may have ended before.
    #[cold]
    fn dropped(&self, began: u64, cx: &Context<'_>) {
        let nanos = cx.clock().ticks().wrapping_sub(began);
        self.recorder.fail(ErrorKind::Dropped, nanos);
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Gate<M> for MetricsGate {
    /// The tick at which the dispatch began.
    type Pass<'a> = u64;

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<u64, Error<M::Error>> {
        let began = cx.entry_tick();
        self.recorder.start();
        Ok(began)
    }

    #[inline(always)]
    fn leave(&self, began: u64, outcome: &Outcome<M>, cx: &Context<'_>) {
        match outcome {
            Ok(_) => {
                self.recorder.reply(cx.done_tick().wrapping_sub(began));
                if !cx.is_of_handler() {
                    self.recorder.substitute(cx.source());
                }
            }
            Err(error) => self.fail::<M>(began, error, cx),
        }
    }

    fn abandon(&self, began: u64, cx: &Context<'_>) {
        self.dropped(began, cx);
    }
}

debug_name!(MetricsGate, "MetricsGate");
