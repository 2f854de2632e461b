//! Live views on a terminal: what those of `demo` and `top` have in common.
//!
//! A view is plain data, made from what it watches, and a pure function that draws it. Here is the rest: how a terminal is
//! taken and given back, the styles, words and pieces that views are made of.

mod columns;
mod findings;
mod guard;
mod held;
mod style;
#[cfg(test)]
pub(crate) mod testing;
mod widgets;
pub(crate) mod words;

pub(crate) use columns::{Column, Columns, Width};
pub(crate) use findings::{Finding, Top, findings};
pub(crate) use guard::{Key, Screen, give_back, is_live, is_taken, width};
pub(crate) use held::{StandardError, beside_bar, share_with};
pub(crate) use style::Theme;
pub(crate) use widgets::{Headline, gauge, plain, rule, severity, spark};
