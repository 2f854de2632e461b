"""The fleet: sends what the plan says, at its times or as fast as it may:  load.py SETTINGS PROGRESS

SETTINGS is JSON: `plan` (the arguments of `Plan`), `address`, `topic`, and `flood`: times are only written, not waited for. Each line on
standard input is a number, the records that may have been sent at most by now (only in a flood). The input's end ends it all, after an
even number of steps. PROGRESS is a file with figures as JSON, written anew once a second; `done` is true in the last.
"""

import json
import os
import select
import sys
import time
from pathlib import Path

import numpy as np

from plan import LATE_WINDOWS, Plan, kind_of, texts
from wire import Connection, batch, record

TIME_BYTES, VALUE_BYTES = 13, 6
BLANK = "0" * TIME_BYTES
NO_VALUE = '"oops"'


class Sheet:
    """One partition's records of a step, laid out once; a step only fills in times and values."""

    def __init__(self, plan, partition, devices):
        laid, self.count = bytearray(), 0
        time_at, value_at, series, swaps = [], [], [], []
        for at in devices:
            name = plan.named(partition, at)
            for sensor in range(plan.sensors):
                payload = f'{{"device":"{name}","sensor":"s{sensor}","ts":{BLANK},"value":{"0" * VALUE_BYTES}}}'.encode()
                laid += record(self.count, name.encode(), payload)
                end = len(laid) - 1  # the count of headers
                time_at.append(end - len(payload) + payload.index(BLANK.encode()))
                value_at.append(end - 1 - VALUE_BYTES)
                series.append((at * plan.partitions + partition) * plan.sensors + sensor)
                swaps.append(kind_of(at) == "swap")
                self.count += 1
        self.plan, self.bytes = plan, np.frombuffer(laid, dtype=np.uint8)
        swaps = np.array(swaps, dtype=bool)
        places = np.array(time_at)[:, None] + np.arange(TIME_BYTES)
        self.in_order, self.swapped = places[~swaps], places[swaps]
        self.value_places = np.array(value_at)[:, None] + np.arange(VALUE_BYTES)
        self.series = np.array(series, dtype=np.int64)
        self.texts = np.frombuffer("".join(texts()).encode(), dtype=np.uint8).reshape(-1, VALUE_BYTES)

    def fill(self, step):
        self.bytes[self.in_order] = digits(self.plan.time_ms(step))
        self.bytes[self.swapped] = digits(self.plan.time_ms(step ^ 1))
        self.bytes[self.value_places] = self.texts[self.plan.value_index(self.series, step)]
        return self.bytes.tobytes()


def digits(time_ms):
    return np.frombuffer(b"%013d" % time_ms, dtype=np.uint8)


def odd(plan, partition, step, count):
    """The records that only some steps have, as (bytes, number)."""
    name, out, begun = plan.named(partition, 2), b"", count
    payload = '{{"device":"{}","sensor":"s0","ts":{},"value":{}}}'.format
    if plan.is_late(step, partition):
        late_ms = plan.time_ms(step) - LATE_WINDOWS * plan.window_us // 1000
        out += record(count, name.encode(), payload(name, late_ms, "50.000").encode())
        count += 1
    if plan.is_malformed(step, partition):
        out += record(count, name.encode(), payload(name, plan.time_ms(step), NO_VALUE).encode())
        count += 1
    if plan.is_tombstone(step, partition):
        out += record(count, name.encode(), None)
        count += 1
    return out, count - begun


class Load:
    def __init__(self, settings, progress):
        self.plan, self.progress, self.flood = Plan(**settings["plan"]), progress, settings["flood"]
        self.steps_max = settings.get("steps")
        self.connection = Connection(settings["address"], settings["topic"])
        self.sheets = []
        for partition in range(self.plan.partitions):
            devices = range(self.plan.of_partition(partition))
            staying = [at for at in devices if kind_of(at) != "away"]
            self.sheets.append((Sheet(self.plan, partition, devices), Sheet(self.plan, partition, staying)))
        self.sent = [0] * self.plan.partitions
        self.allowed, self.ended, self.text = 0, False, b""
        self.step, self.noted, self.begun, self.delay_max = 0, 0.0, time.time(), 0.0

    def run(self):
        while not ((self.ended or self.step == self.steps_max) and self.step % 2 == 0):
            for partition in range(self.plan.partitions):
                self.await_turn(partition)
                self.send(partition)
            self.step += 1
        self.connection.finish()
        self.note(done=True)

    def send(self, partition):
        plan, step = self.plan, self.step
        sheet = self.sheets[partition][1 if plan.is_away(step) else 0]
        more, number = odd(plan, partition, step, sheet.count)
        data = batch(sheet.fill(step) + more, sheet.count + number, plan.time_ms(step))
        self.connection.send(partition, self.sent[partition], data)
        self.sent[partition] += sheet.count + number

    def await_turn(self, partition):
        if self.steps_max is not None:
            return
        self.listen(0)
        if self.flood:
            while sum(self.sent) > self.allowed and not self.ended:
                self.listen(0.05)
            self.note()
            return
        due = (self.plan.time_ms(self.step) + partition * self.plan.period_us / 1000 / self.plan.partitions) / 1000
        while (wait := due - time.time()) > 0:
            self.listen(min(wait, 0.5))
            self.note()
        self.delay_max = max(self.delay_max, -wait)
        self.note(delay=-wait)

    def listen(self, seconds):
        if self.ended:
            time.sleep(seconds)
            return
        if select.select([0], [], [], seconds)[0]:
            read = os.read(0, 4096)
            self.ended = not read
            *lines, self.text = (self.text + read).split(b"\n")
            if lines:
                self.allowed = int(lines[-1])

    def note(self, done=False, delay=0.0):
        now = time.monotonic()
        if not done and now - self.noted < 1:
            return
        self.noted = now
        figures = {"done": done, "steps": self.step, "records": sum(self.sent), "partitions": self.sent, "seconds": time.time() - self.begun}
        figures |= {"delay": round(delay, 3), "delay_max": round(self.delay_max, 3), "cpu_seconds": time.process_time()}
        part = self.progress.with_suffix(".part")
        part.write_text(json.dumps(figures))
        part.rename(self.progress)


if __name__ == "__main__":
    Load(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])).run()
