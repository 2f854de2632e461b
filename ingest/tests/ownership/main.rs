//! Partitions shared by notes in a real blob service: members that join, leave and die; Microsoft's own client on the same
//! container, both ways; and what KEDA makes of it. Needs `ATALAIA_TEST_AZURITE` and `ATALAIA_TEST_PYTHON`; without them each test says that it was skipped.
// Helpers of tests are not seen as tests; a skip must be visible.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod conformance;
mod members;
mod support;
