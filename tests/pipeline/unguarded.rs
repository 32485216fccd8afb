//! A layer, a middleware or a scope without a handler after it guards nothing, and is rejected.

use std::sync::Arc;

use arcbus::middleware::{
    Authorize, Bulkhead, ProductionConfig, ProductionLayers, RateLimit, Validation, When,
};
use arcbus::{
    BusBuilder, CommandBus, Context, Error, Gate, Gated, LayerExt, Layers, Message, MessageType,
    NoLayers, Outcome, Rejection, from_fn, guard,
};

use crate::acts::{Act, Actor};

type Builder = BusBuilder<arcbus::Command, NoLayers>;

/// An authorization that rejects every caller, whatever the message.
fn nobody() -> Authorize<
    impl Fn(MessageType, &Context<'_>) -> Result<(), Rejection> + Clone + Send + Sync + 'static,
> {
    Authorize::new(|_: MessageType, _: &Context<'_>| Err(Rejection::unauthenticated()))
}

fn one() -> Builder {
    CommandBus::builder().register(Actor::default())
}

/// Returns the text with which `build` and `build_strict` reject the builder. With `open`, the
/// methods `open` and `open_strict` reject the builder, too.
fn refused<S>(open: bool, make: impl Fn() -> BusBuilder<arcbus::Command, S>) -> String {
    assert_eq!(make().open().is_err(), open, "open");
    assert_eq!(make().open_strict().is_err(), open, "open_strict");
    let strict = make().build_strict().expect_err("refused").to_string();
    let text = make().build().expect_err("refused").to_string();
    assert_eq!(text, strict);
    text
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} in {text:?}");
    }
}

#[test]
fn a_layer_after_the_last_handler_is_refused_with_the_line_to_write() {
    let text = refused(false, || one().layer(nobody()));
    says(
        &text,
        &[
            "the layer `Authorize` (",
            "unguarded.rs:",
            ") has no handler below it",
            "write `.layer(Authorize..)` before `.register(..)`",
        ],
    );
}

#[test]
fn a_layer_of_a_bus_without_handlers_is_refused() {
    let text = refused(false, || CommandBus::builder().layer(Bulkhead::new(1)));
    says(&text, &["the layer `Bulkhead` ("]);
}

#[test]
fn a_wrapped_middleware_after_the_last_handler_is_refused() {
    let text = refused(false, || {
        one().wrap(guard(|_: &Act, _: &Context<'_>| Ok(())))
    });
    says(
        &text,
        &[
            "the layer `GuardGate` (",
            "write `.wrap(GuardGate..)` before `.register(..)`",
        ],
    );
}

#[test]
fn a_stack_after_the_last_handler_is_refused_with_its_layers() {
    let inner = Layers::new().layer(RateLimit::per_second(1));
    let stack = Layers::new()
        .layer(None::<Bulkhead>)
        .layer(Validation::new())
        .layers(&inner);
    let text = refused(false, || one().layers(&stack));
    says(
        &text,
        &[
            "the layers `Validation` and `RateLimit` (",
            ") have no handler below them",
            "write `.layers(&..)` before `.register(..)`",
        ],
    );
    assert!(!text.contains("Bulkhead"), "{text}");
    let preset = ProductionLayers::commands(ProductionConfig::new());
    says(&refused(false, || one().layers(&preset)), &["`Validation`"]);
}

#[test]
fn a_layer_inside_a_scope_does_not_guard_handlers_outside() {
    let text = refused(true, || {
        CommandBus::builder()
            .scope(|s| s.layer(nobody()))
            .register(Actor::default())
    });
    says(
        &text,
        &[
            "the layer `Authorize` (",
            "has no handler below it inside the scope",
            "write `.scope(|s| s.layer(Authorize..).register(..))`",
        ],
    );
}

#[test]
fn a_layer_after_the_last_handler_of_its_scope_is_refused() {
    let text = refused(true, || {
        CommandBus::builder()
            .layer(Validation::new())
            .scope(|s| s.register(Actor::default()).layer(nobody()))
    });
    says(&text, &["the layer `Authorize` ("]);
    assert!(!text.contains("Validation"), "{text}");
}

#[test]
fn a_layer_between_a_handler_and_an_empty_scope_is_refused() {
    let text = refused(true, || {
        one()
            .layer(nobody())
            .scope(|s| s.wrap(guard(|_: &Act, _: &Context<'_>| Ok(()))))
    });
    says(
        &text,
        &["the layer `Authorize` (", "the layer `GuardGate` ("],
    );
}

#[test]
fn each_layer_of_nested_scopes_without_a_handler_is_named() {
    let text = refused(true, || {
        one().scope(|s| {
            s.layer(Bulkhead::new(1))
                .scope(|t| t.layer(RateLimit::per_second(1)))
        })
    });
    says(&text, &["`Bulkhead`", "`RateLimit`"]);
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn a_handler_in_a_nested_scope_stands_below_the_layers_outside() {
    let bus = CommandBus::builder()
        .layer(Validation::new())
        .scope(|s| {
            s.layer(Bulkhead::new(1))
                .scope(|t| t.layer(nobody()).register(Actor::default()))
        })
        .build()
        .expect("all of them have a handler below them");
    let outcome = bus.execute_blocking(Act::Answer(1));
    assert!(outcome.expect_err("nobody may").is_rejected());
}

#[test]
fn an_outer_layer_is_not_covered_by_a_handler_of_an_earlier_scope() {
    let text = refused(false, || {
        CommandBus::builder()
            .scope(|s| s.register(Actor::default()))
            .layer(nobody())
    });
    says(&text, &["the layer `Authorize` ("]);
}

#[test]
fn a_scope_without_a_handler_is_refused_even_by_open() {
    let text = refused(false, || one().scope(|s| s));
    says(&text, &["the scope (", "registers no handler"]);
    let off = refused(false, || one().scope(|s| s.layer(None::<Bulkhead>)));
    says(&off, &["the scope ("]);
}

#[test]
fn nested_empty_scopes_are_reported_once() {
    let text = refused(false, || one().scope(|s| s.scope(|t| t)));
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_scope_that_returns_another_builder_is_refused() {
    let text = refused(true, || {
        one()
            .layer(nobody())
            .scope(|_| CommandBus::builder().register(Actor::default()))
    });
    says(&text, &["the scope (", "another builder", "`.scope(|s| s"]);
    let nested = refused(true, || {
        one().scope(|s| s.scope(|_| CommandBus::builder().register(Actor::default())))
    });
    says(&nested, &["another builder"]);
}

#[test]
fn a_layer_switched_off_needs_no_handler() {
    let bus = one()
        .layer(None::<Bulkhead>)
        .layer(None::<Bulkhead>.shared())
        .layer(When::new(|_: &Act, _: &Context<'_>| true, None::<Bulkhead>))
        .wrap(None::<Gated<Pass>>)
        .wrap(Gated(None::<Pass>))
        .wrap(Arc::new(None::<Gated<Pass>>))
        .wrap(Some(None::<Gated<Pass>>))
        .layers(&Layers::new().layer(None::<RateLimit>))
        .build_strict()
        .expect("all of them are off");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
}

#[test]
fn a_layer_switched_on_needs_a_handler() {
    let on = |text: String, name: &str| says(&text, &[name, "has no handler below it"]);
    on(
        refused(false, || one().layer(Some(nobody()))),
        "`Authorize`",
    );
    on(refused(false, || one().wrap(Some(Gated(Pass)))), "`Pass`");
    on(refused(false, || one().wrap(Gated(Pass))), "`Pass`");
    on(
        refused(false, || one().wrap(Arc::new(Gated(Pass)))),
        "`Pass`",
    );
    on(
        refused(false, || one().layer(nobody().shared())),
        "`Authorize`",
    );
    let when = || When::new(|_: &Act, _: &Context<'_>| true, nobody());
    on(refused(false, || one().layer(when())), "`Authorize`");
}

#[test]
fn a_mistake_of_a_handler_is_reported_first() {
    let twice = || one().register(Actor::default()).layer(nobody());
    let text = twice().build().expect_err("twice").to_string();
    says(&text, &["has a handler already"]);
    let capacity = twice().capacity(0).build().expect_err("none").to_string();
    says(&capacity, &["setting `capacity`"]);
}

#[test]
fn the_layers_of_a_registrar_may_wait_for_later_handlers() {
    let (bus, registrar) = CommandBus::builder()
        .layer(nobody())
        .open_strict()
        .expect("the registrar uses the layer");
    let batch = registrar.update(|batch| {
        batch.register(from_fn(|_: Act, _: &Context<'_>| Ok(1)));
    });
    drop(batch.expect("new"));
    let outcome = bus.execute_blocking(Act::Answer(1));
    assert!(outcome.expect_err("nobody may").is_rejected());
}

/// A middleware that lets every message pass without any change.
struct Pass;

impl<M: Message> Gate<M> for Pass {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}
