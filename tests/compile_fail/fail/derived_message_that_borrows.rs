use arcbus::Query;

#[derive(Query)]
struct FindUser<'a> {
    name: &'a str,
}

fn main() {}
