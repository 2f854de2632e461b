"""What a run has to say in the end: one line with all figures, and a JSON with the details."""

import json
import shutil

COUNTS = {"kills": "kill", "zombies": "zombie", "rebalances": "rebalance"}
FIGURES = ("lost", "duplicates", "wrong", "late_in_order")


def report(run):
    """Writes report.json; gives the line. A run that did not come to its judgement has question marks in it."""
    chosen, conductor, verdict = run.chosen, run.conductor, run.verdict
    counts = dict(conductor.counts) if conductor else {}
    produced, reads = run.figures("produced.json"), run.figures("reads.json")
    longest = conductor.longest_blackout if conductor else 0
    line = (
        f"chaos: {chosen.minutes:g} min, records={produced.get('records', 0)}, rows={run.found.get('rows', 0)}, "
        + ", ".join(f"{name}={counts.get(kind, 0)}" for name, kind in {**COUNTS, **run.source.counted}.items())
        + f", beyond_rights={'?' if run.beyond_rights is None else run.beyond_rights}"
        + f", blackouts={counts.get('blackout', 0)} (longest {longest:.0f} s), reads={reads.get('reads', 0)}, "
        + " ".join(f"{figure}={verdict.figures[figure] if verdict else '?'}" for figure in FIGURES)
    )
    details = {
        "good": not run.failures,
        "line": line,
        "failures": run.failures,
        "seed": chosen.seed,
        "source": chosen.source,
        "store": chosen.store,
        "rate": chosen.rate,
        "partitions": chosen.partitions,
        "binary": str(run.binary),
        "seconds": run.times,
        "counts": counts,
        "dark_seconds": conductor and conductor.dark_seconds,
        "lives": sum(worker.lives for worker in run.workers),
        "error_lines": run.errors,
        "produced": produced,
        "reads": reads,
        "log_records": run.journal.get("records"),
        "wall_steps": run.wall_steps,
        "found": run.found,
        "tallies": run.tallies,
        "agenda": conductor and conductor.notes,
    }
    path = run.folder / "report.json"
    path.write_text(json.dumps(details, indent=1))
    if chosen.out:
        shutil.copy(path, chosen.out / "report.json")
    return line
