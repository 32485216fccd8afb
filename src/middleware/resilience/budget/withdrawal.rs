//! [`Withdrawal`]: a repeat that was withdrawn from a budget and has not started yet.

use super::savings::Savings;
use crate::middleware::rate_limit::Reservation;

/// A withdrawn repeat, which returns to its source if dropped before [`used`](Self::used).
#[derive(Debug)]
#[must_use = "dropped, it goes back"]
pub(crate) struct Withdrawal<'b>(From<'b>);

#[derive(Debug)]
enum From<'b> {
    Savings(Saved<'b>),
    /// Returned on drop, unless another repeat was withdrawn in the meantime.
    Minimum(Reservation<'b>),
}

impl<'b> Withdrawal<'b> {
    pub(super) fn of_savings(savings: &'b Savings) -> Self {
        Self(From::Savings(Saved(Some(savings))))
    }

    pub(super) fn of_minimum(reservation: Reservation<'b>) -> Self {
        Self(From::Minimum(reservation))
    }

    /// Gives the repeat back at the tick `now`.
    pub(crate) fn give_back(self, now: u64) {
        if let From::Minimum(reservation) = self.0 {
            reservation.give_back_at(now);
        }
    }

    /// Marks the repeat as started, so that it is never given back.
    pub(crate) fn used(self) {
        match self.0 {
            From::Savings(mut saved) => saved.0 = None,
            From::Minimum(reservation) => reservation.used(),
        }
    }
}

#[derive(Debug)]
struct Saved<'b>(Option<&'b Savings>);

impl Drop for Saved<'_> {
    fn drop(&mut self) {
        if let Some(savings) = self.0 {
            savings.put_back();
        }
    }
}
