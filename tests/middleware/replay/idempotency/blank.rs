//! An empty or blank key counts as no key.

use arcbus::Error;
use arcbus::middleware::{Idempotency, IdempotencyKey};

use super::pay::{HOUR, Pay, Shop};

const BLANK: [&str; 5] = ["", " ", "\t\r\n", "\u{a0}\u{2003}", "        "];

#[test]
fn a_blank_key_protects_nothing_in_both_lanes() {
    for key in BLANK {
        let shop = Shop::new();
        assert_eq!(shop.pays(key, 5), [Ok(1), Ok(2)], "{key:?}");
        assert_eq!(shop.pays(key, 7), [Ok(3), Ok(4)], "no conflict: {key:?}");
    }
}

#[test]
fn a_run_with_a_blank_key_is_counted() {
    let layer = Idempotency::in_memory(HOUR);
    let handles = layer.handles();
    let shop = Shop::with(layer);
    let counted = || handles.get("pay").expect("registered").blank_keys();
    assert_eq!(shop.pays("a", 5), [Ok(1), Ok(1)]);
    assert_eq!(counted(), 0);
    assert_eq!(shop.pays(" ", 5), [Ok(2), Ok(3)]);
    assert_eq!(shop.pays("", 5), [Ok(4), Ok(5)]);
    assert_eq!(counted(), 4);
}

#[test]
fn a_blank_key_is_refused_if_a_key_is_required() {
    for key in BLANK {
        let shop = Shop::with(Idempotency::in_memory(HOUR).require_key());
        for outcome in shop.pays(key, 5) {
            let error = outcome.expect_err("refused");
            assert!(matches!(error, Error::Rejected(_)), "{error:?}");
            let text = error.to_string();
            assert!(text.contains("'pay' needs an idempotency key"), "{text}");
            assert!(text.contains("blank"), "{text}");
        }
        assert_eq!(shop.runs(), 0);
    }
}

#[test]
fn a_blank_key_of_a_closure_counts_as_no_key() {
    let layer = Idempotency::in_memory(HOUR);
    let layer = layer.key(|_: &Pay, _: &arcbus::Context<'_>| Some(IdempotencyKey::new("  ")));
    let shop = Shop::with(layer);
    assert_eq!(shop.pays("a", 5), [Ok(1), Ok(2)]);
}
