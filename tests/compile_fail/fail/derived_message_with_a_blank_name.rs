use arcbus::Command;

#[derive(Command)]
#[message(name = " ")]
struct CreateUser;

fn main() {}
