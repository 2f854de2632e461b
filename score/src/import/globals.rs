//! The only names that a file may use, and what each stands for. None of them can do anything.

/// An allow-listed name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    Pipeline,
    OneClassSvm,
    StandardScaler,
    MinMaxScaler,
    RobustScaler,
    MaxAbsScaler,
    Pca,
    /// joblib's stand-in for an array whose bytes follow it in the file.
    ArrayWrapper,
    /// `numpy.ndarray`
    NdArray,
    /// `numpy.dtype`
    Dtype,
    /// Makes an empty array, to be filled by a BUILD.
    Reconstruct,
    /// Makes an array of a buffer (protocol 5).
    FromBuffer,
    /// Makes a numpy number.
    Scalar,
    /// `_codecs.encode`: how protocol 2 writes bytes.
    Encode,
    /// `bytes`: how protocol 2 writes no bytes.
    Bytes,
    /// `copyreg._reconstructor`, with `object`: how a class without `__reduce__` is made.
    Reconstructor,
    Object,
    OrderedDict,
}

/// Both of a name's homes where a module was renamed (0.22 of scikit-learn, 2.0 of numpy, 3.0 of Python).
#[rustfmt::skip]
const ALLOWED: [(&str, &str, Global); 32] = [
    ("sklearn.pipeline", "Pipeline", Global::Pipeline),
    ("sklearn.preprocessing.data", "StandardScaler", Global::StandardScaler),
    ("sklearn.preprocessing._data", "StandardScaler", Global::StandardScaler),
    ("sklearn.preprocessing.data", "MinMaxScaler", Global::MinMaxScaler),
    ("sklearn.preprocessing._data", "MinMaxScaler", Global::MinMaxScaler),
    ("sklearn.preprocessing.data", "RobustScaler", Global::RobustScaler),
    ("sklearn.preprocessing._data", "RobustScaler", Global::RobustScaler),
    ("sklearn.preprocessing.data", "MaxAbsScaler", Global::MaxAbsScaler),
    ("sklearn.preprocessing._data", "MaxAbsScaler", Global::MaxAbsScaler),
    ("sklearn.decomposition.pca", "PCA", Global::Pca),
    ("sklearn.decomposition._pca", "PCA", Global::Pca),
    ("sklearn.svm.classes", "OneClassSVM", Global::OneClassSvm),
    ("sklearn.svm._classes", "OneClassSVM", Global::OneClassSvm),
    ("joblib.numpy_pickle", "NumpyArrayWrapper", Global::ArrayWrapper),
    ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper", Global::ArrayWrapper),
    ("numpy", "ndarray", Global::NdArray),
    // What an array was when it had been mapped from a file.
    ("numpy", "memmap", Global::NdArray),
    ("numpy", "dtype", Global::Dtype),
    ("numpy.core.multiarray", "_reconstruct", Global::Reconstruct),
    ("numpy._core.multiarray", "_reconstruct", Global::Reconstruct),
    ("numpy.core.multiarray", "scalar", Global::Scalar),
    ("numpy._core.multiarray", "scalar", Global::Scalar),
    ("numpy.core.numeric", "_frombuffer", Global::FromBuffer),
    ("numpy._core.numeric", "_frombuffer", Global::FromBuffer),
    ("_codecs", "encode", Global::Encode),
    ("__builtin__", "bytes", Global::Bytes),
    ("builtins", "bytes", Global::Bytes),
    ("copy_reg", "_reconstructor", Global::Reconstructor),
    ("copyreg", "_reconstructor", Global::Reconstructor),
    ("__builtin__", "object", Global::Object),
    ("builtins", "object", Global::Object),
    ("collections", "OrderedDict", Global::OrderedDict),
];

impl Global {
    pub(super) fn named(module: &str, name: &str) -> Option<Global> {
        ALLOWED.iter().find(|(m, n, _)| (*m, *n) == (module, name)).map(|&(_, _, global)| global)
    }

    /// A class whose objects are a set of attributes.
    pub(super) fn is_estimator(self) -> bool {
        matches!(
            self,
            Global::Pipeline
                | Global::OneClassSvm
                | Global::StandardScaler
                | Global::MinMaxScaler
                | Global::RobustScaler
                | Global::MaxAbsScaler
                | Global::Pca
        )
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Global::Pipeline => "Pipeline",
            Global::StandardScaler => "StandardScaler",
            Global::MinMaxScaler => "MinMaxScaler",
            Global::RobustScaler => "RobustScaler",
            Global::MaxAbsScaler => "MaxAbsScaler",
            Global::Pca => "PCA",
            Global::ArrayWrapper => "NumpyArrayWrapper",
            Global::OrderedDict => "OrderedDict",
            Global::OneClassSvm => "OneClassSVM",
            Global::NdArray => "numpy.ndarray",
            Global::Dtype => "numpy.dtype",
            Global::Reconstruct => "_reconstruct",
            Global::FromBuffer => "_frombuffer",
            Global::Scalar => "scalar",
            Global::Encode => "_codecs.encode",
            Global::Bytes => "bytes",
            Global::Reconstructor => "_reconstructor",
            Global::Object => "object",
        }
    }
}
