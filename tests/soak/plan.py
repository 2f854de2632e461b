"""What the fleet sends, as formulas, and what must come out of it.

Step k is a moment `k * period` after the start, at which every device reads every sensor. Nothing is drawn at random, so that what a
run of so many steps holds can be said without looking at the topic: the number of rows, of readings in each window, and every value.

  steady   reads at every step                     away    is silent for a while again and again: closed by silence, not by its own clock
  swap     has its readings of steps 2n and 2n+1 exchanged on the way: out of order, but never late

Now and then a partition has a reading that comes far too late, one that is none, and a tombstone. All times are of the event and the
broker alike.
"""

import numpy as np

SECOND_US = 1_000_000
VALUES = 4096
OUT_OF_ORDERNESS_S, CLOSE_AFTER_S = 5, 120
AWAY_S, CYCLE_S = 150, 600
LATE_EVERY, MALFORMED_EVERY, TOMBSTONE_EVERY = 97, 83, 149
LATE_WINDOWS = 5
KINDS = ("stdy", "swap", "away")


def kind_of(at):
    """The habit of a partition's device number `at`."""
    return "away" if at % 20 == 3 else "swap" if at % 3 == 1 else "stdy"


def texts():
    """The values as they are written: six bytes each, drawn once and for ever."""
    return [f"{value:06.3f}"[:6] for value in np.random.default_rng(1).normal(50, 4, VALUES).clip(1, 99)]


class Plan:
    """The formulas for one fleet."""

    def __init__(self, devices, sensors, partitions, rate, window_s, start_ms):
        self.devices, self.sensors, self.partitions = devices, sensors, partitions
        self.window_us, self.start_ms = int(window_s * SECOND_US), start_ms
        self.period_us = max(1000, round(devices * sensors / rate * SECOND_US))
        if self.period_us > OUT_OF_ORDERNESS_S * SECOND_US:
            raise ValueError(f"{rate:g} records a second of {devices * sensors} series are too few: a series must read every {OUT_OF_ORDERNESS_S} s")
        self.values = np.array([float(text) for text in texts()])

    @property
    def series(self):
        return self.devices * self.sensors

    def named(self, partition, at):
        """Device number `at` of a partition."""
        return f"{kind_of(at)}-{at * self.partitions + partition:06}"

    def of_partition(self, partition):
        return len(range(partition, self.devices, self.partitions))

    def time_ms(self, step):
        return self.start_ms + step * self.period_us // 1000

    def is_away(self, step):
        """Whether devices that go away are gone at that step (or those steps)."""
        return (self.time_ms(step) - self.start_ms) // 1000 % CYCLE_S >= CYCLE_S - AWAY_S

    def value_index(self, series, step):
        return (series * 131 + step * 2741) % VALUES

    # What is odd, by step and partition; the device with number 2 has to bear it.

    def is_late(self, step, partition):
        late_from = (LATE_WINDOWS + 1) * self.window_us // self.period_us
        return (step % LATE_EVERY == partition % LATE_EVERY) & (step > late_from)

    def is_malformed(self, step, partition):
        return step % MALFORMED_EVERY == partition % MALFORMED_EVERY

    def is_tombstone(self, step, partition):
        return step % TOMBSTONE_EVERY == partition % TOMBSTONE_EVERY

    # === What must come out of so many steps ===

    def present(self, kind, steps):
        """Times in microseconds of a device's readings, in their order of time, and the steps in which they are sent."""
        sent = np.arange(steps)
        times = self.time_ms(sent) * 1000
        if kind == "swap":
            return times, sent ^ 1
        if kind == "away":
            here = ~self.is_away(sent)
            return times[here], sent[here]
        return times, sent

    def windows(self, kind, steps):
        """{window's start: readings in it} of one series."""
        starts, counts = np.unique(self.present(kind, steps)[0] // self.window_us * self.window_us, return_counts=True)
        return dict(zip(starts.tolist(), counts.tolist()))

    def kinds(self, partition):
        """{habit: devices that have it}."""
        found = dict.fromkeys(KINDS, 0)
        for at in range(self.of_partition(partition)):
            found[kind_of(at)] += 1
        return found

    def tally(self, partition, steps):
        """The account of a partition, with the names that its ledger has."""
        every = np.arange(steps)
        late, malformed, tombstones = (int(is_so(every, partition).sum()) for is_so in (self.is_late, self.is_malformed, self.is_tombstone))
        counted = rows = 0
        for kind, number in self.kinds(partition).items():
            windows = self.windows(kind, steps)
            counted += number * self.sensors * sum(windows.values())
            rows += number * self.sensors * len(windows)
        readings = counted + late
        return {
            "records": readings + malformed + tombstones, "decoded": readings, "undecodable": malformed, "tombstones": tombstones,
            "readings": readings, "late": late, "rejected": 0, "counted": counted, "rows": rows,
        }  # fmt: skip

    def rows_of(self, partition, at, sensor, steps):
        """All rows of one series, by columns."""
        times, sent = self.present(kind_of(at), steps)
        series = (at * self.partitions + partition) * self.sensors + sensor
        values = self.values[self.value_index(series, sent)]
        starts, firsts, counts = np.unique(times // self.window_us * self.window_us, return_index=True, return_counts=True)
        # First and last are those of the log, whatever their times.
        in_log = [self.values[self.value_index(series, pick.reduceat(sent, firsts))] for pick in (np.minimum, np.maximum)]
        sums = np.add.reduceat(values, firsts)
        means = sums / counts
        squares = np.add.reduceat((values - np.repeat(means, counts)) ** 2, firsts)
        with np.errstate(divide="ignore", invalid="ignore"):
            std = np.where(counts > 1, np.sqrt(squares / (counts - 1)), np.nan)
        return {
            "start": starts, "count": counts, "sum": sums, "mean": means, "std": std, "min": np.minimum.reduceat(values, firsts),
            "max": np.maximum.reduceat(values, firsts), "first": in_log[0], "last": in_log[1],
        }  # fmt: skip
