use arcbus::Command;

#[derive(Command)]
#[message(idempotent = true)]
struct SetLimit(u64);

fn main() {}
