use arcbus::Query;
use arcbus::middleware::Cacheable;

#[derive(Query, Cacheable)]
struct FindShop {
    name: String,
}

fn main() {}
