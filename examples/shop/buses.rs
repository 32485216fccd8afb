//! The shop: two buses over one store, and their layers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arcbus::{CommandBus, Context, Outcome, QueryBus, RegistrationError, Rejection};
use arcbus::{guard, inspect};

use super::handlers::{OrderBook, OrderDesk, ProductDesk, UserDesk};
use super::layers::Count;
use super::messages::{
    CancelOrder, CreateProduct, CreateUser, GetOrder, GetProduct, GetUser, ListOrders, PlaceOrder,
    UpdateStock,
};
use super::model::Cents;
use super::store::Store;

/// Largest number of pieces in an order, above which the guard rejects the order.
const LARGEST_ORDER: i32 = 100;

/// A shop, which accepts commands and replies to queries.
#[derive(Debug)]
pub(crate) struct Shop {
    commands: CommandBus,
    queries: QueryBus,
    count: Count,
    turnover: Arc<AtomicU64>,
}

impl Shop {
    pub(crate) fn open() -> Result<Self, RegistrationError> {
        let store = Arc::new(Store::default());
        let (count, turnover) = (Count::default(), Arc::default());
        let queries = query_bus(&store, &count)?;
        let commands = command_bus(&store, &queries, &count, &turnover)?;
        Ok(Self {
            commands,
            queries,
            count,
            turnover,
        })
    }

    /// Returns the counts of all dispatches, including nested dispatches.
    pub(crate) fn count(&self) -> &Count {
        &self.count
    }

    /// Returns the sum of all orders placed so far.
    pub(crate) fn turnover(&self) -> Cents {
        Cents(self.turnover.load(Ordering::Relaxed))
    }
}

/// Gives access to the bus of a kind, for code that is generic over the message.
impl AsRef<CommandBus> for Shop {
    fn as_ref(&self) -> &CommandBus {
        &self.commands
    }
}

impl AsRef<QueryBus> for Shop {
    fn as_ref(&self) -> &QueryBus {
        &self.queries
    }
}

fn query_bus(store: &Arc<Store>, count: &Count) -> Result<QueryBus, RegistrationError> {
    let users = UserDesk {
        store: store.clone(),
    };
    let products = ProductDesk {
        store: store.clone(),
    };
    let orders = OrderBook {
        store: store.clone(),
    };
    QueryBus::builder()
        .layer(count.clone())
        .register::<GetUser, _>(users)
        .register::<GetProduct, _>(products)
        .register::<GetOrder, _>(orders.clone())
        .register::<ListOrders, _>(orders)
        .build()
}

/// Builds the command bus. Every command is counted, only orders are guarded, and only orders that
/// pass are part of the turnover.
fn command_bus(
    store: &Arc<Store>,
    queries: &QueryBus,
    count: &Count,
    turnover: &Arc<AtomicU64>,
) -> Result<CommandBus, RegistrationError> {
    let users = UserDesk {
        store: store.clone(),
    };
    let products = ProductDesk {
        store: store.clone(),
    };
    let orders = OrderDesk {
        store: store.clone(),
        queries: queries.clone(),
    };
    let sum = turnover.clone();
    CommandBus::builder()
        .layer(count.clone())
        .register::<CreateUser, _>(users)
        .register::<CreateProduct, _>(products.clone())
        .register::<UpdateStock, _>(products)
        .register::<CancelOrder, _>(orders.clone())
        .scope(|orders_only| {
            orders_only
                .wrap(guard(small_enough))
                .wrap(inspect(ignore, move |outcome, _: &Context<'_>| {
                    add(&sum, outcome)
                }))
                .register::<PlaceOrder, _>(orders)
        })
        .build()
}

fn small_enough(order: &PlaceOrder, _cx: &Context<'_>) -> Result<(), Rejection> {
    if order.quantity > LARGEST_ORDER {
        return Err(Rejection::forbidden("large orders need an approval"));
    }
    Ok(())
}

fn ignore(_order: &PlaceOrder, _cx: &Context<'_>) {}

fn add(turnover: &AtomicU64, outcome: &Outcome<PlaceOrder>) {
    if let Ok(receipt) = outcome {
        turnover.fetch_add(receipt.total.0, Ordering::Relaxed);
    }
}
