"""What programs need that are started by hand, here and in tests/soak: the judges' Python, the services, the binary."""

import importlib.machinery
import importlib.util
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOMES = "ATALAIA_HARNESS_HOMES"


def load_services():
    """`scripts/services` is a program without an ending; here it serves as a module."""
    loader = importlib.machinery.SourceFileLoader("services", str(ROOT / "scripts" / "services"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("services", loader))
    sys.modules["services"] = module
    loader.exec_module(module)
    return module


def prepared(*wanted):
    """The services as a module, and where each is installed. The first call begins the program anew, as the judges' Python."""
    services = load_services()
    if HOMES in os.environ:
        return services, {name: Path(home) for name, home in json.loads(os.environ.pop(HOMES)).items()}
    try:
        homes = services.install([*wanted, "python"])
    except services.Failure as failure:
        sys.exit(f"{Path(sys.argv[0]).parent.name}: {failure}")
    python = homes["python"] / "bin" / "python"
    environment = {**os.environ, HOMES: json.dumps({name: str(home) for name, home in homes.items()})}
    os.execve(python, [python, "-B", "-W", "ignore", *sys.argv], environment)


def end_now(workers, children=(), servers=()):
    """Kills what still runs: the end of a run, however it ended."""
    for worker in workers:
        if worker.is_running():
            worker.kill()
    for child in [*children, *(server.process for server in servers if server.process)]:
        if child.poll() is None:
            child.kill()
            child.wait()


def newest_binary():
    if named := os.environ.get("ATALAIA_BINARY"):
        return Path(named)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    found = [path for path in (target / "release" / "atalaia", target / "debug" / "atalaia") if path.exists()]
    if not found:
        sys.exit("no binary: `cargo build --release`, or name one with --binary")
    return max(found, key=lambda path: path.stat().st_mtime)
