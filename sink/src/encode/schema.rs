//! The physical schema of each dataset. Frozen: readers depend on it, so columns are never renamed, retyped, reordered
//! or dropped. `docs/output.md` shows the same tables, and a test compares them.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A folder of finished files that readers look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dataset {
    Predictions,
    Late,
    Quarantine,
    /// How the work went, a row a commit.
    Runs,
}

/// A column as documented.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    /// As in the documentation: `string`, `int32`, `int64`, `double`, `boolean`, `timestamp`, `map<string,double>`.
    pub kind: &'static str,
    /// Whether it may be null.
    pub nullable: bool,
    pub meaning: &'static str,
}

impl Dataset {
    pub const ALL: [Dataset; 4] = [Dataset::Predictions, Dataset::Late, Dataset::Quarantine, Dataset::Runs];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Dataset::Predictions => "predictions",
            Dataset::Late => "late",
            Dataset::Quarantine => "quarantine",
            Dataset::Runs => "runs",
        }
    }

    #[must_use]
    pub fn columns(self) -> &'static [Column] {
        match self {
            Dataset::Predictions => PREDICTIONS,
            Dataset::Late => LATE,
            Dataset::Quarantine => QUARANTINE,
            Dataset::Runs => RUNS,
        }
    }

    pub(crate) fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; 4]> = LazyLock::new(|| {
            Dataset::ALL.map(|dataset| {
                let fields: Vec<Field> = dataset.columns().iter().map(Column::field).collect();
                Arc::new(Schema::new(fields))
            })
        });
        Arc::clone(&SCHEMAS[self as usize])
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Column {
    fn field(&self) -> Field {
        Field::new(self.name, data_type(self.kind), self.nullable)
    }
}

fn data_type(kind: &str) -> DataType {
    match kind {
        "string" => DataType::Utf8,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "double" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        "map<string,double>" => {
            let entry = vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Float64, true)];
            DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry.into()), false)), false)
        }
        other => unreachable!("`{other}` is not a kind of column"),
    }
}

pub(crate) const UTC: &str = "UTC";

const fn required(name: &'static str, kind: &'static str, meaning: &'static str) -> Column {
    Column { name, kind, nullable: false, meaning }
}

const fn optional(name: &'static str, kind: &'static str, meaning: &'static str) -> Column {
    Column { name, kind, nullable: true, meaning }
}

const PREDICTIONS: &[Column] = &[
    required("pipeline", "string", "id of the pipeline that wrote the row"),
    required("device", "string", "device id, as the readings named it"),
    optional("sensor", "string", "sensor; null in rows of models that take a whole device"),
    required("window_start", "timestamp", "the window is from here, inclusive"),
    required("window_end", "timestamp", "to here, exclusive"),
    optional(
        "value_count",
        "int64",
        "readings in the window, of all its sensors in rows of device models; the other `value_` columns are null there",
    ),
    optional("value_sum", "double", "their sum"),
    optional("value_mean", "double", "their mean"),
    optional("value_std", "double", "sample standard deviation (ddof 1); null for one reading"),
    optional("value_min", "double", "smallest value"),
    optional("value_max", "double", "largest value"),
    optional("value_first", "double", "value that came first in the log"),
    optional("value_last", "double", "value that came last in the log"),
    optional("value_delta", "double", "mean minus the mean of the adjacent window before; null after a gap"),
    optional("features", "map<string,double>", "what a device model was given; null otherwise"),
    optional(
        "decision",
        "double",
        "signed distance to the boundary, as scikit-learn's `decision_function`; null if not scored",
    ),
    optional(
        "severity",
        "double",
        "higher is more anomalous, the mean over adjacent windows where the model smooths; null unless it defines it",
    ),
    optional(
        "threshold",
        "double",
        "what `severity` is compared with; null for models judged by the sign of `decision`",
    ),
    required("is_anomaly", "boolean", "alert on this; false if not scored"),
    optional("prediction", "int32", "1 for an anomaly, 0 for none; null if not scored"),
    required(
        "status",
        "string",
        "`scored`, `no_model`, `model_unavailable`, `missing_feature`, `too_few` or `non_finite`",
    ),
    required("closed_by", "string", "what closed the window: `device`, `silence`, `partition` or `drain`"),
    optional(
        "top_feature",
        "string",
        "the feature that moved the decision most; null unless an anomaly of several features, and where only the windows before it make it one",
    ),
    optional("model_key", "string", "model that scored the row; null if none did"),
    optional("model_set", "string", "set the model belongs to; null if no model was found"),
    optional("model_version", "string", "version of the model; null if none scored"),
    required("source_partition", "int32", "partition of the topic that the readings came from"),
];

const LATE: &[Column] = &[
    required("pipeline", "string", "id of the pipeline that wrote the row"),
    required("device", "string", "device id, as the reading named it"),
    required("sensor", "string", "sensor"),
    required("event_time", "timestamp", "time of the reading"),
    required("value", "double", "value of the reading"),
    required("window_start", "timestamp", "start of the window it came too late for"),
    required("late_by", "int64", "microseconds from the reading's time to the time up to which its device was closed"),
    required("closed_by", "string", "what had closed it: `device`, `silence`, `partition`, `drain` or `floor`"),
    required("partition", "int32", "partition of the topic"),
    required("position", "int64", "position of the record in the partition"),
    required("index", "int32", "place of the reading in the record, from 0"),
];

const QUARANTINE: &[Column] = &[
    required("pipeline", "string", "id of the pipeline that wrote the row"),
    required("reason", "string", "why the items were refused"),
    required("first_position", "int64", "position of the first record of the run"),
    required("last_position", "int64", "position of the last record of the run"),
    optional(
        "index",
        "int32",
        "place in the record of a single refused reading, from 0; null for whole records and for runs",
    ),
    required("count", "int64", "refused items in the run: sum this, do not count rows"),
    optional("broker_time", "timestamp", "broker time of the first record; null if it had none"),
    required("detail", "string", "what was wrong with the first item"),
    optional(
        "sample",
        "string",
        "beginning of the first item's payload, escaped; null once a reason has had its samples",
    ),
    required("partition", "int32", "partition of the topic"),
];

const RUNS: &[Column] = &[
    required("pipeline", "string", "id of the pipeline that wrote the row"),
    required("instance", "string", "host and process that made the commit"),
    required("partition", "int32", "partition of the topic"),
    required("seq", "int64", "number of the commit in the partition's log"),
    required("kind", "string", "`genesis`, `claim`, `data`, `gap`, `release` or `drain`"),
    required("committed_at", "timestamp", "when the commit was built, by that instance's clock"),
    required("from_position", "int64", "first position read since the commit before"),
    required("next_position", "int64", "the position after the last one"),
    required("records", "int64", "records read since the commit before"),
    required("readings", "int64", "readings decoded from them"),
    required("rows", "int64", "rows of `predictions` in the commit"),
    required("late", "int64", "rows of `late` in the commit"),
    required("quarantined", "int64", "refused items in the commit, as `quarantine` counts them"),
    required("anomalies", "int64", "rows of `predictions` that are anomalies"),
    required("files", "int32", "files of the commit"),
    required("bytes", "int64", "bytes of the commit: files, state and header"),
    optional("fold_seconds", "double", "spent reading and aggregating; null if its owner died before it could tell"),
    optional("score_seconds", "double", "spent scoring; null likewise"),
    optional("encode_seconds", "double", "spent on snapshot and files; null likewise"),
    optional(
        "commit_seconds",
        "double",
        "from asking the store to the durable record and visible files; null likewise",
    ),
    optional("model_set", "string", "set of models that scored the rows; null without rows"),
    optional("arrival_clock", "timestamp", "the partition's arrival clock; null before it has one"),
    optional(
        "wall_steps",
        "string",
        "where elapsed wall time moved it: `position:time` in microseconds, separated by blanks; null if nowhere",
    ),
    optional("error", "string", "what went wrong with the commit's owner; null if nothing did"),
];
