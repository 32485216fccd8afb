use arcbus::Query;
use arcbus::middleware::Cacheable;

#[derive(Query, Cacheable)]
struct FindShop {
    #[key]
    latitude: f64,
}

fn main() {}
