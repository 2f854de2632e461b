"""The input: devices with habits, and every record they send, step by step of event time.

All follows from the seed. The name of a device begins with its habit, so that whoever reads results later knows what was
promised: nothing of `steady`, `away` and `mixed` devices may ever be late. Times are ms here; the rules of time are us.
"""

import random
import time
from heapq import heappop, heappush

SECOND = 1_000_000
# `device_ttl` is as short as it may be, so that devices are forgotten and come back within a run.
RULES = {
    "window": 10 * SECOND,
    "out_of_orderness": 5 * SECOND,
    "close_after": 120 * SECOND,
    "max_future_skew": 60 * SECOND,
    "device_ttl": 200 * SECOND,
}
DISORDER_STEPS = range(1, 5)  # less than `out_of_orderness`
AWAY_STEPS = range(20, 51)  # less than half of `close_after`
FAR_STEPS = range(150, 501)  # more than it; the longer ones exceed `device_ttl` as well
LATE_STEPS = range(20, 61)  # more than a window and `out_of_orderness`
AHEAD_MS = 120_000  # more than `max_future_skew`

# Shares of a hundred devices.
HABITS = {"steady": 50, "away": 15, "mixed": 15, "far": 10, "tardy": 10}
NEVER_LATE = ("steady", "away", "mixed")

DELAYED, TARDY, AHEAD, MALFORMED, TOMBSTONE = 0.2, 0.02, 0.0005, 0.001, 0.0002
VALUES = 4096


def beginning(now=None):
    """Just before midnight three days ago: not ahead of any clock, and a run of some minutes crosses a date."""
    day = int(time.time() if now is None else now) // 86_400 - 3
    return (day * 86_400 - 120) * 1000


class Device:
    def __init__(self, number, partitions, sensors, seed):
        self.random = random.Random(f"{seed}/{number}")
        self.habit = self.random.choices(list(HABITS), HABITS.values())[0] if number >= len(HABITS) else list(HABITS)[number]
        self.name = f"{self.habit}-{number:04}"
        self.key = self.name.encode()
        self.partition = number % partitions
        self.phase = self.random.randrange(1000)
        self.series = range(number * sensors, (number + 1) * sensors)
        self.prefixes = [f'{{"device":"{self.name}","sensor":"s{sensor}","ts":'.encode() for sensor in range(sensors)]
        self.leaves_at = self.random.randrange(10, 200)
        self.returns_at = None
        self.held = []


class Fleet:
    def __init__(self, seed, start_ms, devices=250, sensors=2, partitions=12):
        self.start_ms = start_ms
        self.devices = [Device(number, partitions, sensors, seed) for number in range(devices)]
        self.random = random.Random(seed)
        self.values = [f"{self.random.gauss(50, 4):.3f}".encode() for _ in range(VALUES)]
        self.series = devices * sensors
        self.delayed = []  # heap of (due step, number, device, records)
        self.order = 0

    def readings(self, device, step, shift_ms=0):
        """What a device reads at that step: a record a sensor, as (partition, key, payload, time)."""
        time_ms = self.start_ms + step * 1000 + device.phase
        read = b"%d" % (time_ms + shift_ms)
        for prefix, series in zip(device.prefixes, device.series):
            value = self.values[(series * 131 + step * 2741) % VALUES]
            yield device.partition, device.key, b"%b%b,\"value\":%b}" % (prefix, read, value), time_ms

    def step(self, step):
        """The records that are sent in this second of event time."""
        now_ms = self.start_ms + step * 1000 + 999
        chance = self.random.random
        while self.delayed and self.delayed[0][0] <= step:
            *_, records = heappop(self.delayed)
            yield from ((partition, key, payload, now_ms) for partition, key, payload, _ in records)
        for device in self.devices:
            if device.habit != "steady" and not (yield from self.peculiar(device, step, now_ms)):
                continue
            yield from self.readings(device, step)
            dice = chance()
            if dice < MALFORMED * len(device.series):
                yield device.partition, device.key, self.malformed(device, now_ms), now_ms
            elif dice > 1 - TOMBSTONE * len(device.series):
                yield device.partition, device.key, None, now_ms

    def peculiar(self, device, step, now_ms):
        """What a device does in its own way; gives whether it sends this step's readings now."""
        habit, chance = device.habit, device.random
        if habit in ("away", "far"):
            if device.returns_at is None:
                if step < device.leaves_at:
                    return True
                device.returns_at = step + chance.choice(AWAY_STEPS if habit == "away" else FAR_STEPS)
            if step < device.returns_at:
                device.held += self.readings(device, step)
                return False
            yield from self.upload(device, now_ms)
            device.returns_at, device.leaves_at = None, step + chance.randrange(60, 300)
            return True
        dice = chance.random()
        if habit == "mixed" and dice < DELAYED:
            return self.delay(device, step, chance.choice(DISORDER_STEPS))
        if habit == "tardy" and dice < TARDY:
            return self.delay(device, step, chance.choice(LATE_STEPS))
        if habit == "tardy" and dice > 1 - AHEAD:
            yield from self.readings(device, step, AHEAD_MS)
            return False
        return True

    def delay(self, device, step, steps):
        self.order += 1
        heappush(self.delayed, (step + steps, self.order, list(self.readings(device, step))))
        return False

    def upload(self, device, now_ms):
        yield from ((partition, key, payload, now_ms) for partition, key, payload, _ in device.held)
        device.held = []

    def rest(self, step):
        """What is still held back when all ends."""
        now_ms = self.start_ms + step * 1000
        for *_, records in sorted(self.delayed, key=lambda it: it[:2]):
            yield from ((partition, key, payload, now_ms) for partition, key, payload, _ in records)
        for device in self.devices:
            yield from self.upload(device, now_ms)

    def malformed(self, device, now_ms):
        prefix = device.prefixes[0]
        return self.random.choice(
            (
                b"",
                prefix,
                b"%b%d" % (prefix, now_ms),
                b"%b%d,\"value\":\"hot\"}" % (prefix, now_ms),
                b"%b%d,\"value\":NaN}" % (prefix, now_ms),
                b'{"device":"%b","ts":%d,"value":1.5}' % (device.key, now_ms),
                b"\xff\xfe%b" % prefix,
                b"17",
            )
        )
