"""What is looked at every few seconds, and what is made of it in the end: slopes, maxima, and what was never to be.

Memory is judged within each life of a process, after its warm-up, by one common slope (least squares with a mean of its own for each
life): a restart must not hide a leak, nor look like one.
"""

import math
import os
import re
import urllib.request
from collections import defaultdict
from pathlib import Path

TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
LINE = re.compile(r"^([a-z_]+)(?:\{[^}]*\})? (\S+)$")
# Never anything but 0.
FORBIDDEN = ("atalaia_aggregate_unaccounted_records", "atalaia_aggregate_unaccounted_readings", "atalaia_sink_halted_partitions")
MEMORY_SLOPE_PERCENT, DESCRIPTORS_AN_HOUR = 0.5, 1.0


def of_process(pid):
    """Memory, descriptors, threads and processor time so far; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, IndexError):
        return None
    if fields[0] in "ZX":
        return None
    return {"rss": int(fields[21]) * PAGE, "fds": descriptors, "threads": int(fields[17]), "cpu": (int(fields[11]) + int(fields[12])) / TICKS}


def metrics(port):
    """{name: the values of its series}; None where nobody answers (any more)."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    found = defaultdict(list)
    for line in text.splitlines():
        if match := LINE.match(line):
            found[match[1]].append(float(match[2]))
    return found


def of_instance(worker, port, life, at):
    """One line of the record, or None while it is starting or gone."""
    process = of_process(worker.process.pid) if worker.is_running() else None
    told = metrics(port) if process else None
    if told is None:
        return None
    total = lambda name: sum(told.get(name, []))  # noqa: E731
    return {
        "instance": worker.number, "life": life, "at": round(at, 1), **process,
        "lag_records": total("atalaia_ingest_lag_records"), "lag_seconds": max(told.get("atalaia_ingest_lag_seconds", [0.0])),
        "open_windows": total("atalaia_aggregate_open_windows"), "records": total("atalaia_ingest_records_total"),
        "reloads": total("atalaia_score_reloads_total"), "reload_failures": total("atalaia_score_reload_failures_total"),
        "retries": total("atalaia_sink_retries_total"), "fenced": total("atalaia_sink_fenced_total"),
        "forbidden": {name: max(map(abs, told[name])) for name in FORBIDDEN if any(told.get(name, []))},
    }  # fmt: skip


# === What is made of it ===


def lives(samples, warm_up):
    """{(instance, life): its samples after the warm-up}, where there are enough of them for a slope."""
    found = defaultdict(list)
    for sample in samples:
        found[sample["instance"], sample["life"]].append(sample)
    settled = {life: [one for one in those if one["at"] - those[0]["at"] >= warm_up] for life, those in found.items()}
    return {life: those for life, those in settled.items() if len(those) >= 4}


def slope(lives, what):
    """The common slope of all lives an hour, its standard error, and the mean; None without lives."""
    across = along = total = count = 0.0
    points = []
    for those in lives:
        times, values = [one["at"] / 3600 for one in those], [float(one[what]) for one in those]
        time, value = sum(times) / len(times), sum(values) / len(values)
        points += [(t - time, v - value) for t, v in zip(times, values)]
        total, count = total + sum(values), count + len(values)
    across, along = sum(t * t for t, _ in points), sum(t * v for t, v in points)
    if not across:
        return None
    rise = along / across
    left = sum((v - rise * t) ** 2 for t, v in points)
    freedom = max(len(points) - len(lives) - 1, 1)
    return rise, math.sqrt(left / freedom / across), total / count


def judge_slopes(lives):
    """Figures by name, and remarks on what grows beyond doubt (more than twice its standard error above the bound)."""
    figures, remarks = {}, []
    for what, bound, relative in (("rss", MEMORY_SLOPE_PERCENT, True), ("fds", DESCRIPTORS_AN_HOUR, False), ("threads", DESCRIPTORS_AN_HOUR, False)):
        found = slope(list(lives.values()), what)
        if found is None:
            continue
        rise, error, mean = found
        scale = 100 / mean if relative and mean else 1.0
        unit = "%/h" if relative else "an hour"
        figures[what] = {"slope": rise * scale, "error": error * scale, "unit": unit, "mean": mean}
        if (rise - 2 * error) * scale > bound:
            remarks.append(f"{what} grows by {rise * scale:.2f} ± {error * scale:.2f} {unit}, more than {bound:g}")
    return figures, remarks


def judge_samples(samples):
    """What was seen that must never be."""
    problems = []
    for sample in samples:
        for name, value in sample["forbidden"].items():
            problems.append(f"{name} was {value:g} after {sample['at']:.0f} s, instance {sample['instance']}")
        if sample["reload_failures"]:
            problems.append(f"{sample['reload_failures']:g} reloads of models failed, instance {sample['instance']} after {sample['at']:.0f} s")
    return problems
