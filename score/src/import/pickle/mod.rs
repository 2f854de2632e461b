//! Pickle and joblib files -> inert values.
//!
//! A pickle is a program for a small machine whose instructions can call anything. This reader has a machine without
//! calls: it builds numbers, texts, lists and a fixed list of classes. Nothing is copied until it is asked for, nothing
//! recurses, and every amount has a bound.

mod calls;
mod joblib;
mod machine;

pub(super) use machine::run;
