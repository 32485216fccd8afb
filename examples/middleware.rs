//! Middleware written from scratch: an authorization, a gate that measures, and a few small ones.
//!
//! ```text
//! cargo run -p arcbus-examples --bin middleware
//! ```

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arcbus::{
    Command, CommandBus, Context, Error, Gate, Gated, InvalidSetting, Layer, LayerExt, Message,
    Middleware, Next, Outcome, RegistrationError, Rejection, RouteInfo, from_fn, guard, inspect,
    middleware,
};

/// Withdraws money from an account, and replies with the amount.
struct Withdraw {
    amount: u64,
}

impl Message for Withdraw {
    const NAME: &'static str = "account.withdraw";
    type Kind = Command;
    type Reply = u64;
    type Error = String;
}

/// Closes an account, which only a user with a certain role may do.
struct Close;

impl Message for Close {
    const NAME: &'static str = "account.close";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

/// The sender of a message, which travels in the message's context.
#[derive(Debug)]
struct User {
    name: &'static str,
    roles: &'static [&'static str],
}

/// An authorization, which may stop a message. Therefore it is a middleware: an `async fn` that
/// awaits the inner service.
struct Authorize {
    role: &'static str,
}

impl<M: Message<Kind = Command>> Middleware<M> for Authorize {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        let user = cx.get::<User>().ok_or(Rejection::unauthenticated())?;
        if !user.roles.contains(&self.role) {
            let reason = format!("{} is not a {}", user.name, self.role);
            return Err(Rejection::forbidden(reason).into());
        }
        next.run(msg, cx).await
    }
}

/// Counts of the outcomes of one route, with their total time.
#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    failed: AtomicU64,
    nanos: AtomicU64,
}

/// A gate that measures. It only looks before and after the inner service, so it needs no
/// `async fn` and no copy of the message.
#[derive(Debug)]
struct Measure(Arc<Counts>);

impl<M: Message> Gate<M> for Measure {
    type Pass<'a> = ();

    /// Reads the clock, so that `elapsed` later counts from here.
    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        cx.started();
        Ok(())
    }

    fn leave(&self, (): (), outcome: &Outcome<M>, cx: &Context<'_>) {
        let Counts { passed, failed, .. } = &*self.0;
        let count = if outcome.is_ok() { passed } else { failed };
        count.fetch_add(1, Relaxed);
        let nanos = u64::try_from(cx.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.nanos.fetch_add(nanos, Relaxed);
    }
}

/// The layer of [`Measure`], which creates one gate for each route, and whose clones share the
/// counts.
#[derive(Clone, Debug, Default)]
struct MeasureLayer {
    routes: Arc<Mutex<BTreeMap<&'static str, Arc<Counts>>>>,
}

impl<M: Message> Layer<M> for MeasureLayer {
    type Middleware = Gated<Measure>;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Gated<Measure>>,
    ) -> Result<Gated<Measure>, InvalidSetting> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Gated(Measure(Arc::clone(
            routes.entry(route.name()).or_default(),
        ))))
    }
}

impl MeasureLayer {
    fn print(&self) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        for (route, counts) in routes.iter() {
            let (passed, failed) = (counts.passed.load(Relaxed), counts.failed.load(Relaxed));
            let time = Duration::from_nanos(counts.nanos.load(Relaxed));
            println!("{route}: {passed} passed, {failed} failed, {time:?} in total");
        }
    }
}

/// A gate that lets at most `left` messages pass.
#[derive(Debug)]
struct Quota {
    left: AtomicU64,
}

impl<M: Message> Gate<M> for Quota {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        let taken = self
            .left
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        taken.map_err(|_| Rejection::new("the day's quota is used up"))?;
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

/// The layer of [`Quota`], with one quota for each route, or with `.shared()` a single one for all
/// routes.
#[derive(Debug)]
struct QuotaLayer(u64);

impl<M: Message> Layer<M> for QuotaLayer {
    type Middleware = Gated<Quota>;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Gated<Quota>>,
    ) -> Result<Gated<Quota>, InvalidSetting> {
        Ok(Gated(Quota {
            left: AtomicU64::new(self.0),
        }))
    }
}

middleware! {
    /// Prints the sender of each message, as a middleware for every message without a written
    /// signature.
    struct Announce { prefix: &'static str }

    async fn handle<M>(self, msg, cx, next) {
        let sender = cx.get::<User>().map_or("somebody", |user| user.name);
        println!("{} {sender} sends {}", self.prefix, M::NAME);
        next.run(msg, cx).await
    }
}

/// Builds the bus, whose first layer is the outermost. A layer that is `None` is switched off, and
/// costs one branch.
fn bus(measure: Option<MeasureLayer>) -> Result<CommandBus, RegistrationError> {
    CommandBus::builder()
        .wrap(Announce { prefix: ">" })
        .layer(measure)
        .wrap(Authorize { role: "customer" })
        .layer(QuotaLayer(3).shared())
        .register(from_fn(|_: Close, _: &Context<'_>| Ok(())))
        .scope(|withdrawals| {
            withdrawals
                .wrap(guard(at_most_100))
                .wrap(inspect(print_message, print_outcome))
                .register(from_fn(|msg: Withdraw, _: &Context<'_>| Ok(msg.amount)))
        })
        .build()
}

fn at_most_100(msg: &Withdraw, _cx: &Context<'_>) -> Result<(), Rejection> {
    match msg.amount {
        0..=100 => Ok(()),
        _ => Err(Rejection::forbidden("at most 100 at a time")),
    }
}

fn print_message(msg: &Withdraw, _cx: &Context<'_>) {
    println!("  the handler withdraws {}", msg.amount);
}

fn print_outcome(outcome: &Outcome<Withdraw>, _cx: &Context<'_>) {
    println!("  the handler returns {outcome:?}");
}

/// Prints the result that the sender receives, and returns whether that was a reply.
fn send<M>(bus: &CommandBus, user: Option<User>, msg: M) -> bool
where
    M: Message<Kind = Command, Reply: Debug>,
{
    let cx = Context::new();
    let cx = match user {
        Some(user) => cx.with(user),
        None => cx,
    };
    match bus.execute_blocking_with(msg, cx) {
        Ok(reply) => println!("  ok {reply:?}"),
        Err(error) => {
            println!("  {error}");
            return false;
        }
    }
    true
}

fn print_routes(title: &str, bus: &CommandBus) {
    println!("{title}");
    for route in bus.routes() {
        println!("  {}: {}", route.name(), route.layers().join(" > "));
    }
}

/// Sends all messages, and returns the number of replies.
fn demonstrate() -> Result<usize, RegistrationError> {
    let customer = || User {
        name: "Ada",
        roles: &["customer"],
    };
    let clerk = || User {
        name: "Bob",
        roles: &["clerk"],
    };
    let measure = MeasureLayer::default();
    let bus_on = bus(Some(measure.clone()))?;
    print_routes("Layers, outermost first:", &bus_on);

    let answered = [
        send(&bus_on, None, Withdraw { amount: 10 }),
        send(&bus_on, Some(clerk()), Withdraw { amount: 10 }),
        send(&bus_on, Some(customer()), Withdraw { amount: 10 }),
        send(&bus_on, Some(customer()), Withdraw { amount: 500 }),
        send(&bus_on, Some(customer()), Close),
        send(&bus_on, Some(customer()), Close),
    ];
    measure.print();

    print_routes("\nWithout the measuring layer:", &bus(None)?);
    Ok(answered.iter().filter(|ok| **ok).count())
}

fn main() -> Result<(), RegistrationError> {
    demonstrate().map(drop)
}

#[test]
fn two_messages_pass() {
    assert_eq!(demonstrate(), Ok(2));
}
