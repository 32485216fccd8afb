use arcbus::Query;

#[derive(Query)]
#[message(idempotent)]
struct GetUser;

fn main() {}
