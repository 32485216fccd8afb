//! Impatient callers: the owner of the limit that ended a dispatch, and no evidence against the
//! backend.

mod adaptive;
mod breaker;
mod hedge;
mod limits;
mod nested;
mod replies;
mod retry;
