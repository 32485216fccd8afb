use arcbus::Query;
use arcbus::middleware::Cacheable;

#[derive(Query, Cacheable)]
#[key]
struct GetUser {
    id: u64,
}

fn main() {}
