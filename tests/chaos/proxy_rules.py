"""The proxy's rules: what is done to which requests, and how the commands that say so are understood."""

import re
import threading

MODES = ("pass", "refuse", "hang", "drop-answer", "500-after", "503", "slow")


class Rule:
    """What is done to which requests, and to how many; no number: until further notice."""

    def __init__(self, mode, argument, pattern, left=None):
        self.mode, self.argument, self.left = mode, argument, left
        self.pattern = re.compile(pattern)

    @classmethod
    def parse(cls, words):
        left = None
        if words.startswith("next "):
            _, number, words = (words.split(" ", 2) + ["", ""])[:3]
            left = int(number)
            if left < 1:
                raise ValueError(f"`{number}` is no number of requests")
        mode, _, rest = words.strip().partition(" ")
        if mode not in MODES:
            raise ValueError(f"unknown command `{mode}`")
        argument = 0
        if mode == "slow":
            number, _, rest = rest.strip().partition(" ")
            argument = int(number)
        return cls(mode, argument, rest.strip(), left)


class Plan:
    """The rules in force; shared by all connections."""

    def __init__(self, forbid=None):
        self.forbid, self.forbidden = forbid and re.compile(forbid), 0
        self.lock = threading.Lock()
        self.standing = None
        self.counted = []
        self.hits = 0
        # Replaced at every heal: whoever hangs waits for the one that was there when it began to.
        self.healed = threading.Event()

    def command(self, line):
        if line == "left":
            with self.lock:
                return f"ok {sum(rule.left for rule in self.counted)}"
        if line == "forbidden":
            return f"ok {self.forbidden}"
        if line == "hits":
            return f"ok {self.hits}"
        rule = Rule.parse(line)
        with self.lock:
            if rule.left is not None:
                self.counted.append(rule)
            elif rule.mode == "pass":
                self.standing, self.counted = None, []
                self.healed.set()
                self.healed = threading.Event()
            else:
                self.standing = rule
                if rule.mode != "hang":
                    self.healed.set()
                    self.healed = threading.Event()
        return "ok"

    def is_dark(self):
        """Whether connections are refused before anything is said."""
        rule = self.standing
        return rule is not None and rule.mode == "refuse" and not rule.pattern.pattern

    def forbids(self, method, path, creates):
        """Whether the role lacks the right."""
        if not self.forbid or not self.forbid.search(f"{method} {'new' if creates else 'any'} {path}"):
            return False
        with self.lock:
            self.forbidden += 1
        return True

    def choose(self, request):
        """The rule for a request; a counted one is used up by it."""
        with self.lock:
            for rule in self.counted:
                if rule.pattern.search(request):
                    rule.left -= 1
                    if rule.left == 0:
                        self.counted.remove(rule)
                    break
            else:
                rule = self.standing
                if rule is None or not rule.pattern.search(request):
                    return "pass", 0, self.healed
            self.hits += rule.mode != "pass"
            return rule.mode, rule.argument, self.healed
