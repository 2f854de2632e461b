"""What is done to the parts, and when: a schedule drawn from the seed, carried out by one thread and counted.

Each kind of fault has its own even rhythm with jitter. An action that cannot be taken at its moment (no worker is free, another
broker is still down) is tried again a little later, so the counts are kept. Whatever a fault begins it also ends: restart,
continue, heal.
"""

import heapq
import random
import socket
import time
from collections import Counter

from workers import SESSION_SECONDS

# Times a minute, and at least so many in a run.
RATES = {"kill": (3.9, 18), "zombie": (0.55, 1), "rebalance": (1.4, 3), "blackout": (0.29, 1), "hiccup": (2, 3)}
LONG_BLACKOUT_SECONDS, LONG_FROM_MINUTES = 300, 20
EXTRA_WORKERS_MAX = 2
RETRY_SECONDS = 1
# So long after a fault of storage a worker that checks its stores at the start may still have met it.
AFTERMATH_SECONDS = 90
HICCUPS = ("drop-answer", "500-after", "503", "drop-answer", "slow 700")
TARGETS = ("PUT .*/log/", "PUT .*parquet", "PUT", "GET", "(HEAD|DELETE)", "")


class Control:
    """The proxy's second port."""

    def __init__(self, port):
        self.lines = socket.create_connection(("127.0.0.1", port)).makefile("rw")

    def say(self, line):
        self.lines.write(line + "\n")
        self.lines.flush()
        answer = self.lines.readline().strip()
        if not answer.startswith("ok"):
            raise RuntimeError(f"the proxy answers `{answer}` to `{line}`")
        return answer[3:]


class Conductor:
    def __init__(self, seed, minutes, workers, make_worker, source, control, say):
        self.random, self.workers, self.make_worker = random.Random(seed), workers, make_worker
        self.source, self.control, self.say = source, control, say
        self.base_workers = len(workers)
        self.seconds = minutes * 60
        self.counts, self.planned, self.notes = Counter(), Counter(), []
        self.longest_blackout = self.dark_seconds = 0
        self.dark = False
        self.storage_failed = float("-inf")
        self.agenda, self.order = [], 0
        self.begun = time.monotonic()
        self.plan(minutes)

    # === The schedule ===

    def plan(self, minutes):
        for kind, (rate, least) in {**RATES, **self.source.rates}.items():
            if kind in ("blackout", "hiccup") and self.control is None:
                continue
            number = self.planned[kind] = max(least, round(rate * minutes))
            # The last fifteen seconds belong to what was begun.
            space = max(self.seconds - 15, 1) / number
            for n in range(number):
                self.at(2 + space * (n + self.random.uniform(0.1, 0.9)), self.act, kind)
        if self.control is not None and minutes >= LONG_FROM_MINUTES:
            self.planned["blackout"] += 1
            self.at(self.seconds * 0.4, self.black_out, LONG_BLACKOUT_SECONDS)

    def at(self, second, action, *args):
        self.order += 1
        heapq.heappush(self.agenda, (second, self.order, action, args))

    def after(self, seconds, action, *args):
        self.at(time.monotonic() - self.begun + seconds, action, *args)

    def turn(self):
        """Does what is due; gives whether anything is still to be done."""
        while self.agenda and self.agenda[0][0] <= time.monotonic() - self.begun:
            _, _, action, args = heapq.heappop(self.agenda)
            action(*args)
        return bool(self.agenda)

    def act(self, kind):
        late = time.monotonic() - self.begun > self.seconds
        fault = getattr(self, kind) if kind in RATES else lambda: getattr(self.source, kind)(self)
        if not late and not fault():
            self.after(RETRY_SECONDS, self.act, kind)

    def note(self, text):
        self.notes.append(f"{time.monotonic() - self.begun:8.1f} {text}")

    def count(self, kind, text):
        self.counts[kind] += 1
        self.note(text)

    def free(self):
        return [worker for worker in self.workers if worker.is_free()]

    # === The faults ===

    def kill(self):
        free = self.free()
        if not free:
            return False
        worker = self.random.choice(free)
        worker.kill()
        self.count("kill", f"worker {worker.number} killed")
        self.after(self.random.uniform(0, 2), worker.start)
        return True

    def zombie(self):
        free = self.free()
        if len(free) < 2:
            return False
        worker = self.random.choice(free)
        worker.pause()
        seconds = SESSION_SECONDS + self.random.uniform(1.5, 6)
        self.count("zombie", f"worker {worker.number} stopped for {seconds:.1f} s")
        self.after(seconds, worker.go_on)
        return True

    def rebalance(self):
        extra = [worker for worker in self.workers[self.base_workers :] if worker.is_free()]
        absent = [worker for worker in self.workers[self.base_workers :] if worker.process is None and worker.leaving_since]
        join = not extra or (len(extra) < EXTRA_WORKERS_MAX and self.random.random() < 0.5)
        if not join:
            worker = self.random.choice(extra)
            worker.leave()
            self.count("rebalance", f"worker {worker.number} asked to leave")
            return True
        if absent:
            worker = absent[0]
        elif len(self.workers) < self.base_workers + EXTRA_WORKERS_MAX:
            worker = self.make_worker(len(self.workers))
            self.workers.append(worker)
        else:
            return False
        worker.start()
        self.count("rebalance", f"worker {worker.number} joins")
        return True

    def blackout(self):
        return self.black_out(self.random.uniform(5, 30 if self.seconds > 300 else 10))

    def black_out(self, seconds):
        if self.dark:
            self.after(RETRY_SECONDS, self.black_out, seconds)
            return True
        mode = self.random.choice(("refuse", "hang"))
        self.control.say(mode)
        self.dark = True
        self.longest_blackout = max(self.longest_blackout, seconds)
        self.dark_seconds += seconds
        self.count("blackout", f"storage answers `{mode}` for {seconds:.1f} s")
        self.after(seconds, self.heal)
        return True

    def heal(self):
        self.storage_failed = time.monotonic()
        self.control.say("pass")
        self.dark = False
        self.note("storage is back")

    def hiccup(self):
        if self.dark:
            return False
        mode, target, number = self.random.choice(HICCUPS), self.random.choice(TARGETS), self.random.randrange(1, 6)
        self.control.say(f"next {number} {mode} {target}")
        self.storage_failed = time.monotonic()
        self.count("hiccup", f"next {number} `{target}`: {mode}")
        return True

    # === Starts that fail ===

    def forgives(self, worker, sent_away):
        """A worker that could not start while storage failed, or that the group sent away, is started again; gives whether that was so."""
        if sent_away:
            self.count("sent_away", f"worker {worker.number} was sent away")
            self.after(self.random.uniform(1, 4), worker.start)
            return True
        recent = time.monotonic() - self.storage_failed < AFTERMATH_SECONDS
        if not self.control or not (self.dark or recent or int(self.control.say("left")) > 0):
            return False
        self.count("refused_start", f"worker {worker.number} could not start")
        self.after(self.random.uniform(1, 4), worker.start)
        return True

    # === The end ===

    def settle(self):
        """Ends whatever is still under way."""
        for worker in self.workers:
            if worker.is_running() and worker.is_stopped:
                worker.go_on()
        if self.control is not None:
            self.control.say("pass")
            self.dark = False
        self.source.settle()

    def shortfall(self):
        """Kinds of fault that came less often than they should have."""
        return [f"{self.counts[kind]} of {number} {kind}s" for kind, number in self.planned.items() if self.counts[kind] < 0.85 * number]
