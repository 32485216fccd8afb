//! A command whose handler sends a nested command that ends without a known outcome is not run
//! again.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use arcbus::middleware::{Idempotency, IdempotencyKey, Timeout};
use arcbus::{
    Class, Command, CommandBus, Context, Error, FakeClock, Handler, Message, Outcome, from_fn,
};

use super::pay::{HOUR, SECOND, keyed};

/// A command that takes money from a card.
struct Charge;

impl Message for Charge {
    const NAME: &'static str = "card.charge";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

/// A handler that charges the card and then never ends.
#[derive(Clone, Default)]
struct Card(Arc<AtomicU32>);

impl Card {
    fn charged(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Handler<Charge> for Card {
    async fn handle(&self, _: Charge, _: &Context<'_>) -> Result<(), String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        pending().await
    }
}

#[derive(Hash)]
struct Order(u32);

impl Message for Order {
    const NAME: &'static str = "order.place";
    type Kind = Command;
    type Reply = u32;
    type Error = OrderError;

    fn classify(error: &OrderError) -> Class {
        let OrderError::Charge(error) = error;
        Class::nested::<Charge>(error)
    }
}

#[derive(Debug, PartialEq)]
enum OrderError {
    Charge(Error<String>),
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Charge(error) = self;
        write!(f, "the card: {error}")
    }
}

impl From<Error<String>> for OrderError {
    fn from(error: Error<String>) -> Self {
        Self::Charge(error)
    }
}

/// A handler of orders that awaits the nested dispatch.
struct Orders(CommandBus);

impl Handler<Order> for Orders {
    async fn handle(&self, msg: Order, cx: &Context<'_>) -> Result<u32, OrderError> {
        let card = cx.derive().with(IdempotencyKey::new("card"));
        self.0.execute_in(&card, Charge).await?;
        Ok(msg.0)
    }
}

struct Shop {
    bus: CommandBus,
    card: Card,
    clock: FakeClock,
}

impl Shop {
    /// Builds a shop in which a charge may take a second, with the handler of orders made by
    /// `orders`.
    fn new<H: Handler<Order>>(orders: impl FnOnce(CommandBus) -> H) -> Self {
        let (card, clock) = (Card::default(), FakeClock::new());
        let builder = || CommandBus::builder().clock(clock.clone());
        let cards = builder()
            .layer(Timeout::new(SECOND))
            .register(card.clone())
            .build()
            .expect("in range");
        let bus = builder()
            .layer(Idempotency::in_memory(HOUR))
            .register(orders(cards))
            .build()
            .expect("in range");
        Self { bus, card, clock }
    }

    /// Places an order on a separate thread, whose time runs out after the card has been charged.
    fn place_blocking(&self) -> Outcome<Order> {
        let charged = self.card.charged();
        thread::scope(|scope| {
            let place = || self.bus.execute_blocking_with(Order(7), keyed("a"));
            let placing = scope.spawn(place);
            while !placing.is_finished() && self.card.charged() == charged {
                thread::yield_now();
            }
            self.clock.advance(SECOND);
            placing.join().expect("no panic")
        })
    }

    fn place_awaited(&self) -> Outcome<Order> {
        let mut placing = Box::pin(self.bus.execute_with(Order(7), keyed("a")));
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        if let std::task::Poll::Ready(outcome) = placing.as_mut().poll(&mut task) {
            return outcome;
        }
        self.clock.advance(SECOND);
        match placing.as_mut().poll(&mut task) {
            std::task::Poll::Ready(outcome) => outcome,
            std::task::Poll::Pending => panic!("its time is over"),
        }
    }

    fn charges_once(&self, place: fn(&Self) -> Outcome<Order>) {
        let Err(Error::Handler(OrderError::Charge(error))) = place(self) else {
            panic!("the charge is late");
        };
        assert!(error.is_timeout() && error.is_indeterminate(), "{error}");
        assert_eq!(place(self), Err(Error::InDoubt));
        assert_eq!(self.card.charged(), 1, "it charged twice");
    }
}

#[test]
fn an_order_whose_charge_has_no_known_outcome_is_not_charged_again() {
    Shop::new(Orders).charges_once(Shop::place_awaited);
    Shop::new(Orders).charges_once(Shop::place_blocking);
    let blocking = |cards: CommandBus| {
        from_fn(move |msg: Order, cx: &Context<'_>| {
            cards.execute_blocking_in(cx, Charge)?;
            Ok(msg.0)
        })
    };
    Shop::new(blocking).charges_once(Shop::place_blocking);
}
