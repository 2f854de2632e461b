#!/usr/bin/env python3
"""Writes the first inputs of each target into fuzz/seeds/, from the test data of the crates; run again after changing a target's form.

A seed is what the target reads: settings in front, then the bytes. Few and small: the fuzzer finds the rest by itself.
"""

import json
import shutil
import struct
import subprocess
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT / "fuzz" / "seeds"
EVENTS = ROOT / "ingest" / "testdata" / "events"
EVENT_BYTES_MAX, MODEL_BYTES_MAX, RECORD_BYTES_MAX = 400, 4_000, 4_000
# Of each kind of model file one of so many.
MODEL_ENDINGS = {"*.pkl": 4, "*.joblib": 3, "*.joblib.*": 4, "*.skops": 2, "*.onnx": 2}
# Settings in front of a record: format, shape, names, limits, unit; of CSV also the delimiter and the columns.
JSON_SETTINGS = {"long": bytes([0, 0, 0, 0, 0]), "array": bytes([0, 0, 0, 0, 0]), "wide": bytes([0, 1, 0, 0, 0])}
CSV_SETTINGS = {"long": bytes([0, 0, 0, 0, 0, 0, 1, 0]), "wide": bytes([0, 1, 1, 0, 0, 0, 0, 0])}


def write(target, content):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / sha256(content).hexdigest()[:16]).write_bytes(content)


def cases(file, every):
    """Each payload of the corpus that is small, one of so many."""
    lines = [json.loads(line) for line in (EVENTS / file).read_text().splitlines()]
    found = []
    for case in lines:
        text, encoded = case.get("payload"), case.get("payload_base64")
        payload = text.encode() if text is not None else b64decode(encoded) if encoded else b""
        if 0 < len(payload) <= EVENT_BYTES_MAX:
            found.append((case["shape"].removesuffix(" array"), payload))
    return found[::every]


def decoders():
    for shape, payload in cases("records_json.jsonl", 5):
        write("decode_json", JSON_SETTINGS[shape] + payload)
    for shape, payload in cases("records_csv.jsonl", 1):
        write("decode_csv", CSV_SETTINGS[shape] + payload)
    records = [payload for shape, payload in cases("records_json.jsonl", 4) if shape == "long" and b"\xff" not in payload]
    for at in range(0, len(records), 3):
        # Twice each: the second is what the fast path may have learned.
        write("decode_differential", b"\xff".join(2 * records[at : at + 3]))


def avro():
    # Without the magic, which the target puts in front.
    for path in sorted((ROOT / "ingest" / "tests" / "avro").glob("*.avro")):
        write("avro_file", path.read_bytes()[4:])


def reference():
    return sorted((ROOT / "tests" / "data" / "reference" / "models").iterdir())


def models():
    for path in reference()[:3]:
        write("model_import", path.read_bytes())
    for folder in ["models", "hostile_models"]:
        for ending, every in MODEL_ENDINGS.items():
            files = [path for path in sorted((ROOT / "score" / "testdata" / folder).glob(ending)) if path.stat().st_size <= MODEL_BYTES_MAX]
            for path in files[::every]:
                write("model_import", path.read_bytes())
    smallest = min((ROOT / "score" / "testdata" / "models").glob("*.skops"), key=lambda path: path.stat().st_size)
    write("model_import", smallest.read_bytes())


def registry():
    """Written by the product itself, from a few of the reference's models."""
    with TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        models.mkdir()
        for path in reference()[:3]:
            shutil.copy(path, models)
        command = ["cargo", "run", "--quiet", "--locked", "--", "models", "import", "--from", models, "--to", Path(folder) / "registry"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        for path in (Path(folder) / "registry").rglob("*.parquet"):
            write("model_registry", path.read_bytes())


def amqp():
    """Messages as the service hands them over: annotations, properties, and each kind of body."""
    def annotations(*entries):
        body = b"".join(entries)
        return b"\x00\x53\x72\xc1" + bytes([len(body) + 1, len(entries) * 2]) + body

    symbol = lambda word: b"\xa3" + bytes([len(word)]) + word.encode()
    text = lambda word: b"\xa1" + bytes([len(word)]) + word.encode()
    long, time = (lambda number: b"\x81" + struct.pack(">q", number)), (lambda millis: b"\x83" + struct.pack(">q", millis))
    head = annotations(
        symbol("x-opt-sequence-number") + long(7), symbol("x-opt-offset") + text("4711"),
        symbol("x-opt-enqueued-time") + time(1_795_000_000_000), symbol("d") + text("pump"),
    )  # fmt: skip
    properties = b"\x00\x53\x74\xc1" + bytes([len(text("t") + long(5)) + 1, 2]) + text("t") + long(5)
    payload = b'{"sensor":"a","value":1}'
    data = b"\x00\x53\x75\xa0" + bytes([len(payload)]) + payload
    listed = b"\x45"
    filled = b"\xc0" + bytes([len(long(1) + text("x")) + 1, 2]) + long(1) + text("x")
    for body in (b"", data, data + data, b"\x00\x53\x77" + text("words"), b"\x00\x53\x77\x40", b"\x00\x53\x77" + filled, b"\x00\x53\x76" + listed, b"\x00\x53\x76" + filled):
        write("amqp_event", head + body)
        write("amqp_event", head + properties + body)


def configurations():
    for path in sorted((ROOT / "config").glob("*.toml")):
        write("config", b"\0" + path.read_bytes())
    write("config", b"\0" + b'[sink]\nurl = "out"\n\0aggregate.window=1m\ningest.decode.sensors=["a","b"]\nsink.min_rows=5\n')
    document = {"pipeline": "p", "ingest": {"source": "files", "files": {"path": "a.csv"}, "decode": {"format": "csv", "columns": ["ts", "device", "sensor", "value"]}}, "sink": {"url": "out"}}
    write("config", b"\1" + json.dumps(document).encode())


def snapshots():
    """One device with an open window and a closed row, with its own clock and with the shared one."""
    second, never = 1_000_000, -(1 << 63)
    text = lambda word: struct.pack("<I", len(word)) + word.encode()
    window = lambda start, count: struct.pack("<qQ7d", start, count, 3.0, 1.5, 0.5, 1.0, 2.0, 1.0, 2.0)
    clock = struct.pack("<qqqB", 25 * second, 26 * second, 20 * second, 0)
    unset = struct.pack("<qqqB", never, never, never, 4)
    for shared in [0, 1]:
        settings = bytes([shared, 9, 0, 60, 60])
        head = struct.pack("<Bqqqq", 1, 7, 26 * second, 0, never) + (clock if shared else unset)
        tally = struct.pack("<10Q", 4, 3, 0, 1, 4, 0, 0, 1, 2, 2)
        series = text("a") + struct.pack("<qd", 20 * second, 1.5) + struct.pack("<I", 1) + window(20 * second, 2)
        device = text("d0") + struct.pack("<q", 26 * second) + (b"" if shared else clock) + struct.pack("<I", 1) + series
        rows = struct.pack("<I", 1) + struct.pack("<I", 0) + window(10 * second, 2) + struct.pack("<BdB", 1, 0.5, 2 if shared else 0)
        state = head + tally + struct.pack("<I", 1) + device + struct.pack("<I", 0) + rows
        steps = b"".join(struct.pack("<BBhhBB", kind, kind * 9, 2 * kind, kind - 2, 110, 0) for kind in range(8))
        write("windows_snapshot", settings + bytes([0]) + state)
        write("windows_snapshot", settings + bytes([8]) + steps + state)


def records():
    """Commit records that the sink's own tests hold on to, and the same without their envelope: kind, length, content of each section."""
    for path in sorted((ROOT / "sink" / "tests" / "golden").glob("*")):
        record = path.read_bytes()
        if not record.startswith(b"ATALALOG") or len(record) > RECORD_BYTES_MAX:
            continue
        write("commit_record", record)
        (count,), at, sections = struct.unpack_from("<I", record, 12), 16, b""
        for _ in range(count):
            kind, length, _ = struct.unpack_from("<IQI", record, at)
            content = record[at + 16 : at + 16 + length]
            sections += struct.pack("<BH", kind - 1, min(length, 65_535)) + content[:65_535]
            at += 16 + length
        write("commit_record", sections)


def main():
    shutil.rmtree(SEEDS, ignore_errors=True)
    decoders()
    avro()
    amqp()
    models()
    registry()
    configurations()
    snapshots()
    records()
    for folder in sorted(path for path in SEEDS.iterdir() if path.is_dir()):
        sizes = [path.stat().st_size for path in folder.iterdir()]
        print(f"{folder.name:<20} {len(sizes):>4} seeds {sum(sizes):>8} bytes")


main()
