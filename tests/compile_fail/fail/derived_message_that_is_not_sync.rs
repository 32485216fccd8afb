use std::cell::Cell;

use arcbus::Query;

#[derive(Query)]
struct GetUser {
    tries: Cell<u32>,
}

fn main() {}
