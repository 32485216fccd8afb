//! The clerk: reads a line, dispatches its message, and records the outcome.

use std::fmt::Display;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use arcbus::{Bus, Message, RegistrationError};
use serde::de::DeserializeOwned;

use super::Failure;
use super::buses::Shop;
use super::input::{self, Line, Lines, Malformed};
use super::messages::{
    CancelOrder, CreateProduct, CreateUser, GetOrder, GetProduct, GetUser, ListOrders, PlaceOrder,
    UpdateStock,
};
use super::model::ShopError;
use super::options::Show;
use super::report::Report;

/// Reads lines, dispatches their messages and records the outcomes.
#[derive(Debug)]
pub(crate) struct Clerk {
    shop: Shop,
    report: Report,
    show: Show,
}

/// Number of malformed lines that are reported, unless the user asks for all of them.
const COMPLAINTS: u64 = 3;

impl Clerk {
    pub(crate) fn new(show: Show) -> Result<Self, RegistrationError> {
        Ok(Self {
            shop: Shop::open()?,
            report: Report::default(),
            show,
        })
    }

    /// Serves every line of `input`, and reports malformed lines on `err`.
    pub(crate) fn serve(
        &mut self,
        input: impl BufRead,
        out: &mut impl Write,
        err: &mut impl Write,
    ) -> Result<(), Failure> {
        let served = self.serve_each(input, out, err);
        self.complain_of_the_rest(err).map_err(Failure::Write)?;
        served
    }

    fn serve_each(
        &mut self,
        input: impl BufRead,
        out: &mut impl Write,
        err: &mut impl Write,
    ) -> Result<(), Failure> {
        let mut lines = Lines::new(input);
        while let Some(Line { number, text }) = lines.next().map_err(Failure::Read)? {
            match text.and_then(|text| self.line(text)) {
                Ok(Some(printed)) => writeln!(out, "line {number}: {printed}"),
                Ok(None) => Ok(()),
                Err(malformed) => self.complain(number, &malformed, err),
            }
            .map_err(Failure::Write)?;
        }
        Ok(())
    }

    /// Returns the report, completed by the counts that only the shop has.
    pub(crate) fn into_report(mut self) -> Report {
        self.report
            .close(&self.shop.count().totals(), self.shop.turnover());
        self.report
    }

    fn complain(
        &mut self,
        number: u64,
        malformed: &Malformed,
        err: &mut impl Write,
    ) -> io::Result<()> {
        self.report.malformed(malformed.name());
        if self.show.every_complaint || self.report.malformed_lines() <= COMPLAINTS {
            writeln!(err, "line {number}: {malformed}")?;
        }
        Ok(())
    }

    /// Reports the number of malformed lines that were not reported one by one.
    fn complain_of_the_rest(&self, err: &mut impl Write) -> io::Result<()> {
        let rest = self.report.malformed_lines().saturating_sub(COMPLAINTS);
        match rest {
            _ if self.show.every_complaint => Ok(()),
            0 => Ok(()),
            1 => writeln!(
                err,
                "and 1 more line without a message (`--verbose` reports it)"
            ),
            _ => writeln!(
                err,
                "and {rest} more lines without a message (`--verbose` reports them)"
            ),
        }
    }

    /// Serves one line, and returns the text of the outcome if that is to be printed.
    fn line(&mut self, line: &str) -> Result<Option<String>, Malformed> {
        if line.is_empty() {
            return Ok(None);
        }
        match &*input::message_name(line)? {
            CreateUser::NAME => self.dispatch::<CreateUser>(line),
            CreateProduct::NAME => self.dispatch::<CreateProduct>(line),
            UpdateStock::NAME => self.dispatch::<UpdateStock>(line),
            PlaceOrder::NAME => self.dispatch::<PlaceOrder>(line),
            CancelOrder::NAME => self.dispatch::<CancelOrder>(line),
            GetUser::NAME => self.dispatch::<GetUser>(line),
            GetProduct::NAME => self.dispatch::<GetProduct>(line),
            GetOrder::NAME => self.dispatch::<GetOrder>(line),
            ListOrders::NAME => self.dispatch::<ListOrders>(line),
            unknown => Err(Malformed::UnknownMessage(unknown.into())),
        }
    }

    /// Dispatches the message of a line on the bus of its kind.
    fn dispatch<M>(&mut self, line: &str) -> Result<Option<String>, Malformed>
    where
        M: Message<Error = ShopError, Reply: Display> + DeserializeOwned,
        Shop: AsRef<Bus<M::Kind>>,
    {
        let msg: M = input::message(line)?;
        let bus: &Bus<M::Kind> = self.shop.as_ref();
        let start = Instant::now();
        let outcome = bus.execute_blocking(msg);
        self.report.record::<M>(&outcome, start.elapsed());
        Ok(self.show.outcomes.then(|| match outcome {
            Ok(reply) => format!("{} ok: {reply}", M::NAME),
            Err(error) => format!("{} failed: {error}", M::NAME),
        }))
    }
}
