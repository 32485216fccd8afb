use arcbus::Query;

#[derive(Query)]
struct GetUser {
    #[idempotency_key]
    request: String,
}

fn main() {}
