//! Messages of the shop: five commands and four queries, whose `NAME` is also their `"type"` in a
//! file.

use arcbus::{Class, Command, Message, Query, Violations};
use serde::Deserialize;

use super::model::{
    Cents, Order, OrderId, Orders, Product, ProductId, Receipt, ShopError, User, UserId,
};

/// Length of the longest name, in characters.
const LONGEST_NAME: usize = 100;
/// Price of the most expensive product, in cents.
const DEAREST: u32 = 10_000_000;
/// Number of pieces in the largest delivery.
const LARGEST_DELIVERY: u64 = 100_000;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CreateUser {
    pub(crate) name: String,
    pub(crate) email: String,
}

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = UserId;
    type Error = ShopError;

    fn validate(&self) -> Result<(), Violations> {
        let mut found = Violations::new();
        check_name(&self.name, &mut found);
        if !is_email(&self.email) {
            found.add("email", "email", "must look like name@example.org");
        }
        found.into_result()
    }

    fn classify(error: &ShopError) -> Class {
        classify(error)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CreateProduct {
    pub(crate) name: String,
    /// Price of a single piece, in cents.
    pub(crate) price: u32,
    pub(crate) stock: u32,
}

impl Message for CreateProduct {
    const NAME: &'static str = "product.create";
    type Kind = Command;
    type Reply = ProductId;
    type Error = ShopError;

    fn validate(&self) -> Result<(), Violations> {
        let mut found = Violations::new();
        check_name(&self.name, &mut found);
        if !(1..=DEAREST).contains(&self.price) {
            found.add("price", "range", format!("must be 1 to {DEAREST} cents"));
        }
        found.into_result()
    }

    fn classify(error: &ShopError) -> Class {
        classify(error)
    }
}

/// Adds to the stock of a product or takes from it, and replies with the new stock.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct UpdateStock {
    pub(crate) product: ProductId,
    pub(crate) change: i64,
}

impl Message for UpdateStock {
    const NAME: &'static str = "stock.update";
    type Kind = Command;
    type Reply = u32;
    type Error = ShopError;

    fn validate(&self) -> Result<(), Violations> {
        let mut found = Violations::new();
        if !(1..=LARGEST_DELIVERY).contains(&self.change.unsigned_abs()) {
            let text = format!("must be 1 to {LARGEST_DELIVERY}, or as much below zero");
            found.add("change", "range", text);
        }
        found.into_result()
    }

    fn classify(error: &ShopError) -> Class {
        classify(error)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlaceOrder {
    pub(crate) user: UserId,
    pub(crate) product: ProductId,
    pub(crate) quantity: i32,
}

impl Message for PlaceOrder {
    const NAME: &'static str = "order.place";
    type Kind = Command;
    type Reply = Receipt;
    type Error = ShopError;

    fn validate(&self) -> Result<(), Violations> {
        let mut found = Violations::new();
        if self.quantity < 1 {
            found.add("quantity", "min", "must be at least 1");
        }
        found.into_result()
    }

    fn classify(error: &ShopError) -> Class {
        classify(error)
    }
}

/// Cancels an order, and replies with the amount that is paid back.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CancelOrder {
    pub(crate) order: OrderId,
}

impl Message for CancelOrder {
    const NAME: &'static str = "order.cancel";
    type Kind = Command;
    type Reply = Cents;
    type Error = ShopError;

    fn classify(error: &ShopError) -> Class {
        classify(error)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GetUser {
    pub(crate) id: UserId,
}

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = User;
    type Error = ShopError;

    fn classify(error: &ShopError) -> Class {
        classify(error)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GetProduct {
    pub(crate) id: ProductId,
}

impl Message for GetProduct {
    const NAME: &'static str = "product.get";
    type Kind = Query;
    type Reply = Product;
    type Error = ShopError;

    fn classify(error: &ShopError) -> Class {
        classify(error)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GetOrder {
    pub(crate) id: OrderId,
}

impl Message for GetOrder {
    const NAME: &'static str = "order.get";
    type Kind = Query;
    type Reply = Order;
    type Error = ShopError;

    fn classify(error: &ShopError) -> Class {
        classify(error)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ListOrders {
    pub(crate) user: UserId,
}

impl Message for ListOrders {
    const NAME: &'static str = "order.list";
    type Kind = Query;
    type Reply = Orders;
    type Error = ShopError;

    fn classify(error: &ShopError) -> Class {
        classify(error)
    }
}

/// Classifies errors as permanent, since another attempt fails again, except for errors of nested
/// dispatches.
fn classify(error: &ShopError) -> Class {
    match error {
        ShopError::Unavailable(_) => Class::Transient,
        _ => Class::Permanent,
    }
}

fn check_name(name: &str, found: &mut Violations) {
    if name.trim().is_empty() {
        found.add("name", "required", "must not be blank");
    }
    if name.chars().count() > LONGEST_NAME {
        let text = format!("must have at most {LONGEST_NAME} characters");
        found.add("name", "length", text);
    }
}

/// Returns whether `text` looks like an e-mail address, which is enough for a shop in memory.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let labels_are_sound = domain.split('.').all(|label| !label.is_empty());
    !local.is_empty()
        && domain.contains('.')
        && labels_are_sound
        && !text.contains(char::is_whitespace)
        && !domain.contains('@')
}
