//! The windows as their users see them: laws on random logs, cases as text, and judges from outside.

/// Small logs as text, each entry followed by what came of it.
mod cases;
/// Two pipelines that share one log at a boundary.
mod hand_over;
/// What holds for every log.
mod laws;
/// A series with very many open windows.
mod many_windows;
/// Aggregates against pandas.
mod pandas;
/// State of every format version, kept as files.
mod snapshots;
/// The executable specification as the judge.
mod specification;
mod support;
/// Closed rows taken bit by bit.
mod taking;
