//! A query and a command whose handlers follow a script in each attempt, behind a layer that can
//! reject them.

use std::future::pending;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use arcbus::{
    Bus, BusBuilder, CancelToken, Class, Command, Context, Error, FakeClock, Handler, Idempotent,
    Kind, Message, Middleware, Next, Outcome, Query, Stack,
};

use crate::acts::{Noted, Steps, poll_once, ready};

/// The event that happens in an attempt, in the layer or in the handler.
pub(crate) enum Step {
    Reply,
    /// The handler fails at once, with an error of this class.
    Down(Class),
    Panic,
    /// The handler never ends by itself, and has to be dropped.
    Wait,
    /// The handler ends with a reply when its context is cancelled.
    UntilCancelled,
    /// The layer in front of the handler rejects the message with this error.
    Refused(Error<Down>),
}

pub(crate) const FAIL: Step = Step::Down(Class::Transient);

/// The error of the scripted handler, which has a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Down(pub(crate) Class);

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "down: {:?}", self.0)
    }
}

pub(crate) fn down(class: Class) -> Error<Down> {
    Error::Handler(Down(class))
}

/// A value of the context, whose token the handler cancels.
pub(crate) struct Cancels(pub(crate) CancelToken);

/// A query or command with the script of its attempts.
pub(crate) struct Ask<K = Query>(pub(crate) fn(u32) -> Step, PhantomData<fn() -> K>);

impl<K> Clone for Ask<K> {
    fn clone(&self) -> Self {
        ask(self.0)
    }
}

pub(crate) fn ask<K>(script: fn(u32) -> Step) -> Ask<K> {
    Ask(script, PhantomData)
}

pub(crate) fn query(script: fn(u32) -> Step) -> Ask {
    ask(script)
}

impl<K: Kind> Message for Ask<K> {
    const NAME: &'static str = "ask";
    type Kind = K;
    type Reply = u32;
    type Error = Down;

    fn classify(error: &Down) -> Class {
        error.0
    }
}

impl Idempotent for Ask<Command> {}

/// A handler that replies with the number of the attempt. Notes the number with the milliseconds
/// since the start.
pub(crate) struct Script {
    clock: FakeClock,
    start: std::time::Instant,
    steps: Steps,
}

impl<K: Kind> Handler<Ask<K>> for Script {
    async fn handle(&self, msg: Ask<K>, cx: &Context<'_>) -> Result<u32, Down> {
        let at = (self.clock.now() - self.start).as_millis();
        self.steps.note(format!("{}@{at}", cx.attempt()));
        if let Some(Cancels(token)) = cx.get() {
            token.cancel();
        }
        match (msg.0)(cx.attempt()) {
            Step::Reply | Step::Refused(_) => Ok(cx.attempt()),
            Step::Down(class) => Err(Down(class)),
            Step::UntilCancelled => {
                cx.cancelled().await;
                Ok(cx.attempt())
            }
            Step::Panic => panic!("on purpose"),
            Step::Wait => {
                let _gone = Noted(self.steps.clone(), "gone".into());
                pending().await
            }
        }
    }
}

/// A gate that rejects a message if the script says so.
pub(crate) struct Refusing(Steps);

impl<K: Kind> Middleware<Ask<K>> for Refusing {
    async fn handle(
        &self,
        msg: Ask<K>,
        cx: &Context<'_>,
        next: &impl Next<Ask<K>>,
    ) -> Outcome<Ask<K>> {
        if let Step::Refused(error) = (msg.0)(cx.attempt()) {
            self.0.note(format!("{}!", cx.attempt()));
            return Err(error);
        }
        next.run(msg, cx).await
    }
}

/// A bus with the layers under test around a scripted handler.
pub(crate) struct Rig<K: Kind> {
    pub(crate) bus: Bus<K>,
    pub(crate) clock: FakeClock,
    pub(crate) steps: Steps,
}

pub(crate) fn rig<K: Kind, S>(builder: BusBuilder<K, S>) -> Rig<K>
where
    S: Stack<Ask<K>>,
{
    let (clock, steps) = (FakeClock::new(), Steps::default());
    let script = Script {
        clock: clock.clone(),
        start: clock.now(),
        steps: steps.clone(),
    };
    let bus = builder
        .clock(clock.clone())
        .wrap(Refusing(steps.clone()))
        .register::<Ask<K>, _>(script)
        .build()
        .expect("in range");
    Rig { bus, clock, steps }
}

impl<K: Kind> Rig<K> {
    /// Returns the outcomes and the steps of both lanes, for a script without pauses.
    pub(crate) fn lanes(&self, script: fn(u32) -> Step) -> [(Outcome<Ask<K>>, String); 2] {
        let blocked = self.bus.execute_blocking(ask::<K>(script));
        let blocked = (blocked, self.attempts());
        let awaited = ready(self.bus.execute(ask::<K>(script))).expect("it does not wait");
        [blocked, (awaited, self.attempts())]
    }

    /// Returns the outcome and the steps, and checks that both lanes agree.
    pub(crate) fn both(&self, script: fn(u32) -> Step) -> (Outcome<Ask<K>>, String) {
        let [blocked, awaited] = self.lanes(script);
        assert_eq!(blocked, awaited);
        blocked
    }

    /// Returns the numbers of the attempts so far, without their times.
    pub(crate) fn attempts(&self) -> String {
        let steps = self.steps.take();
        let numbers = steps.split(' ').map(|step| step.split('@').next());
        numbers.flatten().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn since_origin(&self) -> Duration {
        self.clock.clock().since_origin()
    }

    pub(crate) fn run(&self, script: fn(u32) -> Step) -> Outcome<Ask<K>> {
        self.run_with(script, Context::new())
    }

    /// Awaits a dispatch, and moves the clock by a millisecond whenever it waits.
    pub(crate) fn run_with(&self, script: fn(u32) -> Step, cx: Context<'_>) -> Outcome<Ask<K>> {
        let mut dispatch = Box::pin(self.bus.execute_with(ask::<K>(script), cx));
        for _ in 0..10_000_000 {
            if let Some(outcome) = self.poll(dispatch.as_mut()) {
                return outcome;
            }
            self.clock.advance(Duration::from_millis(1));
        }
        panic!("it waits for ever");
    }

    pub(crate) fn poll<F: Future>(&self, dispatch: Pin<&mut F>) -> Option<F::Output> {
        match poll_once(dispatch) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    /// Blocks a new thread on a dispatch, and calls `meanwhile` again and again until it ends.
    pub(crate) fn block_with(
        &self,
        script: fn(u32) -> Step,
        cx: Context<'static>,
        meanwhile: impl Fn(),
    ) -> Outcome<Ask<K>> {
        std::thread::scope(|scope| {
            let blocked = scope.spawn(move || self.bus.execute_blocking_with(ask::<K>(script), cx));
            while !blocked.is_finished() {
                meanwhile();
                std::thread::sleep(Duration::from_micros(100));
            }
            blocked.join().expect("no panic crosses the bus")
        })
    }
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
