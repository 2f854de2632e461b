//! Any bytes as a registry's Parquet file: refused, or models of which each is refused by its check or can judge windows.
//!
//! Loading survives a panic of the Parquet library on a damaged file, so such a panic is no finding; one of our own is.

#![no_main]

use std::panic::{PanicHookInfo, catch_unwind, set_hook, take_hook};

use bytes::Bytes;
use laws::scoring;
use libfuzzer_sys::fuzz_target;
use score::registry;

fuzz_target!(
    init: {
        let finding = take_hook();
        set_hook(Box::new(move |panic| {
            if !is_of_the_library(panic) {
                finding(panic);
            }
        }));
    },
    |bytes: &[u8]| {
        let file = Bytes::copy_from_slice(bytes);
        let Ok(read) = catch_unwind(|| registry::read(file)) else { return };
        match read {
            Ok(models) => models.into_iter().filter(|model| model.check().is_ok()).for_each(scoring::check),
            Err(broken) => assert!(!broken.to_string().is_empty(), "{broken:?}"),
        }
    }
);

fn is_of_the_library(panic: &PanicHookInfo<'_>) -> bool {
    let file = panic.location().map_or("", |location| location.file());
    ["/parquet-", "/arrow-", "/bytes-", "/rustc/"].iter().any(|place| file.contains(place))
}
