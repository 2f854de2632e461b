"""The commit logs, read from outside: every header there ever was, and the wall clock's steps that the chains hold.

Old records are deleted after a while, so a collector lists the logs during the run. At the end the chain of each partition is
followed from its head backwards by `previous`; what was written by a fenced owner and is in no chain does not count.
"""

import hashlib
import json
import re
import struct
import time

from store import Gone, opened

MAGIC = b"ATALALOG"
HEADER = 1
RECORD = re.compile(r"/(\d+)/log/(\d{20})$")


def header_of(data):
    """The header of a record, and the digests by which its successor may name it."""
    magic, _version, sections = struct.unpack_from("<8sII", data)
    if magic != MAGIC or sections < 1:
        raise ValueError("not a commit record")
    kind, length, _crc = struct.unpack_from("<IQI", data, 16)
    if kind != HEADER or len(data) < 32 + length + 32:
        raise ValueError("the first section is not a header")
    if hashlib.sha256(data[:-32]).digest() != data[-32:]:
        raise ValueError("the record's digest is wrong")
    header = json.loads(data[32 : 32 + length])
    header["digests"] = [data[-32:].hex(), hashlib.sha256(data).hexdigest()]
    return header


class Journal:
    """All headers seen, by (partition, seq, nonce)."""

    def __init__(self, place, path):
        self.store, self.path = opened(place), path
        self.headers, self.known, self.newest, self.problems = {}, set(), {}, []

    def look(self):
        names = self.store.names("state/")
        found = {name: match for name in names if (match := RECORD.search(name))}
        for name in sorted(found):
            partition, seq = map(int, found[name].groups())
            self.newest[partition] = max(seq, self.newest.get(partition, -1))
            if name in self.known:
                continue
            try:
                header = header_of(self.store.read(name))
            except Gone:
                continue
            except (ValueError, struct.error) as error:
                self.problems.append(f"{name}: {error}")
                continue
            self.known.add(name)
            if (header["partition"], header["seq"]) != (partition, seq):
                self.problems.append(f"{name}: it says it is {header['partition']}/{header['seq']}")
            self.headers[partition, seq, header["nonce"]] = header
        # A name that went and came back is another record.
        self.known &= names

    def chains(self):
        """{partition: headers from the genesis to the head}."""
        chains = {}
        for partition, seq in self.newest.items():
            chain, wanted = [], None
            while seq >= 0:
                here = [h for (p, s, _), h in self.headers.items() if (p, s) == (partition, seq)]
                here = [h for h in here if wanted is None or wanted in h["digests"]]
                if len(here) != 1:
                    self.problems.append(f"partition {partition}: {len(here)} records with number {seq} fit the chain")
                    break
                chain.append(here[0])
                wanted, seq = here[0]["previous"], seq - 1
            chains[partition] = chain[::-1]
        return chains


def collect(place, path, stop, every_seconds):
    """Looks until told to stop, once more, and writes {chains, problems, records} as JSON."""
    journal = Journal(place, path)
    while True:
        stopped = stop.wait(every_seconds)
        begun = time.monotonic()
        try:
            journal.look()
        except Exception as error:  # noqa: BLE001: whatever a store's client raises is to be reported, once it lasts
            if stopped:
                raise
            journal.problems.append(f"{type(error).__name__}: {error}")
        if stopped:
            break
        every_seconds = max(every_seconds, 4 * (time.monotonic() - begun))
    chains = journal.chains()
    path.write_text(json.dumps({"records": len(journal.headers), "problems": journal.problems, "chains": chains}))


def files(chains):
    """{name below the datasets: length} of all that the chains' records say they published."""
    entries = [entry for chain in chains.values() for header in chain for entry in header.get("files") or []]
    return {f"{entry['dataset']}/{entry['name']}": entry["length"] for entry in entries if entry["dataset"] != "markers"}


def wall_steps(chain):
    """[[position, arrival clock], ...] of one partition's chain, in order."""
    return [step for header in chain for step in header.get("wall_steps") or []]
