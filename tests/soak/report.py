"""What a soak has to say in the end: a table for people, and all of it as JSON."""

import statistics

import sample


def over_time(samples, what):
    """The sum over the instances at each moment, in order."""
    moments = {}
    for one in samples:
        moments.setdefault(one["at"], []).append(one[what])
    return {at: sum(values) for at, values in sorted(moments.items())}


def processor(samples):
    """Processor seconds of all lives, as far as samples saw them."""
    last = {}
    for one in samples:
        last[one["instance"], one["life"]] = one["cpu"]
    return sum(last.values())


def report(soak):
    """(text, details). Remarks of slopes become problems where a bound was asked for."""
    chosen, samples = soak.chosen, soak.samples
    lives = sample.lives(samples, chosen.warm_up)
    slopes, grows = sample.judge_slopes(lives)
    remarks, problems = soak.remarks + grows, list(dict.fromkeys(soak.problems))
    memory = slopes.get("rss later")
    if chosen.slope_max is not None and memory and memory["slope"] - 2 * memory["error"] > chosen.slope_max:
        problems.append(f"memory grows by {memory['slope']:.2f} ± {memory['error']:.2f} %/h, more than {chosen.slope_max:g}")
    if soak.stopped_early:
        problems.append(remarks[0] if remarks else "stopped early")
    sent, figures = soak.load_told, soak.figures
    lag = over_time(samples, "lag_records")
    seconds = max((one["at"] for one in samples), default=0.0)
    by_life = {f"{instance}/{life}": sample.slope([those], "rss") for (instance, life), those in sorted(lives.items())}
    details = {
        "good": not problems, "problems": problems, "remarks": remarks, "minutes": chosen.minutes, "peak": soak.peak, "rate": chosen.rate,
        "store": chosen.store, "instances": chosen.instances, "workers": chosen.workers, "series": chosen.devices * chosen.sensors,
        "sent": sent, "figures": figures, "restarts": soak.restarts, "published": soak.published, "caught_up_seconds": soak.caught_up,
        "slopes": slopes, "lives": len(lives), "lag_max": max(lag.values(), default=None), "lag_seconds_max": max((one["lag_seconds"] for one in samples), default=None), "lag_median": statistics.median(lag.values()) if lag else None,
        "audit": soak.audit, "binary": str(soak.binary), "retries": sum(one["retries"] for one in last_of_lives(samples)),
    }  # fmt: skip
    details["last_of_lives"] = [{name: one[name] for name in ("instance", "life", "at", "rss", "of_fds", "of_threads")} for one in last_of_lives(samples)]
    details["rss_by_life"] = {life: {"percent_an_hour": 100 * found[0] / found[2], "mean_mib": found[2] / 2**20} for life, found in by_life.items() if found}
    rows = [("fleet", f"{sent.get('records', 0):,} records in {seconds / 60:.0f} min, {sent.get('records', 0) / max(sent.get('seconds', 0), 1):,.0f}/s of {details['series']:,} series")]
    if soak.peak:
        rows.append(("peak", f"{soak.peak:,.0f} records/s, fleet and broker on the same machine"))
    rows += [
        ("instances", f"{chosen.instances} of {chosen.workers} workers; {len(soak.restarts)} restarts, {soak.published} sets of models, {figures.get('sets_seen', '?')} seen in rows"),
        ("processor", f"{processor(samples):,.0f} s, {processor(samples) / max(sent.get('records', 0), 1) * 1e6:.2f} s a million records; the fleet {sent.get('cpu_seconds', 0):,.0f} s"),
    ]
    if samples:
        rss = [one["rss"] / 2**20 for one in samples]
        rows += [("memory", f"{statistics.median(rss):.0f} MiB an instance (median), {max(rss):.0f} at most"), *slope_rows(slopes)]
        rows += [("open windows", f"{max(over_time(samples, 'open_windows').values()):,.0f} at most")]
        rows += [("lag", f"{details['lag_max']:,.0f} records at most (told by those that run), {details['lag_median']:,.0f} in the median, {details['lag_seconds_max']:.1f} s at most; 0 after {soak.caught_up} s in the end; fleet behind by {sent.get('delay_max', 0):.1f} s at most")]
    if figures:
        rows += [
            ("rows", f"{figures['rows']:,} of {figures['expected']:,} expected, in {figures['windows']} windows; {figures['compared']:,} compared by value, {figures['decisions']:,} decisions by scikit-learn"),
            ("the rest", f"{figures['late']:,} late, {figures['refused']:,} refused"),
        ]
    rows += [("remark", text) for text in remarks] + [("VIOLATED", text) for text in problems[:30]]
    rows.append(("verdict", "all is accounted for" if details["good"] else "FAILED"))
    return "\n".join(f"{name:14} {text}" for name, text in rows), details


def slope_rows(slopes):
    """Of a few minutes a slope says nothing."""
    if "rss later" not in slopes:
        return [("slopes", "too short for any")]
    return [(name_of(what), shown(what, one)) for what, one in slopes.items()]


def name_of(what):
    return {"rss": "memory slope", "fds": "descriptors", "threads": "threads"}[what.split()[0]]


def shown(what, one):
    where = "in their later half" if what.endswith("later") else "after their warm-up"
    mean = one["mean"] / 2**20 if one["unit"] == "%/h" else one["mean"]
    return f"{one['slope']:+.2f} ± {one['error']:.2f} {one['unit']} within lives, {where}; {mean:.0f} in the mean"


def last_of_lives(samples):
    return {(one["instance"], one["life"]): one for one in samples}.values()
