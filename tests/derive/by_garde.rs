//! `#[message(garde)]`: validates a message by the attributes that the crate `garde` defines.

use arcbus::{Command, CommandBus, Context, Error, from_fn};

#[derive(Command, garde::Validate)]
#[message(garde, reply = u8)]
struct CreateUser {
    #[garde(email)]
    email: String,
    #[garde(range(min = 18))]
    age: u8,
}

#[test]
fn the_attributes_of_garde_validate() {
    let bus = CommandBus::builder()
        .register(from_fn(|msg: CreateUser, _: &Context<'_>| Ok(msg.age)))
        .build()
        .expect("one handler");
    let create = |email: &str, age| {
        let email = email.to_owned();
        bus.execute_blocking(CreateUser { email, age })
    };
    assert_eq!(create("ada@example.org", 36), Ok(36));
    let Err(Error::Invalid(violations)) = create("ada", 7) else {
        panic!("it is invalid");
    };
    let codes: Vec<_> = violations.iter().map(|v| (v.field(), v.code())).collect();
    assert_eq!(codes, [("age", "min"), ("email", "email")]);
}
