//! Charges a card once: `cargo run -p arcbus-sqlite`.
//!
//! The program starts itself a second time, as a process that charges the card and dies before it
//! replies. Then it sends that key again, and two further keys.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use arcbus_sqlite::{Cards, Crash};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (None, _) => {
            let folder = new_folder()?;
            show(&folder)?;
            Ok(std::fs::remove_dir_all(folder)?)
        }
        (Some(folder), None) => show(Path::new(&folder)),
        // The process that dies gets `FOLDER KEY` as its arguments.
        (Some(folder), Some(key)) => {
            let cards = Cards::open(Path::new(&folder), Crash::BeforeTheAnswer)?;
            let reply = cards.charge(&key.to_string_lossy(), 500);
            Err(format!("it should have died: {reply:?}").into())
        }
    }
}

fn new_folder() -> Result<PathBuf, Box<dyn Error>> {
    let folder = format!("arcbus-sqlite-{}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn show(folder: &Path) -> Result<(), Box<dyn Error>> {
    println!(
        "a process charges 500 and dies: {}",
        die(folder, "order 1")?
    );
    let cards = Cards::open(folder, Crash::Never)?;
    println!("the bank has charged: {:?}", cards.charged());
    for (key, cents) in [
        ("order 1", 500),
        ("order 2", 300),
        ("order 2", 300),
        ("order 2", 900),
    ] {
        match cards.charge(key, cents) {
            Ok(receipt) => println!("{key}, {cents}: {receipt:?}"),
            Err(error) => println!("{key}, {cents}: {error}"),
        }
    }
    println!("the bank has charged: {:?}", cards.charged());
    Ok(())
}

fn die(folder: &Path, key: &str) -> std::io::Result<ExitStatus> {
    let program = std::env::current_exe()?;
    Command::new(program).arg(folder).arg(key).status()
}
