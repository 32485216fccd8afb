//! `#[derive(Command)]` and `#[derive(Query)]`, with each option that `#[message(..)]` takes.

use std::any::TypeId;
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use arcbus::middleware::Retry;
use arcbus::{
    Class, Classify, Command, CommandBus, Context, Error, Idempotent, Message, Query, QueryBus,
    RegistrationError, Violations, from_fn,
};

fn is<T: 'static, U: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<U>()
}

#[derive(Command)]
struct CreateUser;

#[derive(Query)]
#[message(name = "user.find", reply = Vec<u64>, error = io::Error)]
struct FindUsers {
    role: &'static str,
}

#[test]
fn without_options_reply_and_error_are_empty() {
    assert_eq!(CreateUser::NAME, "user.create");
    assert!(is::<<CreateUser as Message>::Kind, Command>());
    assert!(is::<<CreateUser as Message>::Reply, ()>());
    assert!(is::<<CreateUser as Message>::Error, Infallible>());
    assert_eq!(CreateUser::classify_of(), None);
}

impl CreateUser {
    /// Returns no class, because the error type has no values.
    fn classify_of() -> Option<Class> {
        None::<&Infallible>.map(<Self as Message>::classify)
    }
}

#[test]
fn options_set_name_reply_and_error() {
    assert_eq!(FindUsers::NAME, "user.find");
    assert!(is::<<FindUsers as Message>::Kind, Query>());
    assert!(is::<<FindUsers as Message>::Reply, Vec<u64>>());
    assert!(is::<<FindUsers as Message>::Error, io::Error>());
    assert_eq!(
        FindUsers::classify(&io::Error::other("down")),
        Class::Unclassified
    );
}

#[test]
fn a_derived_message_is_dispatched() {
    let queries = QueryBus::builder()
        .register(from_fn(|msg: FindUsers, _: &Context<'_>| match msg.role {
            "admin" => Ok(vec![7]),
            role => Err(io::Error::other(role)),
        }))
        .build()
        .expect("one handler");
    assert_eq!(
        queries.execute_blocking(FindUsers { role: "admin" }).ok(),
        Some(vec![7])
    );
    let error = queries
        .execute_blocking(FindUsers { role: "pope" })
        .unwrap_err();
    assert_eq!(error.to_string(), "pope");
    assert_eq!(queries.routes()[0].message().name(), "user.find");
}

/// An enum message, whose options stand in two separate attributes.
#[derive(Command)]
#[message(name = "move")]
#[message(reply = i32)]
enum Move {
    Up(i32),
    Down { by: i32 },
    Stay,
}

#[test]
fn an_enum_is_a_message() {
    let bus = CommandBus::builder()
        .register(from_fn(|msg: Move, _: &Context<'_>| {
            Ok(match msg {
                Move::Up(by) => by,
                Move::Down { by } => -by,
                Move::Stay => 0,
            })
        }))
        .build()
        .expect("one handler");
    let moves = [Move::Up(2), Move::Down { by: 3 }, Move::Stay];
    assert_eq!(bus.execute_batch_blocking(moves), [Ok(2), Ok(-3), Ok(0)]);
}

/// A message with type, const and phantom parameters, with bounds and a default.
#[derive(Query)]
#[message(reply = [T; N], error = Wrong<T>)]
struct Repeat<T, U = u8, const N: usize = 2>
where
    T: Clone + std::fmt::Debug,
{
    value: T,
    unit: PhantomData<U>,
}

#[derive(Debug, PartialEq)]
struct Wrong<T>(T);

impl<T: std::fmt::Debug> std::fmt::Display for Wrong<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "wrong: {:?}", self.0)
    }
}

#[test]
fn generics_are_carried() {
    let bus = QueryBus::builder()
        .register(from_fn(|msg: Repeat<String, u8, 3>, _: &Context<'_>| {
            Ok(std::array::from_fn(|_| msg.value.clone()))
        }))
        .build()
        .expect("one handler");
    let reply = bus.execute_blocking(Repeat::<_, u8, 3> {
        value: "a".to_owned(),
        unit: PhantomData,
    });
    assert_eq!(reply, Ok(["a", "a", "a"].map(str::to_owned)));
}

#[test]
fn all_types_of_a_generic_message_have_one_name() {
    fn one<T: Clone + std::fmt::Debug + Send + Sync + 'static>(
        msg: Repeat<T, u8, 1>,
        _: &Context<'_>,
    ) -> Result<[T; 1], Wrong<T>> {
        Err(Wrong(msg.value))
    }
    let error = QueryBus::builder()
        .register(from_fn(one::<u8>))
        .register(from_fn(one::<u16>))
        .build()
        .unwrap_err();
    assert!(
        matches!(error, RegistrationError::NameClash { .. }),
        "{error}"
    );
}

#[derive(Command)]
#[message(validate = Self::check, reply = u64)]
struct Pay {
    cents: u64,
}

impl Pay {
    fn check(&self) -> Result<(), Violations> {
        let mut violations = Violations::new();
        if self.cents == 0 {
            violations.add("cents", "min", "must be at least 1");
        }
        violations.into_result()
    }
}

#[test]
fn a_function_in_the_options_validates() {
    let bus = CommandBus::builder()
        .register(from_fn(|msg: Pay, _: &Context<'_>| Ok(msg.cents)))
        .build()
        .expect("one handler");
    assert_eq!(bus.execute_blocking(Pay { cents: 3 }), Ok(3));
    assert!(
        bus.execute_blocking(Pay { cents: 0 })
            .unwrap_err()
            .is_invalid()
    );
}

#[derive(Command, Clone)]
#[message(idempotent, error = io::Error, classify = by_kind)]
struct SetLimit(u64);

fn by_kind(error: &io::Error) -> Class {
    match error.kind() {
        io::ErrorKind::TimedOut => Class::Transient,
        _ => Class::Permanent,
    }
}

fn attempts(kind: io::ErrorKind) -> u32 {
    thread_local!(static RUNS: Cell<u32> = const { Cell::new(0) });
    RUNS.set(0);
    let bus = CommandBus::builder()
        .layer(Retry::fixed(3, Duration::from_millis(1)))
        .register(from_fn(move |_: SetLimit, _: &Context<'_>| {
            RUNS.set(RUNS.get() + 1);
            Err(kind.into())
        }))
        .build()
        .expect("one handler");
    let error = bus.execute_blocking(SetLimit(7)).unwrap_err();
    assert!(matches!(error, Error::Handler(_)), "{error}");
    RUNS.get()
}

#[test]
fn an_idempotent_command_is_repeated_as_its_function_classifies() {
    assert_eq!(attempts(io::ErrorKind::TimedOut), 3);
    assert_eq!(attempts(io::ErrorKind::NotFound), 1);
    fn is_idempotent<M: Idempotent>() {}
    is_idempotent::<SetLimit>();
}

#[derive(Debug, Classify)]
enum PayError {
    #[transient]
    Down,
    #[permanent]
    Refused,
}

impl std::fmt::Display for PayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

#[derive(Command)]
#[message(error = PayError, classify)]
struct Refund;

#[test]
fn a_message_classifies_by_its_error() {
    assert_eq!(Refund::classify(&PayError::Down), Class::Transient);
    assert_eq!(Refund::classify(&PayError::Refused), Class::Permanent);
}

/// A message named by a raw identifier, with a field that has one, too.
#[derive(Query)]
#[allow(non_camel_case_types)]
struct r#match {
    r#type: u8,
}

#[test]
fn raw_identifiers_are_names_without_their_mark() {
    assert_eq!(r#match::NAME, "match");
    assert_eq!(r#match { r#type: 1 }.r#type, 1);
}
