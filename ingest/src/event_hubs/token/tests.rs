//! Every way to a token, against endpoints that answer as Microsoft's do, and as they should not.

mod entra;
mod fake;
mod given;
