//! Why a model file was refused.

use crate::Flaw;

/// Why a file is not a model that can be used. Names from the file are shortened and escaped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("it is empty")]
    Empty,
    #[error("it is not a pickle (protocol 2 to 5), joblib, skops or ONNX file")]
    Unknown,
    #[error("it is {format}, which is not read")]
    Format { format: &'static str },
    #[error("it is a pointer of git-lfs, not the file itself")]
    Pointer,
    #[error("pickle protocol {protocol} is not supported; 2 to 5 are")]
    Protocol { protocol: u8 },
    #[error("it ends early, at byte {at}")]
    Truncated { at: usize },
    #[error("{extra} bytes follow its end")]
    Trailing { extra: usize },
    #[error("its {format} stream {problem}")]
    Packed { format: &'static str, problem: &'static str },
    #[error("it names `{name}`, which is not on the list of classes that are read")]
    Global { name: String },
    #[error("it wants `{name}` to be called with other arguments than scikit-learn's own files do")]
    Call { name: &'static str },
    #[error("it uses {what} at byte {at}, which models do not need")]
    Unsupported { what: &'static str, at: usize },
    #[error("unknown opcode 0x{opcode:02x} at byte {at}")]
    Opcode { opcode: u8, at: usize },
    #[error("it is damaged at byte {at}: {problem}")]
    Damaged { at: usize, problem: &'static str },
    #[error("more than {max} {what}")]
    TooLarge { what: &'static str, max: usize },
    #[error("the archive {problem}")]
    Archive { problem: &'static str },
    #[error("the archive has no `{name}`")]
    Member { name: String },
    #[error("`{name}` in the archive {problem}")]
    Npy { name: String, problem: &'static str },
    #[error("schema.json {problem}")]
    Schema { problem: &'static str },
    #[error("schema.json has a node of the kind `{kind}`, which is not on the list of those that are read")]
    Node { kind: String },
    #[error("the graph uses the operator `{operator}`, which is not on the list of those that are read")]
    Operator { operator: String },
    #[error("the graph's `{operator}` {problem}")]
    Graph { operator: &'static str, problem: &'static str },
    #[error("it holds {found}, not a one-class SVM or a pipeline that ends in one")]
    Root { found: &'static str },
    #[error("it holds {found}, not a dict of models")]
    NotMany { found: &'static str },
    #[error("the pipeline's steps are {found}; it must end in a OneClassSVM, behind scalers and PCA only")]
    Steps { found: String },
    #[error("`{class}` has no `{attribute}`: it was not fitted, or is not complete")]
    Missing { class: &'static str, attribute: &'static str },
    #[error("`{attribute}` is {found}, not {expected}")]
    Type { attribute: &'static str, found: &'static str, expected: &'static str },
    #[error("`{attribute}` is an array of `{dtype}`, not of numbers")]
    Dtype { attribute: &'static str, dtype: String },
    #[error("`{attribute}` is an array of `{dtype}`: scikit-learn computes in that precision, and may round otherwise")]
    Precision { attribute: &'static str, dtype: String },
    #[error("`{attribute}` has the shape {found}, not {expected}")]
    Shape { attribute: &'static str, found: String, expected: String },
    #[error("`{attribute}` holds {found} bytes where its shape needs {expected}")]
    Length { attribute: &'static str, found: usize, expected: usize },
    #[error("`{one}` and `{other}` differ")]
    Contradiction { one: &'static str, other: &'static str },
    #[error("the kernel `{kernel}` is not supported; rbf, linear, poly and sigmoid are")]
    Kernel { kernel: String },
    #[error("it was trained on a column named `{name}`, which is no feature")]
    Name { name: String },
    #[error(transparent)]
    Flaw(#[from] Flaw),
}

impl Refused {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Refused::Format { .. } | Refused::Unknown | Refused::Protocol { .. } => {
                "write the model with `pickle.dump(model, file, protocol=4)` or `joblib.dump(model, file)`, or keep other files out of `score.template`"
            }
            Refused::Truncated { .. }
            | Refused::Damaged { .. }
            | Refused::Empty
            | Refused::Packed { .. }
            | Refused::Archive { .. }
            | Refused::Trailing { .. } => {
                "copy the file again, or set `score.on_bad_model = \"skip\"` to start without it"
            }
            Refused::Pointer => "fetch the file itself with `git lfs pull`",
            Refused::Global { .. }
            | Refused::Steps { .. }
            | Refused::Root { .. }
            | Refused::Node { .. }
            | Refused::Operator { .. }
            | Refused::Kernel { .. } => {
                "read are `OneClassSVM`, alone or at the end of a `Pipeline` of StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler and PCA, with the kernels rbf, linear, poly and sigmoid; set `score.on_bad_model = \"skip\"` to start without this one"
            }
            Refused::Precision { .. } => {
                "train it on double-precision numbers (`X.astype(\"float64\")`), or set `score.on_bad_model = \"skip\"` to start without it"
            }
            Refused::Name { .. } => {
                "say in `score.feature_names` what its columns are, such as `temp_mean = \"temp.mean\"`"
            }
            _ => "repair or remove the file, or set `score.on_bad_model = \"skip\"` to start without it",
        }
    }
}

/// Text from a file as it may be shown: short, and without anything that moves a cursor.
pub(super) fn shown(text: &str) -> String {
    const BYTES_MAX: usize = 80;
    let mut shown = String::new();
    for char in text.chars() {
        if shown.len() >= BYTES_MAX {
            shown.push('…');
            break;
        }
        shown.extend(char.escape_debug());
    }
    shown
}
