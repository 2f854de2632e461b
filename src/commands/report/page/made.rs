//! How the report was made, so that it can be made again.

use super::{Gathered, Made, open};
use crate::commands::markup::Safe;
use crate::commands::output::grouped;
use crate::commands::report::svg::put;
use crate::commands::report::text::{moment, plural, shortened};

pub(super) fn panel(out: &mut String, gathered: &Gathered, made: &Made<'_>) {
    let Gathered { census, files, bytes, took, .. } = gathered;
    open(out, "made", "How it was made", "");
    let labels = made.labels.iter().map(|file| shortened(file, 200)).collect::<Vec<_>>().join(", ");
    let read = format!(
        "{} of predictions in {}, {} bytes, in {:.1} s",
        plural(census.rows, "row", "rows"),
        plural(*files as u64, "file", "files"),
        grouped(*bytes),
        took.as_secs_f64()
    );
    let mut pairs = vec![
        ("Command", format!("<code>{}</code>", Safe(made.command))),
        ("Version", format!("atalaia {}", env!("CARGO_PKG_VERSION"))),
        ("Dataset", Safe(&shortened(made.place, 400)).to_string()),
    ];
    if !labels.is_empty() {
        pairs.push(("Labels", Safe(&labels).to_string()));
    }
    pairs.push(("Read", read));
    pairs.push(("Made", format!("{} UTC", moment(made.now - made.now.rem_euclid(1_000_000)))));
    out.push_str("<dl class=\"pairs\">");
    for (term, text) in pairs {
        put(out, format_args!("<dt>{term}</dt><dd>{text}</dd>"));
    }
    out.push_str("</dl></section>\n");
}
