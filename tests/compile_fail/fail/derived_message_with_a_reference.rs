use arcbus::Query;

#[derive(Query)]
struct FindUser {
    name: Option<&str>,
}

fn main() {}
