//! [`Recorder`]: a stand-in for a bus in the tests of code that dispatches.

use std::any::Any;
use std::fmt;

use super::canned::{Canned, Next};
use crate::bus::Dispatch;
use crate::clock::Clock;
use crate::context::Context;
use crate::message::{Message, MessageType};
use crate::outcome::{Error, Outcome, Phase};
use crate::sync::{Mutex, PlainArc};

/// A stand-in for a bus, which gives canned replies and records each message. A recorder accepts
/// commands and queries in both lanes, and its clones share everything.
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
/// Like a bus, a recorder rejects messages that are late, cancelled or invalid, before looking for
/// a reply. A recorder has no layers.
///
/// # Panics
///
/// Dispatching a message without a remaining reply panics, with the name of the message.
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
    /// Creates a recorder without replies, which shows the time of the real clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the clock, which decides whether a message is late.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Replies to the next `M` without a reply yet with `outcome`. Several calls queue their
    /// outcomes, and each of them is used once.
    pub fn reply<M: Message>(&self, outcome: Outcome<M>) -> &Self {
        self.state.lock().canned.push::<M>(outcome);
        self
    }

    /// Replies to every `M` with the result of `answer`, once the outcomes given to
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

    /// Returns each `M` that was sent so far, in the order of sending.
    #[must_use]
    pub fn sent<M: Message>(&self) -> Vec<PlainArc<M>> {
        let state = self.state.lock();
        let values = state.sent.iter().map(|sent| PlainArc::clone(&sent.value));
        values.filter_map(|value| value.downcast().ok()).collect()
    }

    /// Returns the names of all messages that were sent so far, in the order of sending.
    #[must_use]
    pub fn order(&self) -> Vec<&'static str> {
        let state = self.state.lock();
        state.sent.iter().map(|sent| sent.message.name()).collect()
    }

    /// Asserts that exactly these `M` were sent, in this order, regardless of other messages in
    /// between.
    ///
    /// # Panics
    ///
    /// Panics if other messages `M` were sent, or in another order.
    #[track_caller]
    pub fn assert_sent<M: Message + PartialEq + fmt::Debug>(&self, expected: impl AsRef<[M]>) {
        let sent = self.sent::<M>();
        let sent: Vec<&M> = sent.iter().map(|sent| &**sent).collect();
        let expected: Vec<&M> = expected.as_ref().iter().collect();
        assert_eq!(
            sent,
            expected,
            "the sent messages of {} are not the expected ones",
            MessageType::of::<M>()
        );
    }

    /// Asserts that messages with exactly these names were sent, in this order, and no others.
    ///
    /// # Panics
    ///
    /// Panics if other messages were sent, or in another order.
    #[track_caller]
    pub fn assert_order(&self, expected: impl AsRef<[&'static str]>) {
        assert_eq!(
            self.order(),
            expected.as_ref(),
            "the sent messages are not the expected ones"
        );
    }

    /// Asserts that every reply given to [`reply`](Recorder::reply) was used, so that the code
    /// under test sent all expected messages.
    ///
    /// # Panics
    ///
    /// Panics with the number of unused replies for each message, if there are any.
    #[track_caller]
    pub fn assert_all_replied(&self) {
        let left = self.state.lock().canned.left();
        assert!(left.is_empty(), "unused replies, by message: {left:?}");
    }

    /// Dispatches a message in the async lane, like [`Bus::execute`](crate::Bus::execute).
    ///
    /// # Errors
    ///
    /// Returns the canned outcome of the message, if that outcome is an error.
    pub fn execute<M: Message>(&self, msg: M) -> impl Future<Output = Outcome<M>> + Send {
        self.execute_with(msg, Context::new())
    }

    /// Dispatches a message in the async lane, like
    /// [`Bus::execute_with`](crate::Bus::execute_with).
    ///
    /// # Errors
    ///
    /// Returns the canned outcome of the message if that is an error, and `Timeout` or `Cancelled`
    /// if the context is late or cancelled.
    pub fn execute_with<'a, M: Message>(
        &'a self,
        msg: M,
        cx: Context<'a>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        async move { self.execute_blocking_with(msg, cx) }
    }

    /// Dispatches a message in the blocking lane, like
    /// [`Bus::execute_blocking`](crate::Bus::execute_blocking).
    ///
    /// # Errors
    ///
    /// Returns the canned outcome of the message, if that outcome is an error.
    pub fn execute_blocking<M: Message>(&self, msg: M) -> Outcome<M> {
        self.execute_blocking_with(msg, Context::new())
    }

    /// Dispatches a message in the blocking lane, like
    /// [`Bus::execute_blocking_with`](crate::Bus::execute_blocking_with).
    ///
    /// # Errors
    ///
    /// Returns the canned outcome of the message if that is an error, and `Timeout` or `Cancelled`
    /// if the context is late or cancelled.
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
            "the recorder has no reply left for {}, sent after {:?}: add one with `reply` or \
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
