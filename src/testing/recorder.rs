//! [`Recorder`].

use std::any::Any;
use std::fmt;

use super::canned::{Canned, Next};
use crate::bus::Dispatch;
use crate::clock::Clock;
use crate::context::Context;
use crate::message::{Message, MessageType};
use crate::outcome::{Error, Outcome, Phase};
use crate::sync::{Mutex, PlainArc};

/// Stands in for a bus: answers each message with what it was told to, and keeps it. Takes commands
/// and queries, in both lanes; clones share everything.
///
/// ```
/// use arcbus::testing::Recorder;
/// use arcbus::{Command, Dispatch, Message, Outcome};
///
/// #[derive(Debug, PartialEq)]
/// struct Charge { cents: u64 }
/// impl Message for Charge {
///     const NAME: &'static str = "charge";
///     type Kind = Command;
///     type Reply = u64;
///     type Error = ChargeError;
/// }
///
/// #[derive(Debug)]
/// enum ChargeError {
///     NoMoney,
/// }
/// # impl std::fmt::Display for ChargeError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("no money") }
/// # }
/// # impl std::error::Error for ChargeError {}
///
/// #[derive(Debug, PartialEq)]
/// struct Ship { receipt: u64 }
/// impl Message for Ship {
///     const NAME: &'static str = "ship";
///     type Kind = Command;
///     type Reply = ();
///     type Error = std::convert::Infallible;
/// }
///
/// /// The code under test.
/// fn order(bus: &mut (impl Dispatch<Charge> + Dispatch<Ship>), cents: u64) -> bool {
///     match bus.execute_blocking(Charge { cents }) {
///         Ok(receipt) => bus.execute_blocking(Ship { receipt }).is_ok(),
///         Err(_) => false,
///     }
/// }
///
/// let mut bus = Recorder::new();
/// bus.reply::<Charge>(Ok(7)).reply::<Ship>(Ok(()));
/// assert!(order(&mut bus, 999));
/// bus.assert_order([Charge::NAME, Ship::NAME]);
/// bus.assert_sent([Ship { receipt: 7 }]);
///
/// let mut broke = Recorder::new();
/// broke.reply_with(|_: &Charge, _cx| Err(arcbus::Error::Handler(ChargeError::NoMoney)));
/// assert!(!order(&mut broke, 999));
/// broke.assert_sent::<Ship>([]);
/// ```
///
/// Like a bus it refuses what is late, cancelled or not valid, before it looks for a reply. It has no
/// layers.
///
/// # Panics
///
/// Dispatching a message that no reply is left for panics, with the name of the message.
#[derive(Clone, Default)]
pub struct Recorder {
    clock: Clock,
    state: PlainArc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    canned: Canned,
    sent: Vec<Sent>,
}

struct Sent {
    message: MessageType,
    value: PlainArc<dyn Any + Send + Sync>,
}

impl Recorder {
    /// One that has no replies yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with another clock, which decides what is late.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Answers the next `M` that has no reply yet with `outcome`. Told several times, it answers in
    /// that order, each time once.
    pub fn reply<M: Message>(&self, outcome: Outcome<M>) -> &Self {
        self.state.lock().canned.push::<M>(outcome);
        self
    }

    /// Answers every `M` with what `answer` makes of it, once the replies told by
    /// [`reply`](Recorder::reply) are used up.
    pub fn reply_with<M, F>(&self, answer: F) -> &Self
    where
        M: Message,
        F: Fn(&M, &Context<'_>) -> Outcome<M> + Send + Sync + 'static,
    {
        let former = self.state.lock().canned.then(PlainArc::new(answer));
        drop(former);
        self
    }

    /// Each `M` that was sent, in order.
    #[must_use]
    pub fn sent<M: Message>(&self) -> Vec<PlainArc<M>> {
        let state = self.state.lock();
        let values = state.sent.iter().map(|sent| PlainArc::clone(&sent.value));
        values.filter_map(|value| value.downcast().ok()).collect()
    }

    /// The names of all messages that were sent, in order.
    #[must_use]
    pub fn order(&self) -> Vec<&'static str> {
        let state = self.state.lock();
        state.sent.iter().map(|sent| sent.message.name()).collect()
    }

    /// Asserts that exactly these `M` were sent, in this order, whatever was sent in between.
    ///
    /// # Panics
    ///
    /// If they were not.
    #[track_caller]
    pub fn assert_sent<M: Message + PartialEq + fmt::Debug>(&self, expected: impl AsRef<[M]>) {
        let sent = self.sent::<M>();
        let sent: Vec<&M> = sent.iter().map(|sent| &**sent).collect();
        let expected: Vec<&M> = expected.as_ref().iter().collect();
        assert_eq!(
            sent,
            expected,
            "what was sent of {}",
            MessageType::of::<M>()
        );
    }

    /// Asserts that messages with exactly these names were sent, in this order, and no others.
    ///
    /// # Panics
    ///
    /// If they were not.
    #[track_caller]
    pub fn assert_order(&self, expected: impl AsRef<[&'static str]>) {
        assert_eq!(self.order(), expected.as_ref(), "what was sent");
    }

    /// Asserts that every reply told by [`reply`](Recorder::reply) was used.
    ///
    /// # Panics
    ///
    /// If one was not.
    #[track_caller]
    pub fn assert_all_replied(&self) {
        let left = self.state.lock().canned.left();
        assert!(left.is_empty(), "replies that nobody asked for: {left:?}");
    }

    /// [`Bus::execute`](crate::Bus::execute).
    ///
    /// # Errors
    ///
    /// The reply it was told.
    pub fn execute<M: Message>(&self, msg: M) -> impl Future<Output = Outcome<M>> + Send {
        self.execute_with(msg, Context::new())
    }

    /// [`Bus::execute_with`](crate::Bus::execute_with).
    ///
    /// # Errors
    ///
    /// The reply it was told; `Timeout` or `Cancelled` if the context says so.
    pub fn execute_with<'a, M: Message>(
        &'a self,
        msg: M,
        cx: Context<'a>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        async move { self.execute_blocking_with(msg, cx) }
    }

    /// [`Bus::execute_blocking`](crate::Bus::execute_blocking).
    ///
    /// # Errors
    ///
    /// The reply it was told.
    pub fn execute_blocking<M: Message>(&self, msg: M) -> Outcome<M> {
        self.execute_blocking_with(msg, Context::new())
    }

    /// [`Bus::execute_blocking_with`](crate::Bus::execute_blocking_with).
    ///
    /// # Errors
    ///
    /// The reply it was told; `Timeout` or `Cancelled` if the context says so.
    pub fn execute_blocking_with<M: Message>(&self, msg: M, cx: Context<'_>) -> Outcome<M> {
        let (msg, mut cx) = (PlainArc::new(msg), cx);
        self.keep(PlainArc::clone(&msg));
        cx.begin(&self.clock)
            .map_err(|interrupt| interrupt.into_error(Phase::NotStarted))?;
        msg.validate().map_err(Error::Invalid)?;
        let next = self.state.lock().canned.next::<M>();
        match next {
            Some(Next::Canned(outcome)) => outcome,
            Some(Next::Ask(answer)) => answer(&msg, &cx),
            None => self.unexpected::<M>(),
        }
    }

    fn keep<M: Message>(&self, value: PlainArc<M>) {
        let message = MessageType::of::<M>();
        self.state.lock().sent.push(Sent { message, value });
    }

    fn unexpected<M: Message>(&self) -> ! {
        panic!(
            "the recorder has no reply left for {}, sent after {:?}: tell it one with `reply` or \
             `reply_with`",
            MessageType::of::<M>(),
            self.order()
                .split_last()
                .map_or(&[][..], |(_, before)| before),
        )
    }
}

impl<M: Message> Dispatch<M> for Recorder {
    crate::__forward_dispatch!(M);
}

impl<M: Message> Dispatch<M> for &Recorder {
    crate::__forward_dispatch!(M);
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("sent", &self.order())
            .finish_non_exhaustive()
    }
}
