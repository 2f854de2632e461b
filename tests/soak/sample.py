"""What is looked at every few seconds, and what is made of it in the end: slopes, maxima, and what was never to be.

Memory is judged within each life of a process, after its warm-up, by one common slope (least squares with a mean of its own for each
life): a restart must not hide a leak, nor look like one.
"""

import contextlib
import math
import os
import re
import urllib.request
from collections import Counter, defaultdict
from pathlib import Path

TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
LINE = re.compile(r"^([a-z_]+)(?:\{[^}]*\})? (\S+)$")
# Never anything but 0.
FORBIDDEN = ("atalaia_aggregate_unaccounted_records", "atalaia_aggregate_unaccounted_readings", "atalaia_sink_halted_partitions")
MEMORY_SLOPE_PERCENT, COUNT_AN_HOUR = 0.5, 1.0
LATER_SECONDS_MIN = 180


def of_process(pid):
    """Memory, descriptors, threads and processor time so far; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        descriptors, threads = kinds_of_descriptors(pid), names_of_threads(pid)
    except (OSError, IndexError):
        return None
    if fields[0] in "ZX":
        return None
    times = {"cpu": (int(fields[11]) + int(fields[12])) / TICKS}
    return {"rss": int(fields[21]) * PAGE, "fds": sum(descriptors.values()), "threads": int(fields[17]), "of_fds": descriptors, "of_threads": threads, **times}


def kinds_of_descriptors(pid):
    """What grows, should some grow: sockets, files, and what the kernel calls the rest."""
    found = Counter()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            kind, mark, _ = os.readlink(path).partition(":")
            found[kind if mark else "file"] += 1
    return dict(found)


def names_of_threads(pid):
    found = Counter()
    for path in Path(f"/proc/{pid}/task").glob("*/comm"):
        with contextlib.suppress(OSError):
            found[path.read_text().strip().rstrip("0123456789-")] += 1
    return dict(found)


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
    total = count = 0.0
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
    """Figures by name, and remarks on what grows beyond doubt (more than twice its standard error above the bound).

    Caches and connections come once, with the first work or the first partitions taken over: what grows in the later half of lives is a leak.
    """
    figures, remarks = {}, []
    later = [those[len(those) // 2 :] for those in lives.values()]
    later = [those for those in later if those[-1]["at"] - those[0]["at"] >= LATER_SECONDS_MIN]
    for what, bound, relative in (("rss", MEMORY_SLOPE_PERCENT, True), ("fds", COUNT_AN_HOUR, False), ("threads", COUNT_AN_HOUR, False)):
        for part, those in (("", list(lives.values())), (" later", later)):
            if (found := slope(those, what)) is None:
                continue
            rise, error, mean = found
            scale = 100 / mean if relative and mean else 1.0
            figures[what + part] = {"slope": rise * scale, "error": error * scale, "unit": "%/h" if relative else "an hour", "mean": mean}
        one = figures.get(f"{what} later")
        if one and one["slope"] - 2 * one["error"] > bound:
            remarks.append(f"{what} grows by {one['slope']:.2f} ± {one['error']:.2f} {one['unit']} in the later half of lives, more than {bound:g}")
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
