//! What the service tells over HTTP: one listener for machines, one for people and their programs.
//!
//! Both are read-only, listen on the loopback address unless configured otherwise, and keep to the same limits ([`limits`]
//! for requests, [`listener`] for connections). They know nothing of one another: who exhausts one leaves the probes of the other alone.

mod ask;
mod limits;
mod listener;
mod machines;
mod status;
#[cfg(test)]
mod testing;

pub(crate) use ask::ask;
pub(crate) use machines::{Probes, serve};
pub(crate) use status::{Status, serve as serve_status};
