//! The command line as people and scripts meet it: help that is true, pages made from it, completions that complete, statuses
//! that are what is documented. Nothing here needs a service.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests say what they skip")]

mod completions;
mod examples;
mod exits;
mod reference;
mod release;
mod shell;
mod support;
