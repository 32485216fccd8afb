//! The layers of a route: order, scopes, instances, and layers that are switched off.

use std::marker::PhantomData;
use std::sync::Arc;

use acts::{Act, Actor, Steps, each_lane, layers};
use arcbus::{
    Command, CommandBus, Context, Gated, InvalidSetting, Layer, LayerExt, Layers, Message,
    Middleware, Next, Outcome, Rejection, RouteInfo, from_fn, guard, inspect, middleware,
    static_bus,
};

use crate::acts;
use crate::marks::{Closed, Mark, MarkGate, MarkLayer};

/// A second message, to check layers that differ between routes.
#[derive(Clone)]
struct Other;

impl Message for Other {
    const NAME: &'static str = "other";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

/// A third message, whose handler stands in the innermost scope.
struct Inmost;

impl Message for Inmost {
    const NAME: &'static str = "inmost";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

fn other() -> impl arcbus::Handler<Other> {
    from_fn(|_: Other, _cx: &Context<'_>| Ok(()))
}

#[test]
fn the_first_layer_of_any_kind_is_the_outermost() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .wrap(Gated(MarkGate("a", steps.clone())))
        .wrap(Mark("b", steps.clone()))
        .wrap(Gated(MarkGate("c", steps.clone())))
        .wrap(Mark("d", steps.clone()))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    for outcome in each_lane(&bus, Act::Answer(1)) {
        assert_eq!(outcome, Ok(1));
    }
    let one = "a> b> c> d> handle <d <c:ok -c <b <a:ok -a";
    assert_eq!(steps.take(), format!("{one} {one}"));
    assert_eq!(layers(&bus), ["MarkGate", "Mark", "MarkGate", "Mark"]);
}

#[test]
fn a_static_bus_runs_its_layers_in_the_order_of_a_bus() {
    static_bus! {
        struct Acts: Command {
            act: Act => Actor,
        }
    }
    let steps = Steps::default();
    let layers = Layers::new()
        .wrap(Mark("a", steps.clone()))
        .wrap(Gated(MarkGate("b", steps.clone())));
    let bus = Acts::with_layers(&layers, Actor(steps.clone()));
    let expected = "a> b> handle <b:ok -b <a";
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(steps.take(), expected);
    assert_eq!(acts::ready(bus.execute(Act::Answer(1))), Some(Ok(1)));
    assert_eq!(steps.take(), expected);
}

#[test]
fn a_route_gets_the_layers_above_it_only() {
    let steps = Steps::default();
    let (bus, _registrar) = CommandBus::builder()
        .register(other())
        .wrap(Mark("above", steps.clone()))
        .register(Actor(steps.clone()))
        .wrap(Mark("below", steps.clone()))
        .open()
        .expect("two names");
    assert_eq!(bus.execute_blocking(Other), Ok(()));
    assert_eq!(steps.take(), "");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(steps.take(), "above> handle <above");
}

#[test]
fn a_scope_adds_layers_inside_the_ones_above_and_ends() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .wrap(Mark("all", steps.clone()))
        .scope(|scope| {
            scope
                .wrap(Mark("scope", steps.clone()))
                .scope(|inner| {
                    let inner = inner.wrap(Mark("inner", steps.clone()));
                    inner.register(from_fn(|_: Inmost, _: &Context<'_>| Ok(())))
                })
                .register(Actor(steps.clone()))
        })
        .register(other())
        .build()
        .expect("three names");
    assert_eq!(bus.execute_blocking(Inmost), Ok(()));
    assert_eq!(steps.take(), "all> scope> inner> <inner <scope <all");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(steps.take(), "all> scope> handle <scope <all");
    assert_eq!(bus.execute_blocking(Other), Ok(()));
    assert_eq!(steps.take(), "all> <all");
}

#[test]
fn a_layer_makes_one_instance_for_each_route() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .layer(MarkLayer(steps.clone()))
        .register(Actor(steps.clone()))
        .register(other())
        .build()
        .expect("two names");
    assert_eq!(steps.take(), "act other");
    assert_eq!(bus.execute_blocking(Other), Ok(()));
    assert_eq!(steps.take(), "other> <other:ok -other");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(steps.take(), "act> handle <act:ok -act");
}

#[test]
fn a_shared_layer_makes_one_instance_for_all_routes() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .layer(MarkLayer(steps.clone()).shared())
        .register(Actor(steps.clone()))
        .register(other())
        .build()
        .expect("two names");
    assert_eq!(steps.take(), "act");
    assert_eq!(bus.execute_blocking(Other), Ok(()));
    assert_eq!(steps.take(), "act> <act:ok -act");
    assert_eq!(layers(&bus), ["MarkLayer"]);
}

/// A middleware whose type is different for each type of message.
struct Typed<M>(PhantomData<fn(M)>);

impl<M: Message> Middleware<M> for Typed<M> {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        next.run(msg, cx).await
    }
}

/// A layer that notes each route for which it makes a middleware.
struct TypedLayer(Steps);

impl<M: Message> Layer<M> for TypedLayer {
    type Middleware = Typed<M>;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Typed<M>>,
    ) -> Result<Typed<M>, InvalidSetting> {
        self.0.note(route.name());
        Ok(Typed(PhantomData))
    }
}

#[test]
fn a_shared_layer_makes_one_instance_for_each_type_of_middleware() {
    let steps = Steps::default();
    let (bus, registrar) = CommandBus::builder()
        .layer(TypedLayer(steps.clone()).shared())
        .register(Actor::default())
        .register(other())
        .open()
        .expect("two names");
    let _ = registrar.replace(other()).expect("registered");
    assert_eq!(steps.take(), "act other", "the second one is used again");
    assert_eq!(bus.execute_blocking(Other), Ok(()));
}

#[test]
fn a_none_layer_neither_runs_nor_is_listed() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .layer(None::<MarkLayer>)
        .layer(None::<MarkLayer>.shared())
        .wrap(None::<Mark>)
        .wrap(None::<Gated<MarkGate>>)
        .wrap(Gated(None::<MarkGate>))
        .wrap(Arc::new(None::<Mark>))
        .wrap(Some(None::<Mark>))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    assert_eq!(layers(&bus), [""; 0]);
    for outcome in each_lane(&bus, Act::Answer(1)) {
        assert_eq!(outcome, Ok(1));
    }
    assert_eq!(steps.take(), "handle handle");
}

#[test]
fn a_some_layer_is_listed_by_its_own_name() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .layer(Some(MarkLayer(steps.clone())))
        .wrap(Some(Mark("a", steps.clone())))
        .wrap(Some(Gated(MarkGate("b", steps.clone()))))
        .wrap(Gated(Some(MarkGate("c", steps.clone()))))
        .wrap(Arc::new(Mark("d", steps.clone())))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    assert_eq!(steps.take(), "act");
    assert_eq!(
        layers(&bus),
        ["MarkLayer", "Mark", "MarkGate", "MarkGate", "Mark"]
    );
    let one = "act> a> b> c> d> handle <d <c:ok -c <b:ok -b <a <act:ok -act";
    for outcome in each_lane(&bus, Act::Answer(1)) {
        assert_eq!(outcome, Ok(1));
    }
    assert_eq!(steps.take(), format!("{one} {one}"));
}

#[test]
fn a_registrar_adds_layers_inside_its_own() {
    let steps = Steps::default();
    let (bus, registrar) = CommandBus::builder()
        .wrap(Mark("outer", steps.clone()))
        .open()
        .expect("empty");
    registrar
        .wrap(Mark("inner", steps.clone()))
        .register(Actor(steps.clone()))
        .expect("new");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(steps.take(), "outer> inner> handle <inner <outer");
    let _ = registrar.replace(Actor(steps.clone())).expect("registered");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(steps.take(), "outer> handle <outer");
}

#[test]
fn a_guard_refuses_by_its_closure() {
    let steps = Steps::default();
    let refusal = || Rejection::forbidden("at most 100");
    let bus = CommandBus::builder()
        .wrap(guard(move |msg: &Act, _cx: &Context<'_>| match msg {
            Act::Answer(101..) => Err(refusal()),
            _ => Ok(()),
        }))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    for outcome in each_lane(&bus, Act::Answer(101)) {
        assert_eq!(outcome, Err(refusal().into()));
    }
    assert_eq!(steps.take(), "");
    assert_eq!(bus.execute_blocking(Act::Answer(100)), Ok(100));
    assert_eq!(layers(&bus), ["GuardGate"]);
}

#[test]
fn inspect_sees_the_message_and_the_outcome() {
    let steps = Steps::default();
    let (before, after) = (steps.clone(), steps.clone());
    let bus = CommandBus::builder()
        .wrap(inspect(
            move |msg: &Act, _cx: &Context<'_>| before.note(format!("{msg:?}")),
            move |outcome: &Outcome<Act>, _cx: &Context<'_>| after.note(format!("{outcome:?}")),
        ))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    assert_eq!(bus.execute_blocking(Act::Answer(7)), Ok(7));
    assert_eq!(steps.take(), "Answer(7) handle Ok(7)");
    assert!(bus.execute_blocking(Act::Fail).is_err());
    assert_eq!(steps.take(), r#"Fail handle Err(Handler("failed"))"#);
    assert_eq!(layers(&bus), ["InspectGate"]);
}

middleware! {
    /// Notes each message that passes, before and after, under a name.
    struct Named { name: &'static str, steps: Steps }

    async fn handle<M>(self, msg, cx, next) {
        self.steps.note(format!("{}:{}", self.name, M::NAME));
        next.run(msg, cx).await
    }
}

middleware! {
    struct Nothing;

    async fn handle<M>(self, msg, cx, next) {
        next.run(msg, cx).await
    }
}

#[test]
fn the_macro_makes_a_middleware_for_every_message() {
    let steps = Steps::default();
    let named = Named {
        name: "macro",
        steps: steps.clone(),
    };
    let bus = CommandBus::builder()
        .wrap(named)
        .wrap(Nothing)
        .register(Actor(steps.clone()))
        .register(other())
        .build()
        .expect("two names");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(bus.execute_blocking(Other), Ok(()));
    assert_eq!(steps.take(), "macro:act handle macro:other");
    assert_eq!(layers(&bus), ["Named", "Nothing"]);
}

/// A type inside a generic block has a path that begins with the block's arguments.
#[test]
fn every_active_layer_is_listed_by_name() {
    struct Host<T>(T);
    trait Build {
        fn bus(self) -> CommandBus;
    }
    impl<T: Send + 'static> Build for Host<T> {
        fn bus(self) -> CommandBus {
            struct Option;
            impl<M: Message> Middleware<M> for Option {
                async fn handle(
                    &self,
                    msg: M,
                    cx: &Context<'_>,
                    next: &impl Next<M>,
                ) -> Outcome<M> {
                    next.run(msg, cx).await
                }
            }
            drop(self.0);
            CommandBus::builder()
                .wrap(Option)
                .wrap(Gated(Closed))
                .register(Actor::default())
                .build()
                .expect("one name")
        }
    }
    let bus = Host(1).bus();
    let [option, closed] = layers(&bus)[..] else {
        panic!("two layers: {:?}", layers(&bus));
    };
    assert!(option.ends_with("Option"), "{option}");
    assert_eq!(closed, "Closed");
}
