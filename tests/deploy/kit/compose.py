"""docker-compose.yml as compose understands it, as far as this one goes: variables at their defaults, profiles, order of starts.

What it does not know it refuses, so that nothing in the file is passed over in silence.
"""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
YAML = "pyyaml==6.0.3"
KNOWN = {
    "profiles", "image", "build", "environment", "ports", "volumes", "healthcheck", "restart", "command", "entrypoint", "depends_on", "tmpfs",
    "read_only", "cap_drop", "security_opt", "ulimits", "stop_grace_period", "networks", "deploy", "env_file",
}  # fmt: skip
SECONDS = re.compile(r"(?:(\d+)m)?(?:(\d+)s)?")


def yaml_loader():
    """PyYAML, where there is none from the package index, once."""
    try:
        return importlib.import_module("yaml")
    except ImportError:
        folder = Path(os.environ.get("ATALAIA_SERVICES", ROOT / ".services")).resolve() / YAML.replace("==", "-")
        if not (folder / "yaml").exists():
            subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", folder, YAML], check=True)
        sys.path.append(str(folder))
        return importlib.import_module("yaml")


def interpolated(value, variables):
    """`${NAME:-default}` and `$$` in every text."""
    if isinstance(value, dict):
        return {key: interpolated(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [interpolated(one, variables) for one in value]
    if not isinstance(value, str):
        return value

    def word(match):
        if match[0] == "$$":
            return "$"
        if match[1] is None:
            raise ValueError(f"`{value}`: only ${{NAME:-default}} is understood")
        return variables.get(match[1]) or match[2]

    return re.sub(r"\$\$|\$(?:\{([A-Z_]+):-([^}]*)\})?", word, value)


def seconds(text, default):
    if text is None:
        return default
    minutes, rest = SECONDS.fullmatch(text).groups()
    return int(minutes or 0) * 60 + int(rest or 0)


class Service:
    """One entry of `services`, made plain."""

    def __init__(self, name, raw, folder):
        if strange := raw.keys() - KNOWN:
            raise ValueError(f"service `{name}`: the walk does not know {sorted(strange)}")
        self.name, self.raw = name, raw
        self.profiles, self.image = raw.get("profiles", []), raw["image"]
        self.is_built = "build" in raw
        self.target = raw["build"].get("target") if self.is_built else None
        self.command, self.entrypoint = listed(raw.get("command")), listed(raw.get("entrypoint"))
        environment = raw.get("environment", {})
        self.environment = environment if isinstance(environment, dict) else dict(one.split("=", 1) for one in environment)
        self.environment = {key: str(value) for key, value in self.environment.items()}
        self.is_read_only, self.tmpfs = raw.get("read_only", False), raw.get("tmpfs", [])
        self.drops_all = raw.get("cap_drop") == ["ALL"]
        self.gains_none = "no-new-privileges:true" in raw.get("security_opt", [])
        self.replicas = raw.get("deploy", {}).get("replicas", 1)
        self.grace_seconds = seconds(raw.get("stop_grace_period"), 10)
        self.restarts = raw.get("restart", "no") != "no"
        needs = raw.get("depends_on", {})
        self.needs = {other: how["condition"] for other, how in needs.items()} if isinstance(needs, dict) else dict.fromkeys(needs, "service_started")
        networks = raw.get("networks", {})
        self.names = [name, *networks.get("default", {}).get("aliases", [])] if isinstance(networks, dict) else [name]
        self.ports = [port(text) for text in raw.get("ports", [])]
        self.mounts = [mount(text, folder) for text in raw.get("volumes", [])]
        self.health = raw.get("healthcheck")

    def published(self, replica):
        """[(port of the machine, port of the container)]; a range deals its ports out."""
        return [(begin + (replica if end > begin else 0), inner) for begin, end, inner in self.ports]


def listed(words):
    if isinstance(words, str):
        raise ValueError(f"`{words}`: write commands as lists")
    return None if words is None else [str(word) for word in words]


def port(text):
    match = re.fullmatch(r"127\.0\.0\.1:(\d+)(?:-(\d+))?:(\d+)", text)
    if not match:
        raise ValueError(f"port `{text}` is not one of 127.0.0.1 alone")
    begin, end, inner = match.groups()
    return int(begin), int(end or begin), int(inner)


def mount(text, folder):
    """(a path, or the name of a volume; the place; whether it may be written)."""
    source, place, *mode = text.split(":")
    if source.startswith("."):
        source = (folder / source).resolve()
        if not source.exists():
            raise ValueError(f"`{source}` does not exist: docker would make a folder of it")
    return source, place, mode != ["ro"]


def read(path, variables, profile):
    """The services of a profile in the order in which they can be started."""
    path = Path(path)
    document = interpolated(yaml_loader().safe_load(path.read_text()), variables)
    services = {name: Service(name, raw, path.parent) for name, raw in document["services"].items()}
    chosen = {name: one for name, one in services.items() if not one.profiles or profile in one.profiles}
    order = []

    def add(name, above=()):
        if name in above:
            raise ValueError(f"`{name}` waits for itself")
        if name in order:
            return
        if name not in chosen:
            raise ValueError(f"`{above[-1]}` waits for `{name}`, which profile `{profile}` does not have")
        for other in chosen[name].needs:
            add(other, (*above, name))
        order.append(name)

    for name in chosen:
        add(name)
    return [chosen[name] for name in order], document
