use arcbus::Classify;

#[derive(Classify)]
enum PayError {
    Down,
    Refused,
}

fn main() {}
