//! What one request to a store may meet, and the errors that clients make of it.

use object_store::client::{HttpError, HttpErrorKind};
use object_store::{Error, PutMode};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// An error, and nothing happened.
    FailsBefore,
    /// It happened, and the client hears of an error.
    AnswerLost,
    /// The client gave up; it happens a little later, after the next try.
    LandsLate,
    /// The client gave up and was killed; it happens while the next owner is at work.
    LandsForNextOwner,
    /// 429, three times in a row.
    Throttled,
    /// 503, three times in a row.
    Unavailable,
    /// No answer until the limit is over, and nothing happened.
    TimesOut,
    /// 409 or 412, although nothing is there.
    Conflict,
    KillBefore,
    KillAfter,
    /// The process stops before the request, and goes on when another has just taken over.
    PausesBriefly,
    /// The same, until the other has removed its old records.
    PausesLong,
    /// The process stops after the request and before it sees the answer, until another has done some work.
    PausesAfter,
}

impl Fault {
    pub(super) const ALL: [Fault; 13] = [
        Fault::FailsBefore,
        Fault::AnswerLost,
        Fault::LandsLate,
        Fault::LandsForNextOwner,
        Fault::Throttled,
        Fault::Unavailable,
        Fault::TimesOut,
        Fault::Conflict,
        Fault::KillBefore,
        Fault::KillAfter,
        Fault::PausesBriefly,
        Fault::PausesLong,
        Fault::PausesAfter,
    ];

    /// How many requests in a row meet it.
    pub(super) fn burst(self) -> u32 {
        if matches!(self, Fault::Throttled | Fault::Unavailable) { 3 } else { 1 }
    }

    /// Rounds of the successor's work before a paused process goes on.
    pub(super) fn rounds_away(self) -> usize {
        match self {
            Fault::PausesLong => 6,
            Fault::PausesAfter => 2,
            _ => 0,
        }
    }

    /// As `object_store` tells it. `odd` chooses where clients differ.
    pub(super) fn error(self, path: &str, mode: Option<&PutMode>, odd: bool) -> Error {
        match self {
            Fault::Throttled => answered("429 Too Many Requests"),
            Fault::Unavailable => answered("503 Service Unavailable"),
            Fault::TimesOut | Fault::LandsLate | Fault::LandsForNextOwner => timed_out(),
            Fault::Conflict if matches!(mode, Some(PutMode::Create)) && odd => {
                Error::Precondition { path: path.to_owned(), source: "412 Precondition Failed".into() }
            }
            Fault::Conflict if matches!(mode, Some(PutMode::Create)) => {
                Error::AlreadyExists { path: path.to_owned(), source: "409 Conflict".into() }
            }
            Fault::Conflict => answered("409 Conflict"),
            _ => interrupted(),
        }
    }
}

fn answered(status: &str) -> Error {
    let text = format!("Error after 3 retries: Server returned non-2xx status code: {status}: ");
    Error::Generic { store: "trial", source: text.into() }
}

fn timed_out() -> Error {
    http(HttpErrorKind::Timeout, std::io::ErrorKind::TimedOut)
}

fn interrupted() -> Error {
    http(HttpErrorKind::Interrupted, std::io::ErrorKind::ConnectionReset)
}

fn http(kind: HttpErrorKind, cause: std::io::ErrorKind) -> Error {
    Error::Generic { store: "trial", source: Box::new(HttpError::new(kind, std::io::Error::from(cause))) }
}
