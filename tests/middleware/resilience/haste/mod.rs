//! Callers in a hurry: whose limit ended a dispatch, and that a caller's haste is not held against the backend.

mod adaptive;
mod breaker;
mod hedge;
mod limits;
mod nested;
mod replies;
mod retry;
