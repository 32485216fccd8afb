use arcbus::Query;

#[derive(Query)]
#[message(replay = u64)]
struct GetUser;

fn main() {}
