use arcbus::Query;

#[derive(Query)]
#[message(reply)]
struct GetUser;

fn main() {}
