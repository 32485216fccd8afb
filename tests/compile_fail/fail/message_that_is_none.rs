use arcbus::CommandBus;

struct Rename;

fn main() {
    let bus = CommandBus::builder().build().unwrap();
    assert!(bus.execute_blocking(Rename).is_err());
}
