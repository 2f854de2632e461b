//! Object stores by URL, with credentials from the configuration.
//!
//! One idea: a URL says *where*, `[storage]` says *with what right*, and the two meet only here. What comes out is a
//! [`Location`]: a store, a prefix in it, and a name that is safe to print. Retrying belongs to the callers, who know
//! how long they can wait; the client underneath tries only a few times.

mod address;
mod check;
mod config;
pub mod emulator;
mod error;
mod folder;
mod limits;
mod list;
mod location;
mod open;

pub use address::check as check_url;
pub use check::{check, check_rights, check_writable};
pub use config::Config;
pub use error::{Error, Kind};
pub use list::list;
pub use location::{Location, StoreKind};
pub use open::{open, open_for};

#[cfg(test)]
mod tests;
