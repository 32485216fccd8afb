//! `Validation`: stops an invalid message at the layer, before any inner one.

use arcbus::middleware::Validation;
use arcbus::{CommandBus, Context, Error, Gate, Gated, Message, Outcome};

use crate::acts::{Act, Actor, Steps, each_lane, layers};

/// A layer that notes every message that reaches it.
struct Taken(Steps);

impl<M: Message> Gate<M> for Taken {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        self.0.note("taken");
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

#[test]
fn an_invalid_message_takes_no_inner_permit() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .layer(Validation::new())
        .wrap(Gated(Taken(steps.clone())))
        .register(Actor(steps.clone()))
        .build()
        .expect("one handler");
    assert_eq!(layers(&bus), ["Validation", "Taken"]);
    for outcome in each_lane(&bus, Act::Invalid) {
        let Err(Error::Invalid(violations)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(violations.iter().next().expect("one").field(), "act");
    }
    assert_eq!(steps.take(), "");
    assert_eq!(each_lane(&bus, Act::Answer(3)), [Ok(3), Ok(3)]);
    assert_eq!(steps.take(), "taken handle taken handle");
}

#[test]
fn a_panic_of_the_check_is_caught() {
    #[derive(Clone)]
    struct Bad;
    impl Message for Bad {
        const NAME: &'static str = "bad";
        type Kind = arcbus::Command;
        type Reply = ();
        type Error = String;
        fn validate(&self) -> Result<(), arcbus::Violations> {
            panic!("on purpose")
        }
    }
    let bus = CommandBus::builder()
        .layer(Validation::new())
        .register(arcbus::from_fn(|_: Bad, _: &Context<'_>| Ok(())))
        .build()
        .expect("one handler");
    for outcome in each_lane(&bus, Bad) {
        assert!(outcome.unwrap_err().is_panicked());
    }
}

#[cfg(feature = "garde")]
mod garde {
    use arcbus::middleware::validation::by_garde;
    use garde::Validate;

    #[derive(Validate)]
    struct Form {
        #[garde(required)]
        name: Option<String>,
        #[garde(length(min = 2, max = 4))]
        code: String,
        #[garde(range(min = 1, max = 9))]
        count: u8,
        #[garde(email)]
        email: String,
        #[garde(inner(ascii))]
        tags: Vec<String>,
        #[garde(custom(is_even))]
        even: u8,
        #[garde(dive)]
        inner: Inner,
    }

    #[derive(Validate)]
    struct Inner {
        #[garde(contains("x"))]
        text: String,
    }

    fn is_even(value: &u8, (): &()) -> garde::Result {
        if value.is_multiple_of(2) {
            Ok(())
        } else {
            Err(garde::Error::new("must be even"))
        }
    }

    fn sound() -> Form {
        Form {
            name: Some("Ada".into()),
            code: "abc".into(),
            count: 5,
            email: "ada@example.org".into(),
            tags: vec!["a".into(), "b".into()],
            even: 2,
            inner: Inner { text: "x".into() },
        }
    }

    fn faults(form: &Form) -> Vec<String> {
        let Err(violations) = by_garde(form) else {
            return Vec::new();
        };
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_message_passes() {
        assert!(faults(&sound()).is_empty());
    }

    #[test]
    fn every_fault_has_field_code_and_text() {
        let form = Form {
            name: None,
            code: "a".into(),
            count: 10,
            email: "ada".into(),
            tags: vec!["a".into(), "é".into()],
            even: 3,
            inner: Inner { text: "y".into() },
        };
        assert_eq!(
            faults(&form),
            [
                "code: length is lower than 2 (min_length)",
                "count: greater than 9 (max)",
                "email: not a valid email: value is missing `@` (email)",
                "even: must be even (custom)",
                "inner.text: does not contain \"x\" (contains)",
                "name: not set (required)",
                "tags[1]: not ascii (ascii)",
            ]
        );
    }
}
