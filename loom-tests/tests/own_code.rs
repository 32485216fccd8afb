//! A model of a program's own handler, inside the real dispatch. The page `src/docs/models.md` quotes this
//! file.
#![cfg(arcbus_loom)]

use std::convert::Infallible;

use arcbus::{Context, Handler, Message, Query, QueryBus};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

struct Visit;

impl Message for Visit {
    const NAME: &'static str = "visit";
    type Kind = Query;
    type Reply = u64;
    type Error = Infallible;
}

/// Counts visits in two steps, between which another thread may count.
struct Racy(Arc<AtomicU64>);

impl Handler<Visit> for Racy {
    async fn handle(&self, _: Visit, _: &Context<'_>) -> Result<u64, Infallible> {
        let visits = self.0.load(Ordering::Relaxed) + 1;
        self.0.store(visits, Ordering::Relaxed);
        Ok(visits)
    }
}

/// Counts visits in one step.
struct Fixed(Arc<AtomicU64>);

impl Handler<Visit> for Fixed {
    async fn handle(&self, _: Visit, _: &Context<'_>) -> Result<u64, Infallible> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Dispatches from two threads, in every order of their steps.
fn two_visits<H: Handler<Visit>>(handler: fn(Arc<AtomicU64>) -> H) {
    loom::model(move || {
        let visits = Arc::new(AtomicU64::new(0));
        let handler = handler(Arc::clone(&visits));
        let bus = QueryBus::builder()
            .register::<Visit, _>(handler)
            .build()
            .unwrap();
        let other = bus.clone();
        let other = thread::spawn(move || other.execute_blocking(Visit).unwrap());
        let mut numbers = [bus.execute_blocking(Visit).unwrap(), other.join().unwrap()];
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2], "a visit was lost");
    });
}

#[test]
#[should_panic(expected = "a visit was lost")]
fn a_counter_of_two_steps_loses_a_visit() {
    two_visits(Racy);
}

#[test]
fn a_counter_of_one_step_loses_none() {
    two_visits(Fixed);
}
