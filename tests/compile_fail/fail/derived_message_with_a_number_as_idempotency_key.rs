use arcbus::Command;

#[derive(Command)]
struct Pay {
    #[idempotency_key]
    request: u64,
}

fn main() {}
