//! Pickles in which one value is named again and again, or changed after it was used.

use std::path::Path;
use std::time::{Duration, Instant};

use super::check_message;
use crate::import::*;
use crate::testing::key;

/// A pickle's opcodes, put together.
fn pickle(parts: &[&[u8]]) -> Vec<u8> {
    [b"\x80\x04".as_slice(), &parts.concat(), b"N."].concat()
}

fn counted(opcode: u8, bytes: &[u8]) -> Vec<u8> {
    [&[opcode], (bytes.len() as u32).to_le_bytes().as_slice(), bytes].concat()
}

/// In each of these a large value is named again and again by what would look it through.
#[test]
fn what_is_shared_is_not_looked_through_each_time() {
    const LARGE: usize = 5 << 20;
    let text = |text: &str| counted(b'X', text.as_bytes());
    let large_bytes = [counted(b'B', &vec![b'a'; LARGE]), b"q\x000".to_vec()].concat();
    let dtype = [b"cnumpy\ndtype\n".as_slice(), &text("f8"), b"\x89\x88\x87Rq\x020"].concat();
    let from_buffer = b"cnumpy.core.numeric\n_frombuffer\nq\x030";
    let wrapper = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\nq\x040";
    let attributes = [
        b"}(".to_vec(),
        [text("subclass"), b"cnumpy\nndarray\n".to_vec(), text("shape"), b")".to_vec()].concat(),
        [text("order"), text("C"), text("dtype"), b"h\x02".to_vec()].concat(),
    ]
    .concat();
    let shape = [b"K\x01q\x000(".to_vec(), b"h\x00".repeat(200_000), b"tq\x010".to_vec()].concat();
    let arguments = [b"(C\x08\0\0\0\0\0\0\0\0h\x02h\x01".to_vec(), text("C"), b"tq\x060".to_vec()].concat();
    let long_order = b"(C\x08\0\0\0\0\0\0\0\0h\x02Nh\x00tq\x060";
    let long_name = [b"cnumpy\ndtype\nq\x060(h\x00\x89\x88tq\x070".as_slice(), &b"h\x06h\x07R0".repeat(5_000)];
    let wrapped = b"h\x04)\x81h\x05b\0\0\0\0\0\0\0\x000".repeat(5_000);
    for (what, bytes) in [
        ("shape", pickle(&[&shape, &dtype, from_buffer, &arguments, &b"h\x03h\x06R0".repeat(5_000)])),
        ("order", pickle(&[&large_bytes, &dtype, from_buffer, long_order, &b"h\x03h\x06R0".repeat(5_000)])),
        ("dtype", pickle(&[&large_bytes, &long_name.concat()])),
        ("keys", pickle(&[&large_bytes, &dtype, wrapper, &attributes, &b"h\x00N".repeat(28), b"uq\x050", &wrapped])),
        (
            "wrapper's shape",
            pickle(&[
                &[shape.as_slice(), &dtype, wrapper, &attributes].concat(),
                &[text("shape"), b"h\x01uq\x050".to_vec()].concat(),
                &wrapped,
            ]),
        ),
    ] {
        let began = Instant::now();
        let refused = read(&bytes, key("d", "s")).expect_err(what);
        assert!(began.elapsed() < Duration::from_secs(1), "{what}: {refused}");
        check_message(&refused, what);
    }
}

/// A long name that all 256 columns have would take gigabytes; a table that many models have is read for each.
#[test]
fn what_is_shared_is_not_copied_without_end() {
    let mut heap = heap::Heap::new(ONE);
    let (short, long) = ("n".repeat(4_096), "n".repeat(4_097));
    for (name, is_text) in [(&short, true), (&long, false)] {
        let (text, bytes) = (heap::Value::Text(name), heap::Value::Bytes(name.as_bytes()));
        for id in [heap.add(text).expect("one"), heap.add(bytes).expect("another")] {
            assert_eq!(heap.text(id).is_some(), is_text);
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/many");
    let bytes = std::fs::read(folder.join("tuples.pkl")).expect("file");
    for (looks, is_enough) in [(100, false), (700, false), (10_000, true)] {
        let heap = pickle::run(&bytes, Limits { looks, ..MANY }).expect("a dict");
        match sklearn::models(&heap) {
            Ok(models) => assert!(is_enough && models.iter().all(|(_, model)| model.is_ok())),
            Err(refused) => assert!(!is_enough && matches!(refused, Refused::TooLarge { .. }), "{looks}: {refused}"),
        }
    }
}

/// Python copies attributes into the object, and objects into the array: what comes later does not count there.
#[test]
fn what_was_used_does_not_change_any_more() {
    let object = b"csklearn.svm.classes\nOneClassSVM\n)\x81}q\x00b0";
    let array = [
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R(K\x01K\0\x85".to_vec(),
        [b"cnumpy\ndtype\n".to_vec(), counted(b'X', b"O8"), b"\x89\x88\x87Rq\x01\x89]q\x00tb0".to_vec()].concat(),
    ]
    .concat();
    let dtype_state =
        [b"h\x01(K\x03".to_vec(), counted(b'X', b">"), b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb0".to_vec()]
            .concat();
    for (parts, is_used) in [
        (&[object.as_slice()] as &[&[u8]], false),
        (&[object, b"h\x00K\x01K\x02s0"], true),
        (&[object, b"h\x00(K\x01K\x02u0"], true),
        (&[&array], false),
        (&[&array, b"h\x00Na0"], true),
        (&[&array, &dtype_state], true),
    ] {
        let refused = read(&pickle(parts), key("d", "s")).expect_err("no model");
        let problem = "a value is changed after it was used";
        let found = matches!(refused, Refused::Damaged { problem: found, .. } if found == problem);
        assert_eq!(found, is_used, "{refused}");
        assert!(found || matches!(refused, Refused::Root { .. }), "{refused}");
    }
}
