use arcbus::Query;
use arcbus::middleware::Cacheable;

#[derive(Query, Cacheable)]
struct GetUser {
    #[key]
    id: u64,
    latitude: f64,
}

#[derive(Query, Cacheable, Clone, PartialEq, Eq, Hash)]
struct FindShop {
    name: String,
}

fn main() {
    assert_eq!(
        *GetUser {
            id: 7,
            latitude: 0.0
        }
        .key(),
        7
    );
    assert!(
        FindShop {
            name: String::new()
        }
        .key()
        .name
        .is_empty()
    );
}
