//! What can be wrong with `[ingest.decode]`, and what to do about it.

/// Settings of `[ingest.decode]` that cannot be, or contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    #[error("`ingest.decode.{key}` is empty")]
    EmptyPath { key: &'static str },
    #[error("`ingest.decode.{key}` is a path of {keys} keys, but a column has one name")]
    NestedColumn { key: &'static str, keys: usize },
    #[error("`ingest.decode.{first}` and `ingest.decode.{second}` name the same field, or one lies inside the other")]
    Overlap { first: &'static str, second: &'static str },
    #[error("`ingest.decode.{key}` has no use where `{setting}` is `{value}`")]
    NoUse { key: &'static str, setting: &'static str, value: &'static str },
    #[error("`ingest.decode.{first}` and `ingest.decode.{second}` are both set, and either says it all")]
    Both { first: &'static str, second: &'static str },
    #[error("`{name}` stands twice in `ingest.decode.{key}`")]
    Twice { key: &'static str, name: String },
    #[error("`ingest.decode.columns` has no `{name}`, which `ingest.decode.{key}` names")]
    NoColumn { key: &'static str, name: String },
    #[error("`ingest.decode.delimiter` is {delimiter:?}, which cannot stand between fields")]
    Delimiter { delimiter: char },
    #[error("`ingest.decode.decimal` is {decimal:?}")]
    Decimal { decimal: char },
    #[error("`ingest.decode.decimal` and `ingest.decode.delimiter` are both {mark:?}")]
    DecimalDelimits { mark: char },
    #[error("`ingest.decode.time_format` is no pattern of a time: {problem}")]
    TimeFormat { problem: String },
    #[error("`ingest.decode.{key}` is {value}: it must be from {min} to {max}")]
    Range { key: &'static str, value: usize, min: usize, max: usize },
}

impl SettingError {
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            SettingError::EmptyPath { key: "device_property" | "time_property" } => {
                "name the property, or leave it out".into()
            }
            SettingError::Both { .. } => "leave one of them out".into(),
            SettingError::EmptyPath { .. } => {
                "write a key, keys joined by dots, or a list of keys if a key holds a dot".into()
            }
            SettingError::NestedColumn { .. } => "give the column's name as plain text, dots and all".into(),
            SettingError::Overlap { .. } => "give each part of a reading a field of its own".into(),
            SettingError::NoUse { key: key @ ("sensors" | "ignore"), .. } => {
                format!("set `shape = \"wide\"` if each sensor has its own field, or leave `{key}` out")
            }
            SettingError::NoUse { .. } => "set `format = \"csv\"`, or leave it out".into(),
            SettingError::Twice { .. } => "name each one once".into(),
            SettingError::NoColumn { .. } => {
                "list the columns' names in their order, spelled as in the other settings".into()
            }
            SettingError::Delimiter { .. } => "use one ASCII character like `,`, `;`, `|` or a tab".into(),
            SettingError::Decimal { .. } => "write `.` or `,`: what stands before the fraction of a number".into(),
            SettingError::DecimalDelimits { .. } => {
                "where numbers have decimal commas, fields are mostly divided by semicolons: set `ingest.decode.delimiter = \";\"`".into()
            }
            SettingError::TimeFormat { .. } => "write it like `%d.%m.%Y %H:%M:%S`".into(),
            SettingError::Range { .. } => "choose a value within the range".into(),
        }
    }
}
