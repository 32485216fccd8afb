use arcbus::Query;

#[derive(Query)]
struct FindUser {
    #[message(reply = u64)]
    name: String,
}

fn main() {}
