//! Checks any sequence of valid and invalid changes against a map.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context as Task, Poll, Waker};

use arcbus::{
    Batch, Context, Error, Handler, LocalBus, Message, NoLayers, Query, QueryBus, Registrar,
    RegistrationError, Retired, Route,
};
use proptest::collection::vec;
use proptest::prelude::*;

const MESSAGES: usize = 7;
/// The last three names cause errors: two types with one name, and a blank name.
const NAMES: [&str; MESSAGES] = ["a", "b", "c", "d", "same", "same", ""];

struct Ask<const N: usize>;

impl<const N: usize> Message for Ask<N> {
    const NAME: &'static str = NAMES[N];
    type Kind = Query;
    type Reply = usize;
    type Error = String;
}

/// A handler that replies with its number and notes its drop under that number.
struct Numbered {
    number: usize,
    drops: Arc<AtomicU32>,
}

impl<const N: usize> Handler<Ask<N>> for Numbered {
    async fn handle(&self, _msg: Ask<N>, _cx: &Context<'_>) -> Result<usize, String> {
        assert_eq!(self.drops.load(Ordering::SeqCst), 0, "dropped while in use");
        Ok(self.number)
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Register(usize),
    Replace(usize),
    Deregister(usize),
}

/// The changes and checks of a single step.
#[derive(Clone, Debug)]
struct Step {
    changes: Vec<Change>,
    /// True if the step goes through `update` even for a single change.
    batch: bool,
    /// True if the long-lived handles are used after the step, because unused handles keep old
    /// tables.
    look: bool,
    /// True if the `Retired` is kept and asked later.
    keep: bool,
}

fn change() -> impl Strategy<Value = Change> {
    let message = 0..MESSAGES;
    prop_oneof![
        3 => message.clone().prop_map(Change::Register),
        2 => message.clone().prop_map(Change::Replace),
        2 => message.prop_map(Change::Deregister),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let changes = prop_oneof![3 => vec(change(), 1), 2 => vec(change(), 0..5)];
    (changes, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(changes, batch, look, keep)| Step {
            changes,
            batch,
            look,
            keep,
        },
    )
}

/// The kind of a [`RegistrationError`], with the messages that it names.
#[derive(Debug, PartialEq)]
enum Refused {
    Duplicate(usize),
    EmptyName(usize),
    NameClash(usize, usize),
    NotRegistered(usize),
}

/// The registry as a map from messages to the numbers of their handlers.
#[derive(Clone, Default)]
struct Model(BTreeMap<usize, usize>);

impl Model {
    /// Makes all of `changes` or none, with handlers numbered from `next` on.
    fn commit(&mut self, changes: &[Change], mut next: usize) -> Result<(), Refused> {
        let mut after = self.clone();
        for change in changes {
            match *change {
                Change::Register(message) => after.register(message, next)?,
                Change::Replace(message) => {
                    after.find(message)?;
                    after.0.insert(message, next);
                }
                Change::Deregister(message) => {
                    after.find(message)?;
                    after.0.remove(&message);
                }
            }
            next += usize::from(!matches!(change, Change::Deregister(_)));
        }
        *self = after;
        Ok(())
    }

    fn register(&mut self, message: usize, number: usize) -> Result<(), Refused> {
        if self.0.contains_key(&message) {
            return Err(Refused::Duplicate(message));
        }
        if NAMES[message].is_empty() {
            return Err(Refused::EmptyName(message));
        }
        let holder = self.0.keys().find(|held| NAMES[**held] == NAMES[message]);
        if let Some(holder) = holder {
            return Err(Refused::NameClash(message, *holder));
        }
        self.0.insert(message, number);
        Ok(())
    }

    fn find(&self, message: usize) -> Result<(), Refused> {
        match self.0.contains_key(&message) {
            true => Ok(()),
            false => Err(Refused::NotRegistered(message)),
        }
    }

    fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.0.keys().map(|message| NAMES[*message]).collect();
        names.sort_unstable();
        names
    }
}

type Changer = Registrar<Query, NoLayers>;
type Changes = Batch<Query, NoLayers>;

/// The operations on one message, without its type.
trait Asked {
    fn type_name(&self) -> &'static str;
    fn make(
        &self,
        change: Change,
        registrar: &Changer,
        handler: Option<Numbered>,
    ) -> Result<Option<Retired>, RegistrationError>;
    fn add(&self, change: Change, batch: &mut Changes, handler: Option<Numbered>);
    /// Returns the reply through the shared handle, with which the other handles must agree.
    fn ask(&self, bus: &QueryBus) -> Option<usize>;
    fn ask_local(&self, local: &mut LocalBus<Query>) -> Option<usize>;
    fn route(&self, bus: &QueryBus) -> Option<Box<dyn Routed>>;
}

trait Routed {
    fn ask(&mut self) -> Option<usize>;
}

struct Of<const N: usize>;

fn answer(outcome: Result<usize, Error<String>>) -> Option<usize> {
    match outcome {
        Ok(number) => Some(number),
        Err(Error::HandlerNotFound { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

impl<const N: usize> Asked for Of<N> {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Ask<N>>()
    }

    fn make(
        &self,
        change: Change,
        registrar: &Changer,
        handler: Option<Numbered>,
    ) -> Result<Option<Retired>, RegistrationError> {
        match (change, handler) {
            (Change::Register(_), Some(handler)) => {
                registrar.register::<Ask<N>, _>(handler).map(|()| None)
            }
            (Change::Replace(_), Some(handler)) => {
                registrar.replace::<Ask<N>, _>(handler).map(Some)
            }
            _ => registrar.deregister::<Ask<N>>().map(Some),
        }
    }

    fn add(&self, change: Change, batch: &mut Changes, handler: Option<Numbered>) {
        match (change, handler) {
            (Change::Register(_), Some(handler)) => batch.register::<Ask<N>, _>(handler),
            (Change::Replace(_), Some(handler)) => batch.replace::<Ask<N>, _>(handler),
            _ => batch.deregister::<Ask<N>>(),
        };
    }

    fn ask(&self, bus: &QueryBus) -> Option<usize> {
        let blocking = answer(bus.execute_blocking(Ask::<N>));
        let awaited = pin!(bus.execute(Ask::<N>)).poll(&mut Task::from_waker(Waker::noop()));
        assert_eq!(awaited.map(answer), Poll::Ready(blocking));
        blocking
    }

    fn ask_local(&self, local: &mut LocalBus<Query>) -> Option<usize> {
        answer(local.execute_blocking(Ask::<N>))
    }

    fn route(&self, bus: &QueryBus) -> Option<Box<dyn Routed>> {
        let route = bus.route::<Ask<N>>().ok()?;
        Some(Box::new(route))
    }
}

impl<const N: usize> Routed for Route<Ask<N>> {
    fn ask(&mut self) -> Option<usize> {
        answer(self.execute_blocking(Ask::<N>))
    }
}

static ASKED: [&(dyn Asked + Sync); MESSAGES] = [
    &Of::<0>, &Of::<1>, &Of::<2>, &Of::<3>, &Of::<4>, &Of::<5>, &Of::<6>,
];

impl Change {
    fn message(self) -> usize {
        match self {
            Self::Register(message) | Self::Replace(message) | Self::Deregister(message) => message,
        }
    }
}

/// The registry with its handles, and the map against which they are checked.
struct World {
    model: Model,
    drops: Vec<Arc<AtomicU32>>,
    bus: QueryBus,
    registrar: Changer,
    local: LocalBus<Query>,
    /// Routes made at the first registration of their messages, and never again.
    routes: BTreeMap<usize, Box<dyn Routed>>,
    retired: Vec<Retired>,
}

impl World {
    fn new() -> Self {
        let (bus, registrar) = QueryBus::builder().capacity(1).open().expect("empty");
        Self {
            model: Model::default(),
            drops: Vec::new(),
            local: bus.local(),
            bus,
            registrar,
            routes: BTreeMap::new(),
            retired: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        let first = self.drops.len();
        let result = self.change(step);
        let expected = self.model.commit(&step.changes, first);
        match result {
            Ok(retired) => {
                assert_eq!(Ok(()), expected);
                self.retired.extend(retired.filter(|_| step.keep));
            }
            Err(error) => {
                assert_eq!(Err(refused(&error)), expected);
                assert!((first..self.drops.len()).all(|number| self.count(number) == 1));
            }
        }
        self.check_bus();
        if step.look {
            self.check_handles();
            self.check_drained();
        }
    }

    fn change(&mut self, step: &Step) -> Result<Option<Retired>, RegistrationError> {
        let mut handlers: Vec<_> = step.changes.iter().map(|c| self.handler(*c)).collect();
        if let ([change], false) = (&step.changes[..], step.batch) {
            let handler = handlers.remove(0);
            return ASKED[change.message()].make(*change, &self.registrar, handler);
        }
        let all = step.changes.iter().zip(handlers);
        let made = self.registrar.update(|batch| {
            all.for_each(|(c, handler)| ASKED[c.message()].add(*c, batch, handler));
        });
        made.map(Some)
    }

    fn handler(&mut self, change: Change) -> Option<Numbered> {
        if let Change::Deregister(_) = change {
            return None;
        }
        let (number, drops) = (self.drops.len(), Arc::new(AtomicU32::new(0)));
        self.drops.push(Arc::clone(&drops));
        Some(Numbered { number, drops })
    }

    fn count(&self, number: usize) -> u32 {
        self.drops[number].load(Ordering::SeqCst)
    }

    fn check_bus(&mut self) {
        let routes = self.bus.routes();
        let names: Vec<_> = routes.iter().map(|route| route.name()).collect();
        assert_eq!(names, self.model.names());
        for (message, asked) in ASKED.iter().enumerate() {
            let expected = self.model.0.get(&message).copied();
            assert_eq!(asked.ask(&self.bus), expected);
            let listed = routes
                .iter()
                .any(|route| route.message().type_name() == asked.type_name());
            assert_eq!(listed, expected.is_some());
            if expected.is_some() && !self.routes.contains_key(&message) {
                let route = asked.route(&self.bus).expect("registered");
                self.routes.insert(message, route);
            }
        }
    }

    fn check_handles(&mut self) {
        for (message, asked) in ASKED.iter().enumerate() {
            let expected = self.model.0.get(&message).copied();
            assert_eq!(asked.ask_local(&mut self.local), expected);
            if let Some(route) = self.routes.get_mut(&message) {
                assert_eq!(route.ask(), expected);
            }
        }
    }

    /// Checks the retired handlers, after every handle has moved on.
    fn check_drained(&mut self) {
        assert!(self.retired.drain(..).all(|retired| retired.is_drained()));
        self.registrar.reclaim();
        for number in 0..self.drops.len() {
            let lives = self.model.0.values().any(|held| *held == number);
            assert_eq!(self.count(number), u32::from(!lives), "handler {number}");
        }
    }
}

fn refused(error: &RegistrationError) -> Refused {
    let index = |message: &arcbus::MessageType| {
        ASKED
            .iter()
            .position(|asked| asked.type_name() == message.type_name())
            .expect("one of these")
    };
    match error {
        RegistrationError::Duplicate { message } => Refused::Duplicate(index(message)),
        RegistrationError::EmptyName { message } => Refused::EmptyName(index(message)),
        RegistrationError::NameClash { message, holder } => {
            Refused::NameClash(index(message), index(holder))
        }
        RegistrationError::NotRegistered { message } => Refused::NotRegistered(index(message)),
        error => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_registry_behaves_like_a_map_and_drops_every_handler_once(steps in vec(step(), 1..40)) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.step(step));
        let drops = world.drops.clone();
        drop(world);
        for count in drops {
            prop_assert_eq!(count.load(Ordering::SeqCst), 1);
        }
    }
}
