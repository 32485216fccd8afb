use arcbus::Command;
use arcbus::middleware::Cacheable;

#[derive(Command, Cacheable)]
struct CreateUser {
    #[key]
    name: String,
}

fn main() {}
