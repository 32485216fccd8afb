//! The store: plain rows in memory, under the shop's own lock, which only handlers take.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::messages::{CreateProduct, CreateUser};
use super::model::{Cents, Order, OrderId, Orders, Product, ProductId, Receipt, ShopError};
use super::model::{User, UserId};

/// A store of users, products and orders, which all handlers share.
#[derive(Debug, Default)]
pub(crate) struct Store(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    users: Rows<Account>,
    emails: HashSet<String>,
    products: Rows<Product>,
    orders: Rows<Order>,
}

#[derive(Debug)]
struct Account {
    user: User,
    orders: Vec<OrderId>,
}

/// An order of pieces of a product, once the buyer and the price are known.
#[derive(Debug)]
pub(crate) struct Purchase {
    pub(crate) user: UserId,
    pub(crate) product: ProductId,
    pub(crate) price: Cents,
    pub(crate) quantity: u32,
}

impl Store {
    pub(crate) fn create_user(&self, new: CreateUser) -> Result<UserId, ShopError> {
        let CreateUser { name, email } = new;
        let mut state = self.write();
        if !state.emails.insert(email.clone()) {
            return Err(ShopError::EmailTaken(email));
        }
        let id = UserId(state.users.next_id());
        state.users.push(Account {
            user: User { id, name, email },
            orders: Vec::new(),
        });
        Ok(id)
    }

    pub(crate) fn user(&self, id: UserId) -> Result<User, ShopError> {
        let state = self.read();
        let account = state.users.get(id.0).ok_or(ShopError::UnknownUser(id))?;
        Ok(account.user.clone())
    }

    pub(crate) fn create_product(&self, new: CreateProduct) -> ProductId {
        let mut state = self.write();
        let id = ProductId(state.products.next_id());
        state.products.push(Product {
            id,
            name: new.name,
            price: Cents(new.price.into()),
            stock: new.stock,
        });
        id
    }

    pub(crate) fn product(&self, id: ProductId) -> Result<Product, ShopError> {
        let state = self.read();
        let product = state.products.get(id.0);
        product.cloned().ok_or(ShopError::UnknownProduct(id))
    }

    pub(crate) fn change_stock(&self, id: ProductId, change: i64) -> Result<u32, ShopError> {
        self.write().change_stock(id, change)
    }

    /// Takes the goods out of the stock and records the order, or does neither.
    pub(crate) fn place(&self, purchase: &Purchase) -> Result<Receipt, ShopError> {
        let mut state = self.write();
        let order = Order::of(purchase, OrderId(state.orders.next_id()));
        state.change_stock(order.product, -i64::from(order.quantity))?;
        if let Some(account) = state.users.get_mut(order.user.0) {
            account.orders.push(order.id);
        }
        let receipt = Receipt {
            order: order.id,
            total: order.total,
        };
        state.orders.push(order);
        Ok(receipt)
    }

    /// Cancels an order and returns its goods to the stock.
    pub(crate) fn cancel(&self, id: OrderId) -> Result<Cents, ShopError> {
        let mut state = self.write();
        let order = state.orders.get_mut(id.0);
        let order = order.ok_or(ShopError::UnknownOrder(id))?;
        if order.cancelled {
            return Err(ShopError::AlreadyCancelled(id));
        }
        order.cancelled = true;
        let (product, quantity, total) = (order.product, order.quantity, order.total);
        state.change_stock(product, quantity.into())?;
        Ok(total)
    }

    pub(crate) fn order(&self, id: OrderId) -> Result<Order, ShopError> {
        let state = self.read();
        let order = state.orders.get(id.0);
        order.cloned().ok_or(ShopError::UnknownOrder(id))
    }

    pub(crate) fn orders_of(&self, user: UserId) -> Result<Orders, ShopError> {
        let state = self.read();
        let account = state.users.get(user.0);
        let ids = &account.ok_or(ShopError::UnknownUser(user))?.orders;
        let orders = ids.iter().filter_map(|id| state.orders.get(id.0));
        Ok(Orders(orders.cloned().collect()))
    }

    /// Ignores the poison of a handler's panic, which the bus reports. The other handlers continue
    /// with the data.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change_stock(&mut self, id: ProductId, change: i64) -> Result<u32, ShopError> {
        let product = self.products.get_mut(id.0);
        let product = product.ok_or(ShopError::UnknownProduct(id))?;
        let left = product.stock;
        let stock = i64::from(left).saturating_add(change);
        if stock < 0 {
            return Err(ShopError::OutOfStock { product: id, left });
        }
        product.stock = u32::try_from(stock).map_err(|_| ShopError::StoreFull(id))?;
        Ok(product.stock)
    }
}

impl Order {
    fn of(purchase: &Purchase, id: OrderId) -> Self {
        let total = purchase.price.0.saturating_mul(purchase.quantity.into());
        Self {
            id,
            user: purchase.user,
            product: purchase.product,
            quantity: purchase.quantity,
            total: Cents(total),
            cancelled: false,
        }
    }
}

/// Rows that are numbered from 1 and never removed.
#[derive(Debug)]
struct Rows<T>(Vec<T>);

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Rows<T> {
    fn next_id(&self) -> u64 {
        self.0.len() as u64 + 1
    }

    fn push(&mut self, row: T) {
        self.0.push(row);
    }

    fn get(&self, id: u64) -> Option<&T> {
        self.0.get(index(id)?)
    }

    fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        self.0.get_mut(index(id)?)
    }
}

fn index(id: u64) -> Option<usize> {
    usize::try_from(id.checked_sub(1)?).ok()
}
