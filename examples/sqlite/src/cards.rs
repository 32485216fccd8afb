//! A card that is charged, and that a careless program may charge twice.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use arcbus::middleware::{Idempotency, IdempotencyKey};
use arcbus::{Command, CommandBus, Context, Error, Handler, Message};

use crate::store::{SqliteStore, Stored};

/// Charges the card with an amount, which must happen once for each intent of the buyer.
#[derive(Debug, Hash)]
pub struct Charge {
    /// The amount in cents.
    pub cents: u64,
}

/// The number of a charge, as printed on the receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt(pub usize);

impl Message for Charge {
    const NAME: &'static str = "card.charge";
    type Kind = Command;
    type Reply = Receipt;
    type Error = BankError;
}

/// The reason why the bank did not charge the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BankError {
    /// The file of the bank cannot be written.
    Unreachable(io::ErrorKind),
}

impl fmt::Display for BankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(kind) => write!(f, "the bank cannot be reached: {kind}"),
        }
    }
}

impl std::error::Error for BankError {}

impl From<io::Error> for BankError {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error.kind())
    }
}

impl Stored for Receipt {
    fn to_text(&self) -> String {
        self.0.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

/// The point at which the process dies, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process does not die, and replies as usual.
    Never,
    /// The process dies after charging the card, and before it replies.
    BeforeTheAnswer,
}

/// The bank: a file with a line for each charge. It is a separate system that knows no idempotency
/// keys.
struct Bank {
    charges: PathBuf,
    crash: Crash,
}

impl Handler<Charge> for Bank {
    async fn handle(&self, msg: Charge, _cx: &Context<'_>) -> Result<Receipt, BankError> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(&self.charges)?;
        writeln!(file, "{}", msg.cents)?;
        file.sync_all()?;
        if self.crash == Crash::BeforeTheAnswer {
            std::process::abort();
        }
        Ok(Receipt(charges(&self.charges).len()))
    }
}

fn charges(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// A bus that charges cards, and keeps its files in one folder.
#[derive(Debug)]
pub struct Cards {
    bus: CommandBus,
    charges: PathBuf,
}

impl Cards {
    /// Opens the files in `folder`, or creates them if they do not exist.
    ///
    /// # Errors
    ///
    /// Returns an error of SQLite, or of the registration of the handler.
    pub fn open(folder: &Path, crash: Crash) -> Result<Self, Box<dyn std::error::Error>> {
        let store = SqliteStore::open(&folder.join("keys.sqlite"), 100_000)?;
        let charges = folder.join("charges.txt");
        let bank = Bank {
            charges: charges.clone(),
            crash,
        };
        let day = Duration::from_secs(24 * 3600);
        let bus = CommandBus::builder()
            .layer(Idempotency::in_store(store, day).require_key())
            .register(bank)
            .build()?;
        Ok(Self { bus, charges })
    }

    /// Charges the card, once for each key.
    ///
    /// # Errors
    ///
    /// Returns the errors of the bus, and [`Error::InDoubt`] if an earlier charge with this key may
    /// have been made.
    pub fn charge(&self, key: &str, cents: u64) -> Result<Receipt, Error<BankError>> {
        let cx = Context::new().with(IdempotencyKey::new(key));
        self.bus.execute_blocking_with(Charge { cents }, cx)
    }

    /// Returns all charges that the bank has made, by which a doubt can be settled.
    #[must_use]
    pub fn charged(&self) -> Vec<u64> {
        charges(&self.charges)
    }
}
