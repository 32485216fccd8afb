use arcbus::Query;

#[derive(Query)]
#[message(timeout = 5)]
struct GetUser;

fn main() {}
