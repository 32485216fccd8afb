use arcbus::Query;

#[derive(Query)]
#[message(reply = u64)]
#[message(reply = String)]
struct GetUser;

fn main() {}
