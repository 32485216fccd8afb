//! Values of the shop: identifiers, money, users, products, orders and errors.

use std::error::Error;
use std::fmt;
use std::iter::Sum;

use serde::Deserialize;

macro_rules! ids {
    ($($name:ident: $word:literal),* $(,)?) => {$(
        #[doc = concat!("The number of a ", $word, ".")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub(crate) u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    )*};
}

ids! { UserId: "user", ProductId: "product", OrderId: "order" }

/// An amount of money, in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cents(pub(crate) u64);

impl Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.map(|amount| amount.0).sum())
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) email: String,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} <{}>", self.id, self.name, self.email)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) name: String,
    pub(crate) price: Cents,
    pub(crate) stock: u32,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            name,
            price,
            stock,
        } = self;
        write!(f, "{id}: {name} at {price}, {stock} in stock")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) user: UserId,
    pub(crate) product: ProductId,
    pub(crate) quantity: u32,
    pub(crate) total: Cents,
    pub(crate) cancelled: bool,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.cancelled { " (cancelled)" } else { "" };
        let Self {
            id,
            user,
            product,
            quantity,
            total,
            ..
        } = self;
        write!(
            f,
            "{id}: {quantity} of {product} for {user}, {total}{state}"
        )
    }
}

/// All orders of one user, from the oldest to the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Orders(pub(crate) Vec<Order>);

impl fmt::Display for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.0.iter().filter(|order| !order.cancelled);
        let total: Cents = open.map(|order| order.total).sum();
        write!(f, "{} in all, {total} to pay", self.0.len())
    }
}

/// The reply to an order: its number and the amount to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) order: OrderId,
    pub(crate) total: Cents,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.order, self.total)
    }
}

/// The reason why a handler could not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ShopError {
    EmailTaken(String),
    UnknownUser(UserId),
    UnknownProduct(ProductId),
    UnknownOrder(OrderId),
    OutOfStock {
        product: ProductId,
        left: u32,
    },
    StoreFull(ProductId),
    AlreadyCancelled(OrderId),
    /// A nested dispatch failed for a reason that is not the shop's.
    Unavailable(String),
}

impl ShopError {
    /// Returns a short stable name of the error, for the report.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::EmailTaken(_) => "email_taken",
            Self::UnknownUser(_) => "unknown_user",
            Self::UnknownProduct(_) => "unknown_product",
            Self::UnknownOrder(_) => "unknown_order",
            Self::OutOfStock { .. } => "out_of_stock",
            Self::StoreFull(_) => "store_full",
            Self::AlreadyCancelled(_) => "already_cancelled",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl fmt::Display for ShopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmailTaken(email) => write!(f, "the e-mail {email} is taken"),
            Self::UnknownUser(id) => write!(f, "there is no {id}"),
            Self::UnknownProduct(id) => write!(f, "there is no {id}"),
            Self::UnknownOrder(id) => write!(f, "there is no {id}"),
            Self::OutOfStock { product, left } => write!(f, "only {left} of {product} left"),
            Self::StoreFull(product) => write!(f, "no room for more of {product}"),
            Self::AlreadyCancelled(id) => write!(f, "{id} was cancelled before"),
            Self::Unavailable(reason) => write!(f, "unavailable: {reason}"),
        }
    }
}

impl Error for ShopError {}
