//! One layer of ours a case, around the same handler.

use std::hint::black_box;

use arcbus::{BusBuilder, Query, QueryBus, Stack};

use crate::cases::rounds::Cases;
use crate::cases::{Adder, Pair, answered, pair};

/// Adds a case that dispatches through what `builder` builds.
fn add<S: Stack<Pair>>(cases: &mut Cases<'_>, name: &'static str, builder: BusBuilder<Query, S>) {
    let bus = builder.register::<Pair, _>(Adder(7)).build();
    let bus = bus.expect("one handler, sound settings");
    let mut route = bus.route::<Pair>().expect("registered");
    cases.add(name, move || answered(route.execute_blocking(pair())));
}

pub fn our_policies(cases: &mut Cases<'_>) {
    let clock = quanta::Clock::new();
    add(cases, "none", QueryBus::builder());
    cases.add("clock_read", move || {
        black_box(clock.delta_as_nanos(0, clock.raw()))
    });
}
