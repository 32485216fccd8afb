use arcbus::Classify;

#[derive(Classify)]
#[transient]
enum PayError {
    Down,
}

fn main() {}
