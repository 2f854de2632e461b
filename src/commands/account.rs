//! What became of everything that a run read, so that whoever reads the summary can add it up.

use super::output::grouped;
use crate::pipeline::{Account, Counts};
use crate::terminal::words::plural;

/// `115,214 in 0.8 s, 144,017/s; 95 unreadable, 5 without a value`.
pub(super) fn records(counts: &Counts, seconds: f64) -> String {
    let rate = (counts.records as f64 / seconds) as u64;
    let others = [(counts.undecodable, "unreadable"), (counts.tombstones, "without a value")];
    let others = parts(&others);
    let others = if others.is_empty() { others } else { format!("; {others}") };
    format!("{} in {seconds:.1} s, {}/s{others}", grouped(counts.records), grouped(rate))
}

/// `230,014: 229,178 in windows, 797 in 40 open windows, 12 late, 27 refused`: the parts make the whole, with those before it that
/// an earlier run had left in open windows.
pub(super) fn readings(counts: &Counts, account: &Account) -> String {
    // Refused are whole records too, whose readings nobody knows.
    let refused = counts.quarantined.saturating_sub(counts.undecodable);
    let open = format!("in {}", plural(account.open_windows, "open window"));
    let parts = parts(&[
        (account.in_windows, "in windows"),
        (account.open, &open),
        (counts.late, "late"),
        (refused, "refused"),
    ]);
    let before = match account.before {
        0 => String::new(),
        before => format!(", and {} of windows that were left open", grouped(before)),
    };
    let parts = if parts.is_empty() { parts } else { format!(": {parts}") };
    format!("{}{before}{parts}", grouped(counts.readings))
}

fn parts(parts: &[(u64, &str)]) -> String {
    let some = parts.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{} {what}", grouped(*count))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_whole() {
        let counts = Counts {
            records: 115_214,
            readings: 230_014,
            undecodable: 95,
            tombstones: 5,
            late: 12,
            quarantined: 122,
            ..Counts::default()
        };
        let account = Account { before: 0, in_windows: 229_178, open: 797, open_windows: 40 };
        assert_eq!(counts.readings, account.in_windows + account.open + 12 + 27);
        assert_eq!(
            readings(&counts, &account),
            "230,014: 229,178 in windows, 797 in 40 open windows, 12 late, 27 refused"
        );
        assert_eq!(records(&counts, 2.0), "115,214 in 2.0 s, 57,607/s; 95 unreadable, 5 without a value");
        let again = Account { before: 797, in_windows: 797, ..Account::default() };
        assert_eq!(readings(&Counts::default(), &again), "0, and 797 of windows that were left open: 797 in windows");
        assert_eq!(readings(&Counts::default(), &Account::default()), "0");
        assert_eq!(records(&Counts::default(), 1.0), "0 in 1.0 s, 0/s");
    }
}
