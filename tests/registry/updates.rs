//! Batches of changes: `update` makes all of the changes in their order, or none.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arcbus::{Batch, NoLayers, Query, RegistrationError};

use crate::support::{Ask, Drops, all, ask, open};

/// Adds four changes, of which the one at `bad` cannot be made.
fn with_one_bad(batch: &mut Batch<Query, NoLayers>, bad: usize, drops: &Drops) {
    for index in 0..4 {
        if index == bad {
            batch.register::<Ask<5>, _>(drops.handler(9));
            continue;
        }
        match index {
            0 => batch.register::<Ask<2>, _>(drops.handler(2)),
            1 => batch.replace::<Ask<1>, _>(drops.handler(11)),
            2 => batch.deregister::<Ask<1>>(),
            _ => batch.register::<Ask<3>, _>(drops.handler(3)),
        };
    }
}

#[test]
fn one_bad_change_anywhere_refuses_all_and_drops_every_handler() {
    for (bad, dropped) in [
        (0, vec![3, 9, 11]),
        (1, vec![2, 3, 9]),
        (2, vec![2, 3, 9, 11]),
        (3, vec![2, 9, 11]),
    ] {
        let (bus, registrar) = open();
        let drops = Drops::default();
        registrar.must_register::<Ask<1>, _>(drops.handler(1));
        registrar.must_register::<Ask<4>, _>(drops.handler(4));
        let before = all(&bus);
        let error = registrar
            .update(|batch| with_one_bad(batch, bad, &drops))
            .unwrap_err();
        let alone = registrar.register::<Ask<5>, _>(Drops::default().handler(9));
        assert_eq!(Err(error), alone);
        assert_eq!(all(&bus), before);
        assert_eq!(drops.numbers(), dropped);
    }
}

#[test]
fn the_first_of_two_mistakes_is_reported() {
    let (_bus, registrar) = open();
    let refused = registrar.update(|batch| {
        batch.deregister::<Ask<3>>().deregister::<Ask<2>>();
    });
    let error = refused.unwrap_err();
    assert_eq!(error, registrar.deregister::<Ask<3>>().unwrap_err());
    assert_ne!(error, registrar.deregister::<Ask<2>>().unwrap_err());
}

#[test]
fn changes_of_one_message_are_made_in_their_order() {
    let (bus, registrar) = open();
    let drops = Drops::default();
    let retired = registrar
        .update(|batch| {
            batch
                .register::<Ask<1>, _>(drops.handler(1))
                .replace::<Ask<1>, _>(drops.handler(2))
                .deregister::<Ask<1>>()
                .register::<Ask<1>, _>(drops.handler(3))
                .replace::<Ask<1>, _>(drops.handler(4));
        })
        .expect("each fits what is before it");
    assert_eq!(ask::<1>(&bus), Some(4));
    assert!(retired.is_drained());
    assert_eq!(drops.numbers(), [1, 2, 3]);
}

#[test]
fn a_message_may_be_registered_and_deregistered_in_one_batch() {
    let (bus, registrar) = open();
    let drops = Drops::default();
    let retired = registrar
        .update(|batch| {
            batch
                .register::<Ask<1>, _>(drops.handler(1))
                .replace::<Ask<1>, _>(drops.handler(2))
                .deregister::<Ask<1>>();
        })
        .expect("each fits what is before it");
    assert_eq!(ask::<1>(&bus), None);
    assert!(bus.routes().is_empty());
    assert!(retired.is_drained());
    assert_eq!(drops.numbers(), [1, 2]);
    registrar.must_register::<Ask<1>, _>(drops.handler(3));
    assert_eq!(ask::<1>(&bus), Some(3));
}

#[test]
fn a_name_is_free_only_after_its_holder_was_deregistered() {
    let (bus, registrar) = open();
    let drops = Drops::default();
    registrar.must_register::<Ask<4>, _>(drops.handler(4));
    let early = registrar.update(|batch| {
        batch
            .register::<Ask<5>, _>(drops.handler(5))
            .deregister::<Ask<4>>();
    });
    assert!(matches!(early, Err(RegistrationError::NameClash { .. })));
    assert_eq!(ask::<4>(&bus), Some(4));
    let _ = registrar
        .update(|batch| {
            batch
                .deregister::<Ask<4>>()
                .register::<Ask<5>, _>(drops.handler(6))
                .deregister::<Ask<5>>()
                .register::<Ask<4>, _>(drops.handler(7));
        })
        .expect("the name is free each time");
    assert_eq!((ask::<4>(&bus), ask::<5>(&bus)), (Some(7), None));
    let taken = registrar.register::<Ask<5>, _>(drops.handler(8));
    assert!(matches!(taken, Err(RegistrationError::NameClash { .. })));
}

#[test]
fn an_empty_batch_changes_nothing_and_retires_nothing() {
    let (bus, registrar) = open();
    let drops = Drops::default();
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    let before = all(&bus);
    let local = bus.local();
    let retired = registrar.update(|_| ()).expect("nothing to refuse");
    assert!(retired.is_drained(), "a local bus keeps nothing of it");
    assert_eq!(all(&bus), before);
    assert!(drops.numbers().is_empty());
    drop(local);
}

#[test]
fn a_batch_that_panics_changes_nothing_and_drops_its_handlers() {
    let (bus, registrar) = open();
    let drops = Drops::default();
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    let before = all(&bus);
    let update = AssertUnwindSafe(|| {
        registrar.update(|batch| {
            batch
                .deregister::<Ask<1>>()
                .register::<Ask<2>, _>(drops.handler(2));
            panic!("on purpose");
        })
    });
    assert!(catch_unwind(update).is_err());
    assert_eq!(all(&bus), before);
    assert_eq!(drops.numbers(), [2]);
    registrar.must_register::<Ask<2>, _>(drops.handler(3));
    assert_eq!(ask::<2>(&bus), Some(3));
}
