//! Messages: the trait [`Message`] and the two [`Kind`]s of message.

use std::any::TypeId;
use std::fmt;

use crate::outcome::{Class, Violations};

/// A value with exactly one handler, which returns a [`Reply`](Message::Reply) or an
/// [`Error`](Message::Error).
///
/// The macros [`#[derive(Command)]`](derive@crate::Command) and
/// [`#[derive(Query)]`](derive@crate::Query) implement this trait.
///
/// Put data of more than a kilobyte into a `Box` or an `Arc` inside the message. In a debug build,
/// each function that takes a message by value copies it. Without layers, a dispatch takes about 20
/// times the message's size of stack, and 2 to 6 times more for each layer.
///
/// ```
/// use std::fmt;
/// use arcbus::{Command, Message, Violations};
///
/// struct CreateUser {
///     email: String,
/// }
///
/// #[derive(Debug)]
/// enum CreateUserError {
///     EmailTaken,
/// }
///
/// impl fmt::Display for CreateUserError {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         match self {
///             Self::EmailTaken => f.write_str("the e-mail address is taken"),
///         }
///     }
/// }
///
/// impl std::error::Error for CreateUserError {}
///
/// impl Message for CreateUser {
///     const NAME: &'static str = "user.create";
///     type Kind = Command;
///     type Reply = u64;
///     type Error = CreateUserError;
///
///     fn validate(&self) -> Result<(), Violations> {
///         let mut violations = Violations::new();
///         if !self.email.contains('@') {
///             violations.add("email", "email", "must contain '@'");
///         }
///         violations.into_result()
///     }
/// }
///
/// assert!(CreateUser { email: "nobody".into() }.validate().is_err());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "`Message` is not implemented for `{Self}`",
    note = "add `#[derive(arcbus::Command)]` or `#[derive(arcbus::Query)]` to `{Self}`",
    note = "or write `impl Message for {Self}` with `NAME`, `Kind` (`Command` or `Query`), `Reply` and `Error`",
    note = "a handler takes its message by value: `msg: M`, not `msg: &M`"
)]
pub trait Message: Send + Sync + 'static {
    /// The stable name used in logs, in metrics and on the wire. The name must not be blank, and
    /// must be unique within a bus.
    const NAME: &'static str;

    /// The kind of the message, [`Command`] or [`Query`], which decides the bus that accepts the
    /// message.
    type Kind: Kind;

    /// The reply of the handler, which moves to the caller.
    type Reply: Send + 'static;

    /// The error of the handler.
    ///
    /// Best an enum that implements [`std::error::Error`], by hand or with the crate `thiserror`.
    /// Then [`Error`](crate::Error) around it is a standard error, too, and `?` works. `String` and
    /// `anyhow::Error` fit as well, and need [`into_boxed`](crate::Error::into_boxed) before a `?`.
    /// Choose [`Infallible`](std::convert::Infallible) for a handler that never fails.
    type Error: fmt::Display + fmt::Debug + Send + Sync + 'static;

    /// Checks the message itself, before the handler, which never sees a message that is rejected
    /// here. A panic of this method is caught like a panic of the handler. Default: accepts every
    /// message.
    ///
    /// # Errors
    ///
    /// Returns every violation found, which the caller receives as
    /// [`Error::Invalid`](crate::Error::Invalid).
    #[inline]
    fn validate(&self) -> Result<(), Violations> {
        Ok(())
    }

    /// Classifies a handler's error by the outlook of another attempt, for all policies alike. For an
    /// error that carries an error of a nested dispatch, call [`Class::nested`]. Default:
    /// [`Class::Unclassified`].
    #[inline]
    fn classify(error: &Self::Error) -> Class {
        let _ = error;
        Class::Unclassified
    }
}

/// The kind of a message: [`Command`] or [`Query`]. The trait is sealed, so that no other
/// type can be a kind.
pub trait Kind: sealed::Sealed + Send + Sync + 'static {
    /// The name of the kind in logs and listings, `"command"` or `"query"`.
    const NAME: &'static str;
}

/// The kind of a message that changes something, and goes on a [`CommandBus`](crate::CommandBus).
#[derive(Debug)]
pub enum Command {}

/// The kind of a message that only reads, and goes on a [`QueryBus`](crate::QueryBus).
#[derive(Debug)]
pub enum Query {}

impl Kind for Command {
    const NAME: &'static str = "command";
}

impl Kind for Query {
    const NAME: &'static str = "query";
}

pub(crate) fn is_command<M: Message>() -> bool {
    M::Kind::NAME == Command::NAME
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Command {}
    impl Sealed for super::Query {}
}

/// Relates a kind to itself: `M::Kind: Same<K>` means that `M` may go on a bus of kind `K`.
#[diagnostic::on_unimplemented(
    message = "a message of kind `{Self}` cannot go on a bus of kind `{K}`",
    label = "the bus is of kind `{K}`, this message of kind `{Self}`",
    note = "use the bus of its kind: commands go on a `CommandBus`, queries on a `QueryBus`",
    note = "or change its kind, by `#[derive(Command)]`, `#[derive(Query)]` or `type Kind`, if the message is meant for this bus"
)]
pub trait Same<K> {}

impl<K> Same<K> for K {}

/// A message type as a value: its name and its Rust type, for errors and listings.
#[derive(Clone, Copy)]
pub struct MessageType(&'static MessageDescriptor);

/// A constant description of a message type. A registration reads it instead of running code of
/// each type.
struct MessageDescriptor {
    id: TypeId,
    name: &'static str,
    name_hash: u64,
    kind: &'static str,
    type_name: fn() -> &'static str,
}

impl MessageType {
    /// Returns the value that stands for the message type `M`, without running code of `M`.
    #[must_use]
    pub fn of<M: Message>() -> Self {
        Self(
            const {
                &MessageDescriptor {
                    id: TypeId::of::<M>(),
                    name: M::NAME,
                    name_hash: fnv_1a(M::NAME),
                    kind: M::Kind::NAME,
                    type_name: std::any::type_name::<M>,
                }
            },
        )
    }

    /// Returns the message's stable name, which is [`Message::NAME`].
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Returns the name of the Rust type, with its path.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        (self.0.type_name)()
    }

    /// Returns the id of the Rust type, by which a table finds the route.
    pub(crate) fn id(self) -> TypeId {
        self.0.id
    }

    /// Returns a hash of the name, which the compiler computes.
    pub(crate) fn name_hash(self) -> u64 {
        self.0.name_hash
    }

    /// Returns the name of the message's kind, which is `"command"` or `"query"`.
    pub(crate) fn kind(self) -> &'static str {
        self.0.kind
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' ({})", self.name(), self.type_name())
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageType({self})")
    }
}

impl PartialEq for MessageType {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for MessageType {}

/// Hashes a text at compile time (Fowler, Noll and Vo, FNV-1a, 64 bits).
const fn fnv_1a(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    hash
}
