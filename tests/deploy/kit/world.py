"""Real services for the parts in Python, and the program among them.

    with World() as world:
        kafka = world.kafka(["listener…=…"])
        done = world.run("validate", "-c", path, "--online")

Everything is below one temp folder, on 127.0.0.1, and ends with the block.
"""

import base64
import hashlib
import hmac
import importlib.machinery
import importlib.util
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def _services():
    """`scripts/services` is a program without an ending; here it serves as a module."""
    loader = importlib.machinery.SourceFileLoader("services", str(ROOT / "scripts" / "services"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("services", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


services = _services()
sys.path.insert(0, str(ROOT / "tests" / "chaos"))
from store import ACCOUNT, KEY  # noqa: E402  (of the emulator, published)


def binary(name="atalaia", package="atalaia"):
    """Beside ATALAIA_BINARY, where that is set; else the debug build, made if it has to be."""
    if chosen := os.environ.get("ATALAIA_BINARY"):
        beside = Path(chosen) if name == "atalaia" else Path(chosen).with_name(name)
        if beside.exists():
            return beside
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
    subprocess.run(["cargo", "build", "--locked", "--quiet", "-p", package, "--bin", name], cwd=ROOT, check=True)
    return target / "debug" / name


class World:
    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="atalaia-deploy-"))
        (self.folder / "none").mkdir()
        self.started, self.children, self.homes = [], [], {}
        return self

    def __exit__(self, *_):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        with services.uninterrupted():
            services.stop(self.started, self.folder)

    def home(self, name):
        if name not in self.homes:
            self.homes.update(services.install([name]))
        return self.homes[name]

    def kafka(self, lines=(), java=()):
        """A broker with more lines in its properties; `lines` may be a function of the server, whose ports are known by then."""
        server = services.Kafka(self.home("kafka"), self.folder / f"kafka-{len(self.started)}")
        server.extra = list(lines(server) if callable(lines) else lines)
        launch = server.launch
        server.launch = lambda extra, detached: launch([*extra, *java], detached)
        return self._started(server)

    def azurite(self, flags=()):
        server = services.Azurite(self.home("azurite"), self.folder / f"azurite-{len(self.started)}")
        spawn = server.spawn
        server.spawn = lambda command, *rest, **more: spawn([*command, *flags], *rest, **more)
        return self._started(server)

    def _started(self, server):
        self.started.append(server)
        server.start(detached=False)
        server.wait_ready()
        return server

    def emulator(self, *arguments):
        """The event hub's emulator; what it says of itself."""
        program = binary("event-hubs-emulator", "atalaia-event-hubs-emulator")
        child = self.spawn([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return json.loads(child.stdout.readline())

    def spawn(self, command, **more):
        child = subprocess.Popen([str(part) for part in command], preexec_fn=services.die_with_parent, **more)
        self.children.append(child)
        return child

    def run(self, *arguments, env=None, seconds=120, program=None):
        """The program to its end; standard error is added to what it printed."""
        return subprocess.run(
            [str(program or binary()), *(str(part) for part in arguments)],
            env={**os.environ, **(env or {})}, cwd=self.folder, timeout=seconds,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip

    def file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def wait_for(what, condition, seconds=60, why=lambda: ""):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} within {seconds} s {why()}"
        time.sleep(0.1)
    return found


class Authority:
    """An authority of our own, and the certificates that it signs, by openssl."""

    def __init__(self, folder, name):
        self.folder = folder / name
        self.folder.mkdir()
        self.certificate = self.folder / "ca.pem"
        openssl(self.folder, f"req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN={name}")

    def sign(self, name, names="DNS:localhost,IP:127.0.0.1", days=(-1, 30)):
        """The key and the certificate in one file; valid from and to these days from now."""
        (self.folder / "names").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        moment = lambda day: time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + day * 86_400))  # noqa: E731
        openssl(self.folder, f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}")
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text(f"{time.time_ns():016x}\n")
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\n"
            "unique_subject=no\n[any]\ncommonName=supplied\n"
        )
        openssl(
            self.folder,
            f"ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in {name}.csr -out {name}.crt -extfile names"
            f" -startdate {moment(days[0])} -enddate {moment(days[1])}",
        )
        both = self.folder / f"{name}.pem"
        both.write_text((self.folder / f"{name}.key").read_text() + (self.folder / f"{name}.crt").read_text())
        return both


def create_container(port, name, authority, account=ACCOUNT, key=KEY):
    """On an Azurite with TLS."""
    url = f"https://127.0.0.1:{port}/{account}/{name}?restype=container&{account_signature(account, key)}"
    request = urllib.request.Request(url, method="PUT", data=b"", headers={"x-ms-version": "2021-12-02", "Content-Length": "0"})
    urllib.request.urlopen(request, context=ssl.create_default_context(cafile=authority.certificate)).close()


def account_signature(account, key):
    """A shared access signature of the account for everything, as Azure's documentation describes it."""
    fields = {"sv": "2021-12-02", "ss": "b", "srt": "sco", "sp": "rwdlac", "se": "2099-01-01T00:00:00Z", "spr": "https"}
    return signed(fields, [account, fields["sp"], fields["ss"], fields["srt"], "", fields["se"], "", fields["spr"], fields["sv"], "", ""], key)


def container_signature(account, key, container):
    """The same for one container: a service's signature."""
    fields = {"sv": "2021-12-02", "sr": "c", "sp": "rwdlac", "se": "2099-01-01T00:00:00Z", "spr": "https"}
    head = [fields["sp"], "", fields["se"], f"/blob/{account}/{container}", "", "", fields["spr"], fields["sv"], fields["sr"]]
    return signed(fields, head + [""] * 7, key)


def signed(fields, lines, key):
    text = "\n".join(lines)
    fields["sig"] = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
    return urllib.parse.urlencode(fields)


def openssl(folder, line):
    done = subprocess.run(["openssl", *line.split()], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {line}: {done.stderr}"

