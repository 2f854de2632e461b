//! What goes wrong in operation, done to the built binary: deaths, bad input, bad settings, a store that is full.

mod clock;
mod crash;
mod disk;
mod input;
mod messages;
mod owners;
