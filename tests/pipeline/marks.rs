//! Layers of both kinds that note when a message passes them.

use acts::{Noted, Steps};
use arcbus::{
    Context, Error, Gate, Gated, InvalidSetting, Layer, Message, Middleware, Next, Outcome,
    Rejection, RouteInfo,
};

use crate::acts;

/// A gate that notes `name>` and `<name`, and `-name` when its pass is dropped.
#[derive(Clone)]
pub(crate) struct MarkGate(pub(crate) &'static str, pub(crate) Steps);

/// A pass of a [`MarkGate`], which notes its own drop.
pub(crate) struct MarkPass {
    _noted: Noted,
}

impl<M: Message> Gate<M> for MarkGate {
    type Pass<'a> = MarkPass;

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<MarkPass, Error<M::Error>> {
        self.1.note(format!("{}>", self.0));
        Ok(MarkPass {
            _noted: Noted(self.1.clone(), format!("-{}", self.0)),
        })
    }

    fn leave(&self, _pass: MarkPass, outcome: &Outcome<M>, _cx: &Context<'_>) {
        let how = match outcome {
            Ok(_) => "ok",
            Err(error) if error.is_rejected() => "rejected",
            Err(error) if error.is_panicked() => "panicked",
            Err(error) if error.is_handler() => "failed",
            Err(_) => "other",
        };
        self.1.note(format!("<{}:{how}", self.0));
    }
}

/// A gate that rejects every message.
pub(crate) struct Closed;

impl<M: Message> Gate<M> for Closed {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        Err(Rejection::new("closed").into())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {
        unreachable!("nothing passes");
    }
}

/// A middleware that notes `name>` before and `<name` after the inner service.
#[derive(Clone)]
pub(crate) struct Mark(pub(crate) &'static str, pub(crate) Steps);

impl<M: Message> Middleware<M> for Mark {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        self.1.note(format!("{}>", self.0));
        let outcome = next.run(msg, cx).await;
        self.1.note(format!("<{}", self.0));
        outcome
    }
}

/// A layer that makes a gate for each route, and notes the route's name.
pub(crate) struct MarkLayer(pub(crate) Steps);

impl<M: Message> Layer<M> for MarkLayer {
    type Middleware = Gated<MarkGate>;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Gated<MarkGate>>,
    ) -> Result<Gated<MarkGate>, InvalidSetting> {
        self.0.note(route.name());
        Ok(Gated(MarkGate(route.name(), self.0.clone())))
    }
}
