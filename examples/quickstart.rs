//! The program of the README: a command, a query, a handler of both, and their error.
//!
//! ```text
//! cargo run -p arcbus-examples --bin quickstart
//! ```

use std::fmt;
use std::sync::{Arc, Mutex};

use arcbus::{Command, CommandBus, Context, Error, Handler, Message, Query, QueryBus};

/// Adds a user, and replies with the new user's number.
struct CreateUser {
    name: String,
}

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = usize;
    type Error = UserError;
}

/// Asks for a user's name.
struct GetUser {
    id: usize,
}

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = String;
    type Error = UserError;
}

#[derive(Debug)]
enum UserError {
    NameTaken(String),
    Unknown(usize),
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken(name) => write!(f, "the name {name} is taken"),
            Self::Unknown(id) => write!(f, "there is no user {id}"),
        }
    }
}

impl std::error::Error for UserError {}

#[derive(Default)]
struct Users {
    names: Mutex<Vec<String>>,
}

impl Handler<CreateUser> for Users {
    async fn handle(&self, msg: CreateUser, _cx: &Context<'_>) -> Result<usize, UserError> {
        let mut names = self.names.lock().unwrap();
        if names.contains(&msg.name) {
            return Err(UserError::NameTaken(msg.name));
        }
        names.push(msg.name);
        Ok(names.len() - 1)
    }
}

impl Handler<GetUser> for Users {
    async fn handle(&self, msg: GetUser, _cx: &Context<'_>) -> Result<String, UserError> {
        let names = self.names.lock().unwrap();
        names.get(msg.id).cloned().ok_or(UserError::Unknown(msg.id))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let users = Arc::new(Users::default());
    let commands = CommandBus::builder()
        .register::<CreateUser, _>(users.clone())
        .build()?;
    let queries = QueryBus::builder().register::<GetUser, _>(users).build()?;

    let id = commands.execute_blocking(CreateUser { name: "Ada".into() })?;
    let name = queries.execute_blocking(GetUser { id })?;
    println!("User {id} is {name}.");

    match commands.execute_blocking(CreateUser { name }) {
        Ok(id) => println!("User {id} has the same name."),
        Err(Error::Handler(UserError::NameTaken(name))) => println!("There is one {name} already."),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
