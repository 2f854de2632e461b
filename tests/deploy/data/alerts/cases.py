"""When each alert must fire and when not: a table, for tests/deploy/alerts.

A case is a time line in minutes: `before` all is good, then `bad`, then good again (`after`). A series has a good level, and levels that
are bad or just not bad. A counter's level is what it grows by in a minute.
"""

from dataclasses import dataclass

TARGET = {"job": "atalaia", "instance": "a:9464"}
JOB = {"job": "atalaia"}
PARTITION = {**TARGET, "partition": "3"}
OPERATION = {**TARGET, "operation": "put"}
RECEIVER = {**TARGET, "receiver": "webhook"}


@dataclass
class Level:
    """One series: its level when all is good and when all is bad, and whether it counts."""

    good: float
    bad: float
    counts: bool = False


@dataclass
class Case:
    labels: dict
    series: dict
    below: list  # of {series: level in the bad time, or a whole Level}: each must be silent
    before: int = 0
    bad: int = 30
    after: int = 60
    step: int = 1
    zero: dict = None  # series when scaled to zero, if that is not "none at all"

    def values(self, which, gone=False):
        """Each series as promtool wants it; `which` is "bad" or the index of a silent variant."""
        end = self.before + self.bad + (0 if gone else self.after)
        return {name: self.one(name, level, which, end) + (" stale" if gone else "") for name, level in self.series.items()}

    def one(self, name, level, which, end):
        bad = level.bad if which == "bad" else self.below[which].get(name, level.bad)
        if isinstance(bad, Level):
            level, bad = bad, bad.bad
        values, total = [], 0.0
        for minute in range(0, end + 1, self.step):
            is_bad = self.before < minute <= self.before + self.bad if self.before else minute <= self.bad
            now = bad if is_bad else level.good
            if callable(now):
                now = now(minute)
            total += (now or 0) * self.step
            values.append("_" if now is None else f"{total if level.counts else now:.10g}")
        return " ".join(values)


def at(labels, name, **more):
    shown = ",".join(f'{key}="{value}"' for key, value in {**labels, **more}.items())
    return f"{name}{{{shown}}}"


def gauge(good, bad):
    return Level(good, bad)


def steady(value):
    return Level(value, value)


def count(good, bad):
    return Level(good, bad, counts=True)


ALIVE = {at(TARGET, "atalaia_build_info", version="1.0.0"): steady(1)}
HOUR_WINDOWS = {at(TARGET, "atalaia_aggregate_window_seconds"): steady(3600), at(TARGET, "atalaia_sink_max_delay_seconds"): steady(300)}
MINUTE_WINDOWS = {at(TARGET, "atalaia_aggregate_window_seconds"): steady(60), at(TARGET, "atalaia_sink_max_delay_seconds"): steady(30)}

CASES = {}


def above(name, labels, metric, good, level, below, **more):
    """One gauge against a threshold."""
    series = at(labels, metric)
    context = more.pop("context", {})
    below = [{series: level} for level in (below if isinstance(below, list) else [below])]
    CASES[name] = Case(labels, {series: gauge(good, level), **context}, below, **more)


above("AtalaiaPartitionHalted", TARGET, "atalaia_sink_halted_partitions", 0, 1, 0, bad=5, after=5)
above("AtalaiaCommitStuck", TARGET, "atalaia_sink_stuck_partitions", 0, 1, 0, bad=5, after=5)
above("AtalaiaReadingPaused", TARGET, "atalaia_ingest_paused_partitions", 0, 1, [0, lambda minute: minute % 10 > 3])
above("AtalaiaModelsUnavailable", TARGET, "atalaia_score_models_unavailable", 0, 1, 0, bad=8, after=5)
above("AtalaiaModelReloadFailed", TARGET, "atalaia_score_reload_failing", 0, 1, [0, lambda minute: minute % 5 == 0], bad=10, after=5)
above("AtalaiaNotReady", TARGET, "atalaia_process_ready", 1, 0, [1, lambda minute: minute % 9 == 0], bad=15, after=5)
above("AtalaiaForwardBehind", RECEIVER, "atalaia_forward_lag_seconds", 0, 601, [599, lambda minute: minute % 5 * 700], bad=15)
above("AtalaiaTargetDown", TARGET, "up", 1, 0, [1, lambda minute: minute % 4 == 0], bad=10, after=5)
above(
    "AtalaiaMemoryNearBudget", TARGET, "process_resident_memory_bytes", 1e9, 1.81e9, 1.79e9,
    context={at(TARGET, "atalaia_process_memory_budget_bytes"): steady(2e9)},
)
above(
    "AtalaiaRecordNearLimit", PARTITION, "atalaia_sink_record_bytes", 1e6, 0.81 * 2**28, 0.79 * 2**28,
    context={at(TARGET, "atalaia_sink_record_bytes_max"): steady(2**28)},
)
above(
    "AtalaiaSeriesNearLimit", PARTITION, "atalaia_aggregate_series", 10, 910, 890,
    context={at(TARGET, "atalaia_aggregate_series_max"): steady(1000)},
)
# 2 x 60 + 300 + 60 seconds.
above(
    "AtalaiaCommitLate", PARTITION, "atalaia_sink_uncommitted_seconds", 30, 481, 479,
    context={at(PARTITION, "atalaia_sink_commit_interval_seconds"): steady(60), **HOUR_WINDOWS}, bad=10, after=5,
)
# The last part: the state has become so large that commits are ten minutes apart.
CASES["AtalaiaCommitLate"].below.append(
    {at(PARTITION, "atalaia_sink_uncommitted_seconds"): 1500, at(PARTITION, "atalaia_sink_commit_interval_seconds"): 600}
)
# An hour at most, although window and delay are 3900 s; and what catches up quickly is left alone.
above(
    "AtalaiaLag", PARTITION, "atalaia_ingest_lag_seconds", 0, 3601, [3599, lambda minute: 90000 - 7 * minute], context=HOUR_WINDOWS, bad=30
)
# At minutes, 120 s are the least.
CASES["AtalaiaLag"].below.append({
    at(PARTITION, "atalaia_ingest_lag_seconds"): 119,
    at(TARGET, "atalaia_aggregate_window_seconds"): 60,
    at(TARGET, "atalaia_sink_max_delay_seconds"): 30,
})
above(
    "AtalaiaClockStalled", PARTITION, "atalaia_aggregate_clock_delay_seconds", 10, 7201, 7199,
    context={at(TARGET, "atalaia_ingest_records_total"): count(10, 10), at(PARTITION, "atalaia_ingest_lag_seconds"): steady(59), **HOUR_WINDOWS},
)
# Nothing arrives at all, and what is old because it waits in the topic: neither is a clock that stands still.
CASES["AtalaiaClockStalled"].below += [{at(TARGET, "atalaia_ingest_records_total"): 0}, {at(PARTITION, "atalaia_ingest_lag_seconds"): 61}]
# At short windows, a quarter of an hour is the least.
CASES["AtalaiaClockStalled"].below.append(
    {at(PARTITION, "atalaia_aggregate_clock_delay_seconds"): 899, at(TARGET, "atalaia_aggregate_window_seconds"): 60}
)

accounts = {at(PARTITION, "atalaia_aggregate_unaccounted_records"): gauge(0, 0), at(PARTITION, "atalaia_aggregate_unaccounted_readings"): gauge(0, -1)}
CASES["AtalaiaAccountsWrong"] = Case(PARTITION, accounts, [{at(PARTITION, "atalaia_aggregate_unaccounted_readings"): 0}], bad=5, after=5)

fenced = at(TARGET, "atalaia_sink_fenced_total")
CASES["AtalaiaFencedRepeatedly"] = Case(JOB, {fenced: count(0, 0.21)}, [{fenced: 0.19}, {fenced: lambda minute: 8 if minute == 5 else 0}], bad=40)

errors, requests = at(OPERATION, "atalaia_sink_storage_errors_total", kind="timeout"), at(OPERATION, "atalaia_sink_storage_request_seconds_count")
CASES["AtalaiaStorageErrors"] = Case(
    OPERATION, {errors: count(0, 3.2), requests: count(60, 60)}, [{errors: 2.9}, {errors: 0.58, requests: 1}], bad=30
)

refused, lost = (at(RECEIVER, f"atalaia_forward_{what}_total") for what in ("refused", "lost_rows"))
CASES["AtalaiaForwardLoss"] = Case(RECEIVER, {refused: count(0, 0), lost: count(0, 0.2)}, [{lost: 0}], before=10, bad=10, after=75)

suspects = at(TARGET, "atalaia_ingest_rejects_total", reason="crash_suspect")
others = at(TARGET, "atalaia_ingest_rejects_total", reason="not_json")
CASES["AtalaiaCrashSuspect"] = Case(
    {**TARGET, "reason": "crash_suspect"}, {suspects: count(0, 0.1), others: count(0, 1)}, [{suspects: 0}], before=10, bad=10, after=75
)

age = at(TARGET, "atalaia_score_models_age_seconds")
models = at(TARGET, "atalaia_score_models")
# 45 days where nothing is said of the job; what is said of others is theirs, and what is said of it counts.
own_bound, others_bound = (at({"job": job}, "atalaia:models_age_seconds_max") for job in ("atalaia", "atalaia-other"))
CASES["AtalaiaModelsStale"] = Case(
    TARGET,
    {age: gauge(0, 46 * 86400), models: steady(10), own_bound: gauge(None, None), others_bound: steady(50 * 86400), **ALIVE},
    [{age: 44 * 86400}, {models: 0}, {own_bound: steady(47 * 86400)}], bad=80, after=10
)

started = at(TARGET, "process_start_time_seconds")
CASES["AtalaiaRestarting"] = Case(
    TARGET, {started: gauge(0, lambda minute: minute // 10), **ALIVE}, [{started: lambda minute: minute // 25}], bad=50, after=75
)

broker = at(TARGET, "atalaia_ingest_broker_errors_total", kind="AllBrokersDown")
read = at(TARGET, "atalaia_ingest_records_total")
CASES["AtalaiaSourceUnreachable"] = Case(
    TARGET, {broker: count(0, 1.05), read: count(100, 0)}, [{broker: 0.95}, {read: 1}], before=20, bad=30, after=15
)

# What is expected: two instances, of which one is gone; zero where all may go. Those of the same job elsewhere do not count.
expected = 'atalaia:instances_expected{job="atalaia"}'
CASES["AtalaiaAbsent"] = Case(
    JOB,
    {expected: steady(2), **ALIVE, at({"job": "atalaia", "instance": "b:9464"}, "atalaia_build_info", version="1.0.0"): gauge(1, None),
     **{at({"namespace": "other", "job": "atalaia", "instance": one}, "atalaia_build_info", version="1.0.0"): steady(1) for one in ("c", "d")}},
    [{at({"job": "atalaia", "instance": "b:9464"}, "atalaia_build_info", version="1.0.0"): 1}, {expected: 1}],
    bad=15, after=10, zero={expected: "0x40"},
)


# === Shares, against the day before ===


def jump(name, part, whole, usual, level, below, context, times=3, **more):
    """`part` grows by a share of what `whole` does, after a day at the usual share; `times` that much is news."""
    per_minute, few = 100, more.pop("few", 6.3)
    series = {part: count(usual * per_minute, level * per_minute), whole: count(per_minute, per_minute), **ALIVE, **context}
    variants = [
        {part: below * per_minute},
        {part: count(usual * few, level * few), whole: count(few, few)},  # too few to tell
        {part: count(1.05 * level / times / 0.97 * per_minute, 1.05 * level * per_minute)},  # nothing new
    ]
    CASES[name] = Case(JOB, series, variants, **{"before": 1500, "bad": 60, "after": 120, "step": 5, **more})


readings, records = at(TARGET, "atalaia_ingest_readings_total"), at(TARGET, "atalaia_ingest_records_total")
jump("AtalaiaLateReadingsJump", at(TARGET, "atalaia_aggregate_late_total"), readings, 0.001, 0.0105, 0.0095, {})
jump("AtalaiaQuarantineJump", at(TARGET, "atalaia_ingest_rejects_total", reason="not_json"), records, 0.001, 0.0105, 0.0095, {})


def rows(status):
    return at(TARGET, "atalaia_score_rows_total", status=status)


window = {**MINUTE_WINDOWS, models: steady(10)}
jump("AtalaiaAnomalyJump", at(TARGET, "atalaia_score_anomalies_total"), rows("scored"), 0.01, 0.051, 0.049, window, after=480, few=1.5)
# Of 111 windows more than 11.1.
jump("AtalaiaNoModelJump", rows("no_model"), rows("scored"), 0.01, 0.115, 0.105, window, times=2, after=480, few=1.4)
# A fleet without any models is no accident.
CASES["AtalaiaNoModelJump"].below.append({models: 0})


# === The objective ===


def objective(name, share, below, **more):
    """100 commits an hour; `share` of them take longer than the bound that follows from a delay of 300 s: 600 s."""
    hour = 100 / 60
    kept = at(TARGET, "atalaia_sink_close_to_durable_seconds_bucket", le="600")
    sooner = at(TARGET, "atalaia_sink_close_to_durable_seconds_bucket", le="300")
    all_of = at(TARGET, "atalaia_sink_close_to_durable_seconds_count")
    series = {
        kept: count(hour, hour * (1 - share)), sooner: count(0, 0), kept.replace('"600"', '"3600"'): count(0, 0), all_of: count(hour, hour),
        at(TARGET, "atalaia_sink_max_delay_seconds"): steady(300), **ALIVE,
    }
    # The last: one or two slow commits are no burn, be they half of all.
    few = 1.8 / more["bad"]
    # Where rows wait for two hours on purpose, none is in the last bucket.
    slow = {at(TARGET, "atalaia_sink_max_delay_seconds"): steady(7200)}
    CASES[name] = Case(JOB, series, [{kept: hour * (1 - below)}, {kept: count(few, few), all_of: count(2 * few, 2 * few)}, slow], **more)


# They end when the short span is clean, while the long one is not yet.
objective("AtalaiaObjectiveBurnsFast", 0.17, 0.142, bad=90, after=7)
objective("AtalaiaObjectiveBurns", 0.075, 0.059, bad=420, after=70, step=5)
objective("AtalaiaObjectiveMissed", 0.012, 0.0095, bad=3 * 1440 + 180, after=390, step=30)
