//! A process that dies between charging and replying, and the result that its sender gets
//! afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;

use arcbus::{Error, RejectionKind};
use arcbus_sqlite::{Cards, Crash, Receipt};

/// A folder of one test, which is removed afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("arcbus-sqlite-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn open(&self) -> Cards {
        Cards::open(&self.0, Crash::Never).expect("it opens")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a process that charges the card and dies.
fn die(folder: &Path, key: &str) {
    let program = env!("CARGO_BIN_EXE_arcbus-sqlite");
    let output = Command::new(program).arg(folder).arg(key).output();
    let output = output.expect("it starts");
    assert!(!output.status.success(), "it lived");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("should have died"), "{said}");
}

#[test]
fn a_charge_whose_process_died_before_it_answered_is_in_doubt_and_not_made_again() {
    let folder = Folder::new("dies");
    die(&folder.0, "a");
    for _ in 0..2 {
        let cards = folder.open();
        assert_eq!(cards.charged(), [500], "it acted");
        assert_eq!(cards.charge("a", 500), Err(Error::InDoubt));
        assert_eq!(cards.charged(), [500], "and not twice");
    }
    assert_eq!(folder.open().charge("b", 300), Ok(Receipt(2)));
}

#[test]
fn a_charge_that_was_answered_gives_its_reply_again_after_a_start() {
    let folder = Folder::new("answers");
    assert_eq!(folder.open().charge("a", 500), Ok(Receipt(1)));
    let cards = folder.open();
    assert_eq!(cards.charge("b", 300), Ok(Receipt(2)));
    assert_eq!(cards.charge("a", 500), Ok(Receipt(1)));
    let Err(Error::Rejected(rejection)) = cards.charge("a", 900) else {
        panic!("another payload");
    };
    assert_eq!(rejection.kind(), RejectionKind::Conflict);
    assert_eq!(cards.charged(), [500, 300]);
}

#[test]
fn of_two_processes_that_are_sent_one_key_one_charges() {
    let folder = Folder::new("two");
    let (one, two) = (folder.open(), folder.open());
    std::thread::scope(|scope| {
        let other = scope.spawn(|| one.charge("a", 500));
        let outcomes = [two.charge("a", 500), other.join().expect("no panic")];
        let told = |outcome| matches!(outcome, Ok(Receipt(1)) | Err(Error::InDoubt));
        assert!(outcomes.into_iter().all(told));
    });
    assert_eq!(one.charged(), [500]);
}
