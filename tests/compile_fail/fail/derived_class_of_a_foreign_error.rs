use arcbus::Classify;

#[derive(Classify)]
enum PayError {
    #[nested]
    Bank(std::io::Error),
}

fn main() {}
