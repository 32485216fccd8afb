use arcbus::Classify;

#[derive(Classify)]
enum PayError {
    #[nested]
    Bank(arcbus::Error<std::convert::Infallible>, u64),
}

fn main() {}
