//! The built binary against real services. `make test` starts them; without them these tests are skipped, visibly.

mod support;

// The reference's readings and models give the reference's predictions.
mod golden;
