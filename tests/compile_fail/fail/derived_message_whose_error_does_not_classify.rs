use arcbus::Command;

#[derive(Command)]
#[message(error = std::io::Error, classify)]
struct Pay;

fn main() {}
