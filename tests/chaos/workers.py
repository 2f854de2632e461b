"""Atalaia's processes: started, killed, stopped and asked to leave; each life with a log of its own.

A worker that ends by itself has failed the run, and so has a log that speaks of a panic or of a halted partition.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter

BAD = re.compile(r"panicked at|partition.*\bhalted\b|\bhalted\b.*partition|this is a bug", re.IGNORECASE)
ERROR = re.compile(r" ERROR ")
AT_WORK = re.compile(r" INFO running ")
SESSION_SECONDS = 6
LEAVE_SECONDS_MAX = 180


def configuration(settings):
    """pipeline.toml; all that differs between workers comes as `--set`."""
    rules = {name: f"{micros // 1000}ms" for name, micros in settings["rules"].items()}
    quoted = json.dumps
    lines = [
        'pipeline = "chaos"',
        "[ingest]",
        *settings["input"],
        "[ingest.decode]",
        'time_unit = "ms"',
        "[aggregate]",
        *(f"{name} = {quoted(value)}" for name, value in rules.items()),
        "[score]",
        f"models = {quoted(str(settings['models']))}",
        "[sink]",
        f"url = {quoted(settings['url'])}",
        f"commit_interval = {quoted(settings['commit_interval'])}",
        "min_rows = 500",
        f"max_delay = {quoted(settings['max_delay'])}",
        "[telemetry]",
        'metrics = "127.0.0.1:0"',
        "[run]",
        "workers = 1",
    ]
    if settings["endpoint"]:
        # What hangs must be given up on before the run is over.
        lines += ["[storage]", "emulator = true", f"endpoint = {quoted(settings['endpoint'])}", 'request_timeout = "10s"']
    return "\n".join(lines) + "\n"


class Worker:
    """One place in the group, with many lives."""

    def __init__(self, number, binary, config, folder, before_exec, source):
        self.number, self.binary, self.config, self.before_exec, self.source = number, binary, config, before_exec, source
        self.folder = folder / f"worker-{number}"
        self.folder.mkdir(parents=True)
        self.process, self.lives, self.leaving_since, self.is_stopped = None, 0, None, False

    def start(self, *more):
        self.lives += 1
        self.leaving_since, self.is_stopped = None, False
        command = [self.binary, "run", "-c", self.config, *more, *self.source.arguments(self.number)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ATALAIA__") and name != "RUST_LOG"}
        environment |= {"RUST_BACKTRACE": "1", **self.source.environment()}
        with open(self.log(), "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.before_exec
            )

    def log(self):
        return self.folder / f"life-{self.lives:03}.log"

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def is_free(self):
        """Running, and nothing is being done to it."""
        return self.is_running() and not self.is_stopped and self.leaving_since is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.is_stopped = True

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_stopped = False

    def leave(self):
        self.process.send_signal(signal.SIGTERM)
        self.leaving_since = time.monotonic()

    def failure(self, forgives=lambda worker, sent_away: False):
        """What went wrong since the last look, in words; a process that has left as asked is put aside.

        A start that did not succeed is no failure if it is forgiven, which means: started again later, as orchestrators do.
        """
        if self.process is None:
            return None
        status = self.process.poll()
        if status is None:
            if self.leaving_since and time.monotonic() - self.leaving_since > LEAVE_SECONDS_MAX:
                return f"worker {self.number} does not leave: {self.log()}"
            return None
        self.process = None
        at_work = AT_WORK.search(self.log().read_text(errors="replace"))
        # One that was asked before it was at work ends by the signal itself, or because a store failed at its start.
        if self.leaving_since and (status == 0 or status in (1, 130, -signal.SIGTERM) and not at_work):
            return None
        # Whom the source sent away for a moment, that one is started again.
        sent_away = status == 1 and self.source.sends_away in self.log().read_text(errors="replace")
        if status == 1 and (not at_work or sent_away) and forgives(self, sent_away):
            return None
        lines = self.log().read_text(errors="replace").splitlines()[-30:]
        return f"worker {self.number} ended with status {status}: {self.log()}\n" + "\n".join(f"    | {line}" for line in lines)


def look_through(folder):
    """Lines of the logs that must not be, and how often which ERROR lines occurred, without their numbers."""
    bad, errors = [], Counter()
    for path in sorted(folder.glob("worker-*/life-*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if BAD.search(line):
                bad.append(f"{path}: {line}")
            if ERROR.search(line):
                errors[re.sub(r"[0-9a-f.:]*\d[0-9a-f.:]*", "#", line)[:200]] += 1
    return bad, dict(errors.most_common(20))
