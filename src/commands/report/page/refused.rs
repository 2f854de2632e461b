//! What did not count, by reason, with a record to look for.

use super::{Gathered, bar, close_table, named, open, open_table};
use crate::commands::markup::Safe;
use crate::commands::output::grouped;
use crate::commands::report::svg::put;
use crate::commands::report::text::{figure, moment, name, percent, plural, span};

pub(super) fn panels(out: &mut String, gathered: &Gathered) {
    late(out, gathered);
    quarantine(out, gathered);
}

fn late(out: &mut String, gathered: &Gathered) {
    let refused = &gathered.refused;
    let all = refused.late_readings();
    open(
        out,
        "late",
        "Late readings",
        &format!("{} after the window was closed.", plural(all, "reading came", "readings came")),
    );
    if all == 0 {
        out.push_str("<p class=\"nothing\">Every reading came in time.</p></section>\n");
        return;
    }
    open_table(
        out,
        "late",
        "Late readings, by what had closed their windows",
        &[
            ("", "Closed by"),
            ("number", "Readings"),
            ("number", "Share"),
            ("number", "Latest by"),
            ("text", "The latest of them"),
        ],
    );
    for (closed_by, late) in &refused.late {
        let example = late.example.as_ref().map(|one| {
            format!(
                "{} of <b>{}</b>: {} at {} UTC, record {} of partition {}",
                named(&one.sensor),
                named(&one.device),
                figure(one.value),
                moment(one.time),
                one.position,
                one.partition
            )
        });
        put(
            out,
            format_args!(
                "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}{}</td><td class=\"number\">{}</td><td class=\"text faint\">{}</td></tr>\n",
                Safe(&name(closed_by)),
                grouped(late.readings),
                percent(late.readings, all),
                bar(late.readings, all),
                span(late.longest),
                example.unwrap_or_default()
            ),
        );
    }
    close_table(out);
    out.push_str("</section>\n");
}

fn quarantine(out: &mut String, gathered: &Gathered) {
    let refused = &gathered.refused;
    let all = refused.quarantined();
    open(
        out,
        "quarantine",
        "Quarantine",
        &format!("{} refused.", plural(all, "record or reading was", "records or readings were")),
    );
    if all == 0 {
        out.push_str("<p class=\"nothing\">Nothing was refused.</p></section>\n");
        return;
    }
    open_table(
        out,
        "quarantine",
        "What was refused, by reason",
        &[("", "Reason"), ("number", "Count"), ("number", "Share"), ("text", "Example"), ("text", "What to do")],
    );
    let mut reasons: Vec<_> = refused.reasons.iter().collect();
    reasons.sort_by_key(|(_, reason)| std::cmp::Reverse(reason.count));
    for (word, reason) in reasons {
        let known = types::Reason::ALL.into_iter().find(|known| known.as_str() == word);
        let remedy = known.map_or(String::new(), |known| code(known.remedy()));
        let sample = reason.sample.as_ref().map(|sample| format!("<code class=\"sample\">{}</code>", Safe(sample)));
        put(
            out,
            format_args!(
                "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}{}</td><td class=\"text\">{}{}<span class=\"faint reason\">record {} of partition {}{}</span></td><td class=\"text faint\">{remedy}</td></tr>\n",
                Safe(&name(&word.replace('_', " "))),
                grouped(reason.count),
                percent(reason.count, all),
                bar(reason.count, all),
                code(&reason.detail),
                sample.unwrap_or_default(),
                reason.position,
                reason.partition,
                reason.time.map_or(String::new(), |time| format!(", {} UTC", moment(time)))
            ),
        );
    }
    close_table(out);
    out.push_str("</section>\n");
}

/// What stands in backticks is code.
fn code(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return Safe(text).to_string();
    }
    let part = |(place, part): (usize, &&str)| match place % 2 {
        0 => Safe(part).to_string(),
        _ => format!("<code>{}</code>", Safe(part)),
    };
    parts.iter().enumerate().map(part).collect()
}
