use arcbus::Query;

enum NotFound {}

#[derive(Query)]
#[message(error = NotFound)]
struct GetUser;

fn main() {}
