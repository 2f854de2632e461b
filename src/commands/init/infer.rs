//! From a sample of records to the settings that read them, with a reason for each.
//!
//! Pure: records in, a guess out. What a field holds suggests what it means (`fields`, `names`, `parts`), combinations are tried (`candidates`), and
//! the service's own decoder says under which of them most is read (`judge`). Where two do equally well, both are told.

mod candidates;
mod csv;
mod encoding;
mod explain;
mod fields;
mod guess;
mod json;
mod judge;
mod names;
mod parts;
mod rivals;
mod times;

use ingest::decode::{Config, Format, Shape};

use self::candidates::Candidate;
use self::encoding::Lost;
use self::fields::Fields;
pub(crate) use self::guess::{Guess, shown};
use self::json::Json;
use self::judge::Verdict;
pub(crate) use self::judge::{Rhythm, Tally};

/// A record as a source hands it over.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sample {
    pub(crate) payload: Vec<u8>,
    pub(crate) key: Vec<u8>,
    /// The properties that `device_property` and `time_property` of [`Context::decode`] name.
    pub(crate) device: Option<String>,
    pub(crate) time: Option<String>,
}

/// What is known of the sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Lines of a file, in order: the first one may name columns, and a document may take several.
    pub(crate) lines: bool,
    /// Limits and properties that hold whatever is guessed.
    pub(crate) decode: &'a Config,
    /// What the device is called where nothing names one.
    pub(crate) name: &'a str,
}

/// Why there is no guess.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unknown {
    #[error("there are no records in the sample")]
    Empty,
    #[error("the records are neither JSON nor rows of CSV; the first one begins with `{start}`")]
    NoFormat { start: String },
    #[error("{count} of {of} records of the sample are text that is not UTF-8, the first of them in line {first}")]
    Encoding { count: usize, of: usize, first: usize },
    #[error("nothing in the sample can be read as readings: {problem}")]
    NoReadings { problem: String, advice: String },
}

impl Unknown {
    pub(crate) fn hint(&self) -> String {
        match self {
            Unknown::Empty => "give a file, or a topic, that holds some records".into(),
            Unknown::NoFormat { .. } => {
                "records are JSON objects or arrays of them (a file has one in a line), rows of CSV with `,`, `;`, tab or `|` between at \
                 least two columns, or Avro files; Avro messages of a schema registry and Protobuf are not read"
                    .into()
            }
            Unknown::Encoding { .. } => encoding::REMEDY.into(),
            Unknown::NoReadings { advice, .. } => advice.clone(),
        }
    }
}

/// So many combinations are tried on the sample.
const TRIED_MAX: usize = 48;
/// Fewer of a sample of many bytes.
const TRIED_OF_LARGE_MAX: usize = 12;
const LARGE_BYTES: usize = 4 << 20;
/// Rows whose fields are looked at: an array may hold very many.
const ROWS_MAX: usize = 5000;

/// The sample, understood as far as its format.
struct Table {
    samples: Vec<Sample>,
    fields: Fields,
    /// Without any part of a reading in it.
    base: Config,
    header: Option<Vec<String>>,
    form: Form,
    /// Records that cannot be read for their encoding.
    lost: Option<Lost>,
}

/// What the records are, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    /// JSON of which one record takes several lines.
    Document,
    Csv {
        named: bool,
    },
}

struct Tried {
    candidate: Candidate,
    verdict: Verdict,
    points: i32,
}

/// Finds out how these records are to be read.
///
/// # Errors
/// If nothing of them can be: [`Unknown`] says what was seen.
pub(crate) fn infer(samples: &[Sample], context: &Context<'_>) -> Result<Guess, Unknown> {
    let table = Table::of(samples, context)?;
    let candidates = candidates::candidates(&table.fields, &table.samples, &table.base, context);
    let bytes: usize = table.samples.iter().map(|sample| sample.payload.len()).sum();
    let most = if bytes > LARGE_BYTES { TRIED_OF_LARGE_MAX } else { TRIED_MAX };
    let mut tried: Vec<Tried> = candidates.into_iter().take(most).filter_map(|one| table.try_out(one)).collect();
    tried.sort_by_key(|tried| -tried.points);
    let best = tried.first().filter(|best| best.verdict.tally.readings > 0);
    match best {
        Some(_) => Ok(guess::of(&table, &tried)),
        None => Err(explain::nothing(&table, &tried)),
    }
}

impl Table {
    fn of(samples: &[Sample], context: &Context<'_>) -> Result<Table, Unknown> {
        let lost = Lost::of(samples);
        if let Some(unknown) = lost.as_ref().and_then(|lost| lost.too_many(samples.len(), context.lines)) {
            return Err(unknown);
        }
        let texts: Vec<&str> = samples.iter().filter_map(|sample| text(&sample.payload)).collect();
        let Some(first) = texts.first() else {
            return Err(samples
                .first()
                .map_or(Unknown::Empty, |sample| Unknown::NoFormat { start: start(&sample.payload) }));
        };
        let parsed: Vec<Json> = texts.iter().filter_map(|text| container(text)).collect();
        if parsed.len() * 2 >= texts.len() {
            return Ok(Table { lost, ..Table::json(samples.to_vec(), &parsed, Form::Json, context) });
        }
        if context.lines && first.starts_with(['{', '[']) {
            let documents = documents(&texts.join("\n"));
            if !documents.is_empty() {
                let parsed: Vec<Json> =
                    documents.iter().filter_map(|sample| container(text(&sample.payload)?)).collect();
                return Ok(Table::json(documents, &parsed, Form::Document, context));
            }
        }
        match csv::read(&texts, context.lines) {
            Some(rows) => Ok(Table::csv(samples, rows, lost, context)),
            None => Err(Unknown::NoFormat { start: start(first.as_bytes()) }),
        }
    }

    fn json(samples: Vec<Sample>, parsed: &[Json], form: Form, context: &Context<'_>) -> Table {
        let note = |fields: &mut Fields| {
            parsed.iter().flat_map(Json::rows).take(ROWS_MAX).for_each(|row| row.note_in(fields));
        };
        let (fields, decimal) = noted(note, true);
        let base = Config { format: Format::Json, decimal, ..base(&samples, context) };
        Table { samples, fields, base, header: None, form, lost: None }
    }

    fn csv(samples: &[Sample], rows: csv::Rows, lost: Option<Lost>, context: &Context<'_>) -> Table {
        let (fields, decimal) = noted(|fields| rows.note_in(fields), rows.delimiter != ',');
        // A row may span lines and the header is none, so records and rows are counted anew; properties are those of records of a stream.
        let samples: Vec<Sample> = if context.lines {
            let read = rows.texts.iter().map(|text| Sample { payload: text.clone().into_bytes(), ..Sample::default() });
            read.chain(lost.iter().flat_map(|lost| lost.samples.iter().cloned())).collect()
        } else {
            samples.to_vec()
        };
        let header = (context.lines && rows.named).then(|| rows.columns.clone());
        let columns = if header.is_some() { Vec::new() } else { rows.columns };
        let base = base(&samples, context);
        let base = Config { format: Format::Csv, delimiter: rows.delimiter, decimal, columns, ..base };
        Table { samples, fields, base, header, form: Form::Csv { named: rows.named }, lost }
    }

    fn try_out(&self, candidate: Candidate) -> Option<Tried> {
        let mut verdict = judge::judge(&candidate.config, self.header.as_deref(), &self.samples)?;
        if let (Some(lost), Some(refused)) = (&self.lost, verdict.tally.refused.get_mut("not_utf8")) {
            refused.record = lost.first.saturating_sub(usize::from(self.header.is_some()));
        }
        // What the decoder reads weighs more than any name.
        let read = (verdict.tally.share() * 100.0) as i32;
        let contradicts = verdict.contradictions * 5 > verdict.tally.readings;
        let against = if contradicts || verdict.one_to_one { 20 } else { 0 };
        let points = candidate.points + read - against;
        Some(Tried { candidate, verdict, points })
    }
}

impl Tried {
    fn share(&self) -> f64 {
        self.verdict.tally.share()
    }

    fn config(&self) -> &Config {
        &self.candidate.config
    }

    fn is_wide(&self) -> bool {
        self.config().shape == Shape::Wide
    }
}

/// The fields, and what stands before the fractions of numbers that are text.
fn noted(note: impl Fn(&mut Fields), may_have_commas: bool) -> (Fields, char) {
    let mut fields = Fields::default();
    note(&mut fields);
    if !may_have_commas || !fields.has_commas() {
        return (fields, '.');
    }
    let mut fields = Fields::with_commas();
    note(&mut fields);
    (fields, ',')
}

/// What holds whatever is guessed: limits, and what stands outside the payload.
fn base(samples: &[Sample], context: &Context<'_>) -> Config {
    let kept = Config {
        sensors: Vec::new(),
        ignore: Vec::new(),
        columns: Vec::new(),
        time_format: None,
        ..context.decode.clone()
    };
    let longest = samples.iter().map(|sample| sample.payload.len()).max().unwrap_or(0);
    Config { record_bytes_max: kept.record_bytes_max.max(longest.next_power_of_two()), ..kept }
}

fn text(payload: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(payload).ok()?.trim_start_matches('\u{feff}').trim();
    (!text.is_empty()).then_some(text)
}

fn container(text: &str) -> Option<Json> {
    let looks = text.starts_with(['{', '[']);
    looks.then(|| serde_json::from_str(text).ok()).flatten()
}

/// Whether a file that begins with this line holds a document over several lines.
pub(crate) fn opens_document(line: &[u8]) -> bool {
    text(line).is_some_and(|line| line.starts_with(['{', '[']) && container(line).is_none())
}

/// The values that follow each other in a text, whatever lines they take.
fn documents(text: &str) -> Vec<Sample> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Json>();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(Ok(Json::Object(_) | Json::Array(_))) = stream.next() {
        let to = stream.byte_offset();
        found.push(Sample { payload: text[from..to].trim().into(), ..Sample::default() });
        from = to;
    }
    found
}

/// The first bytes, as a message may show them.
fn start(payload: &[u8]) -> String {
    let start: String = String::from_utf8_lossy(&payload[..payload.len().min(48)]).into_owned();
    shown(&start)
}

#[cfg(test)]
mod chance;
#[cfg(test)]
mod tests;
