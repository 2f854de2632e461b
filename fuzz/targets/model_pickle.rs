//! Any bytes as a pickled model: refused with a short message, or a model that can judge windows.

#![no_main]

use laws::scoring;
use libfuzzer_sys::fuzz_target;
use score::{ModelKey, pickle};

const MESSAGE_BYTES_MAX: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    let key = ModelKey::series("d", "s");
    match pickle::read(bytes, key) {
        Ok(model) => scoring::check(model),
        Err(refused) => {
            let message = refused.to_string();
            assert!(!message.is_empty() && message.len() <= MESSAGE_BYTES_MAX, "{message}");
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }
});
