//! What can go wrong while making things durable (skeleton).

#[derive(Debug, thiserror::Error)]
pub enum Error {}
