//! Any bytes as a model file (pickle, joblib, skops, ONNX, compressed or not): refused with a short message, or a model that can
//! judge windows. The same bytes as a file of many models: refused, or each of them so.

#![no_main]

use laws::scoring;
use libfuzzer_sys::fuzz_target;
use score::ModelKey;
use score::import::{Imported, Refused, read, read_many};

const MESSAGE_BYTES_MAX: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    check(read(bytes, ModelKey::series("d", "s")));
    match read_many(bytes) {
        Ok(models) => models.into_iter().take(10).for_each(|(_, model)| check(model)),
        Err(refused) => check_message(&refused),
    }
});

fn check(read: Result<Imported, Refused>) {
    match read {
        Ok(imported) => {
            assert!(imported.names.as_ref().is_none_or(|names| names.len() == imported.model.inputs()));
            scoring::check(imported.model);
        }
        Err(refused) => check_message(&refused),
    }
}

fn check_message(refused: &Refused) {
    let message = refused.to_string();
    assert!(!message.is_empty() && message.len() <= MESSAGE_BYTES_MAX, "{message}");
    assert!(!message.contains(char::is_control), "{message:?}");
    assert!(!refused.hint().is_empty());
}
