//! Handlers of the shop: one type for each subject, which handles several messages.

use std::sync::Arc;

use arcbus::{Context, Error, Handler, QueryBus};

use super::messages::{
    CancelOrder, CreateProduct, CreateUser, GetOrder, GetProduct, GetUser, ListOrders, PlaceOrder,
    UpdateStock,
};
use super::model::{Cents, Order, Orders, Product, ProductId, Receipt, ShopError, User, UserId};
use super::store::{Purchase, Store};

/// Handles messages about users, with the store as its only state.
#[derive(Clone, Debug)]
pub(crate) struct UserDesk {
    pub(crate) store: Arc<Store>,
}

impl Handler<CreateUser> for UserDesk {
    async fn handle(&self, msg: CreateUser, _cx: &Context<'_>) -> Result<UserId, ShopError> {
        self.store.create_user(msg)
    }
}

impl Handler<GetUser> for UserDesk {
    async fn handle(&self, msg: GetUser, _cx: &Context<'_>) -> Result<User, ShopError> {
        self.store.user(msg.id)
    }
}

/// Handles messages about products and their stock, with the store as its only state.
#[derive(Clone, Debug)]
pub(crate) struct ProductDesk {
    pub(crate) store: Arc<Store>,
}

impl Handler<CreateProduct> for ProductDesk {
    async fn handle(&self, msg: CreateProduct, _cx: &Context<'_>) -> Result<ProductId, ShopError> {
        Ok(self.store.create_product(msg))
    }
}

impl Handler<UpdateStock> for ProductDesk {
    async fn handle(&self, msg: UpdateStock, _cx: &Context<'_>) -> Result<u32, ShopError> {
        self.store.change_stock(msg.product, msg.change)
    }
}

impl Handler<GetProduct> for ProductDesk {
    async fn handle(&self, msg: GetProduct, _cx: &Context<'_>) -> Result<Product, ShopError> {
        self.store.product(msg.id)
    }
}

/// Replies to queries about orders, with the store as its only state.
#[derive(Clone, Debug)]
pub(crate) struct OrderBook {
    pub(crate) store: Arc<Store>,
}

impl Handler<GetOrder> for OrderBook {
    async fn handle(&self, msg: GetOrder, _cx: &Context<'_>) -> Result<Order, ShopError> {
        self.store.order(msg.id)
    }
}

impl Handler<ListOrders> for OrderBook {
    async fn handle(&self, msg: ListOrders, _cx: &Context<'_>) -> Result<Orders, ShopError> {
        self.store.orders_of(msg.user)
    }
}

/// Places and cancels orders, and queries the query bus for the buyer and the price.
#[derive(Clone, Debug)]
pub(crate) struct OrderDesk {
    pub(crate) store: Arc<Store>,
    pub(crate) queries: QueryBus,
}

impl Handler<PlaceOrder> for OrderDesk {
    /// Dispatches within its own context, so that the queries share the deadline of the order.
    async fn handle(&self, msg: PlaceOrder, cx: &Context<'_>) -> Result<Receipt, ShopError> {
        let buyer = self.queries.execute_in(cx, GetUser { id: msg.user });
        let buyer = buyer.await.map_err(nested)?;
        let product = self.queries.execute_in(cx, GetProduct { id: msg.product });
        let product = product.await.map_err(nested)?;
        self.store.place(&Purchase {
            user: buyer.id,
            product: product.id,
            price: product.price,
            // `validate` has already rejected a negative number.
            quantity: msg.quantity.unsigned_abs(),
        })
    }
}

impl Handler<CancelOrder> for OrderDesk {
    async fn handle(&self, msg: CancelOrder, _cx: &Context<'_>) -> Result<Cents, ShopError> {
        self.store.cancel(msg.order)
    }
}

/// Converts the error of a nested dispatch. The other handler's own error is an error of this
/// handler, too, and any other error makes the shop unavailable.
fn nested(error: Error<ShopError>) -> ShopError {
    let other = |error: Error<ShopError>| ShopError::Unavailable(error.to_string());
    error.into_handler().unwrap_or_else(other)
}
