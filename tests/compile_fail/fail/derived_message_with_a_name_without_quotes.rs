use arcbus::Command;

#[derive(Command)]
#[message(name = user.create)]
struct CreateUser;

fn main() {}
