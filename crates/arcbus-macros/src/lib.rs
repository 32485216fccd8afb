//! The derives and attributes of `arcbus`, which exports them again under its feature `derive`.
//!
//! Each expands to the code that a user would have written by hand, with paths that begin at
//! `::arcbus`.

mod cacheable;
mod classify;
mod handlers;
mod message;
mod name;
mod options;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Message` with the kind `Command`, for a message that may change state.
///
/// ```
/// use arcbus::{Command, Message};
///
/// #[derive(Command)]
/// #[message(reply = u64, error = std::io::Error)]
/// struct CreateUser {
///     name: String,
/// }
///
/// assert_eq!(CreateUser::NAME, "user.create");
/// ```
///
/// # Options of `#[message(..)]`
///
/// | option | sets | default |
/// |---|---|---|
/// | `name = ".."` | `Message::NAME` | from the type, see [the default name](#the-default-name) |
/// | `reply = Type` | `Message::Reply` | `()` |
/// | `error = Type` | `Message::Error` | `std::convert::Infallible` |
/// | `validate = path` | `Message::validate` calls a function of `&Self` | accepts every message |
/// | `garde` | `Message::validate` checks the attributes of `#[derive(garde::Validate)]`; needs the feature `garde` | |
/// | `classify` | `Message::classify` asks the error, which is `Classify` | `Class::Unclassified` |
/// | `classify = path` | `Message::classify` calls a function of `&Self::Error` | |
/// | `idempotent` | `impl Idempotent`: running the command twice has the effect of once. Commands only | |
/// | `crate = ".."` | the path of the library, if the library has another name | `::arcbus` |
///
/// # The default name
///
/// The words of the type's name in lower case, with the first word last: `user.create` for
/// `CreateUser`, `account_limit.set` for `SetAccountLimit`, `ping` for `Ping`. A word begins at a
/// capital, and adjacent capitals are a single word: `GetHTTPStatus` becomes `http_status.get`. Set
/// the name by hand if other programs rely on it, so that the type can be renamed.
///
/// # Generics
///
/// Type parameters get the bounds `Send + Sync + 'static`. All types of one generic message share a
/// name, so a bus accepts only one of them.
///
/// # The idempotency key
///
/// `#[idempotency_key]` on a field implements `HasIdempotencyKey` for the command, which
/// `Idempotency::key_in_message` reads. The field is an `IdempotencyKey`, a `String`, a
/// `&'static str`, an `Arc<str>` or a `Box<str>`, or an `Option` of one of these.
///
/// ```
/// use std::time::Duration;
/// use arcbus::{Command, CommandBus, Context, from_fn};
/// use arcbus::middleware::Idempotency;
///
/// #[derive(Command, Hash)]
/// #[message(reply = u64)]
/// struct Charge {
///     #[idempotency_key]
///     request: String,
///     cents: u64,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = CommandBus::builder()
///     .layer(Idempotency::in_memory(Duration::from_secs(3600)).key_in_message())
///     .register(from_fn(|msg: Charge, _: &Context<'_>| Ok(msg.cents)))
///     .build()?;
/// assert_eq!(bus.execute_blocking(Charge { request: "7".into(), cents: 5 }), Ok(5));
/// # Ok(())
/// # }
/// ```
#[proc_macro_derive(Command, attributes(message, idempotency_key))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    answer(message::expand(message::Kind::Command, &input))
}

/// Implements `Message` with the kind `Query`, for a message that changes nothing.
///
/// The options of `#[message(..)]` and the default name are those of [`Command`](macro@Command).
/// Only `idempotent` and `#[idempotency_key]` are missing, because they are for commands.
///
/// ```
/// use arcbus::{Message, Query};
///
/// #[derive(Query)]
/// #[message(name = "users.by_role", reply = Vec<T>)]
/// struct FindUsers<T> {
///     role: T,
/// }
///
/// assert_eq!(FindUsers::<String>::NAME, "users.by_role");
/// ```
#[proc_macro_derive(Query, attributes(message, idempotency_key))]
pub fn derive_query(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    answer(message::expand(message::Kind::Query, &input))
}

/// Implements `Classify` for an error type, with a class for each variant that says whether another
/// attempt can succeed.
///
/// | attribute of a variant | its class |
/// |---|---|
/// | `#[transient]` | `Class::Transient`: another try can succeed |
/// | `#[permanent]` | `Class::Permanent`: another try fails in the same way |
/// | `#[nested]` | the class of the inner error, which is `Classify`; `Class::Nested` for an `arcbus::Error` |
/// | none | `Class::Unclassified` |
///
/// `#[nested]` stands on a variant with a single field, or on the field that holds the nested
/// error. On a struct the attribute stands before the struct. `#[classify(crate = "..")]` on the
/// type sets the path of the library.
///
/// ```
/// use arcbus::{Class, Classify};
///
/// #[derive(Classify)]
/// enum PayError {
///     #[transient]
///     BankIsDown,
///     #[permanent]
///     NoSuchAccount(u64),
///     #[nested]
///     Users(arcbus::Error<std::convert::Infallible>),
///     Other,
/// }
///
/// assert_eq!(PayError::BankIsDown.classify(), Class::Transient);
/// assert_eq!(PayError::Other.classify(), Class::Unclassified);
/// ```
#[proc_macro_derive(Classify, attributes(classify, transient, permanent, nested))]
pub fn derive_classify(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    answer(classify::expand(&input))
}

/// Implements `Cacheable` for a query, with the key under which a cache stores the reply.
///
/// | fields with `#[key]` | key |
/// |---|---|
/// | none | the whole query, which derives `Clone, PartialEq, Eq, Hash` |
/// | one | the field |
/// | several | a struct of these fields, named after the query with the suffix `Key`: `GetPriceKey` |
///
/// All key types are `Clone + Eq + Hash + Send + Sync`. A lookup clones none of them. With several
/// key fields, a predicate borrows a key that has a method for each field:
/// `Outdated::<GetPrice>::If(Box::new(|key| *key.article() == 7))`. `#[message(crate = "..")]` sets
/// the path of the library.
///
/// ```
/// use arcbus::middleware::Cacheable;
/// use arcbus::Query;
///
/// #[derive(Query, Cacheable)]
/// #[message(reply = u64)]
/// struct GetPrice {
///     #[key]
///     article: u64,
///     #[key]
///     currency: String,
///     trace_me: bool, // the price does not depend on it
/// }
///
/// let key = |currency: &str| GetPriceKey { article: 7, currency: currency.into() };
/// let price = GetPrice { article: 7, currency: "EUR".into(), trace_me: true };
/// assert!(price.key().to_owned() == key("EUR"));
/// assert_eq!(*price.key().article(), 7);
/// ```
#[proc_macro_derive(Cacheable, attributes(message, key))]
pub fn derive_cacheable(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    answer(cacheable::expand(&input))
}

/// Implements `Handler` by methods of a type, for `.service(..)` of a bus's builder.
///
/// `#[handlers(Command)]` or `#[handlers(Query)]` stands before an `impl` block, and each block has
/// a single kind. `#[handler]` stands before each method that handles a message, and all other
/// methods stay unchanged. Such a method takes `&self` and the message by value, then optionally
/// the context, `cx: &Context<'_>`. It may be async, and returns a `Result` of the message's reply
/// and error.
///
/// The attribute generates `impl Handler<M>` for each such method. It also generates `impl Service`
/// for the block, which registers the methods in their order. `#[handlers(Command, crate = "..")]`
/// sets the path of the library.
///
/// ```
/// use std::convert::Infallible;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use arcbus::{Command, CommandBus, Context, Query, QueryBus, handlers};
///
/// #[derive(Command)]
/// #[message(reply = u64)]
/// struct CreateUser;
///
/// #[derive(Query)]
/// #[message(reply = u64)]
/// struct CountUsers;
///
/// #[derive(Default)]
/// struct UserService {
///     users: AtomicU64,
/// }
///
/// #[handlers(Command)]
/// impl UserService {
///     #[handler]
///     async fn create(&self, _msg: CreateUser, _cx: &Context<'_>) -> Result<u64, Infallible> {
///         Ok(self.users.fetch_add(1, Ordering::Relaxed))
///     }
/// }
///
/// #[handlers(Query)]
/// impl UserService {
///     #[handler]
///     fn count(&self, _msg: CountUsers) -> Result<u64, Infallible> {
///         Ok(self.users.load(Ordering::Relaxed))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let users = Arc::new(UserService::default());
/// let commands = CommandBus::builder().service(Arc::clone(&users)).build()?;
/// let queries = QueryBus::builder().service(users).build()?;
/// assert_eq!(commands.execute_blocking(CreateUser), Ok(0));
/// assert_eq!(queries.execute_blocking(CountUsers), Ok(1));
/// # Ok(())
/// # }
/// ```
#[proc_macro_attribute]
pub fn handlers(options: TokenStream, block: TokenStream) -> TokenStream {
    answer(handlers::expand(options.into(), block.into()))
}

/// Marks a method as the handler of the message that it takes. The method stands inside a block
/// with [`#[handlers]`](macro@handlers).
#[proc_macro_attribute]
pub fn handler(_options: TokenStream, item: TokenStream) -> TokenStream {
    handlers::handler_alone(&item.into()).into()
}

/// Returns the expanded code, or the tokens of the compile error in its place.
fn answer(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
