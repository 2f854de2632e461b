"""Verdict lines for the parts in Python.

    sys.path.insert(0, str(Path(__file__).parent / "kit"))
    from verdicts import Verdicts, Skipped

    verdicts = Verdicts()
    with verdicts.check("rows arrive"):
        assert rows > 0, f"{rows} rows"
    sys.exit(verdicts.status())

A failed check is printed with its reason and the others go on; `raise Skipped("why")` outside of checks ends the part with 77.
"""

import contextlib
import sys
import traceback

SKIPPED = 77


class Skipped(Exception):
    """This part cannot be run here."""


class Verdicts:
    def __init__(self):
        self.passed, self.failed = 0, 0

    @contextlib.contextmanager
    def check(self, what):
        try:
            yield
        except AssertionError as error:
            self._fail(what, str(error) or traceback.format_exc(limit=-1))
        except Skipped:
            raise
        except Exception:  # whatever it was, the other checks are still worth running
            self._fail(what, traceback.format_exc(limit=-3))
        else:
            print(f"ok    {what}", flush=True)
            self.passed += 1

    def _fail(self, what, why):
        print(f"FAIL  {what}", *(f"      {line}" for line in why.splitlines()), sep="\n", flush=True)
        self.failed += 1

    def status(self):
        print(f"      {self.passed} passed, {self.failed} failed", flush=True)
        return 0 if self.passed and not self.failed else 1


def skip_or(main):
    """The status of a part whose `main` may find that it cannot be run here."""
    try:
        return main()
    except Skipped as why:
        print(f"SKIP  {why}", file=sys.stderr)
        return SKIPPED
