"""A container engine for one walk: namespaces instead of an engine, this machine's programs instead of images.

Each container has a network, an address and files of its own; names are resolved by a server at the network's first address, as Docker does
it; published ports are forwarded. So commands, mounts, names and ports are taken as the compose file has them. It needs root and
runs in a network of its own (`enter`), so that no port of the machine is taken.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

KIT = Path(__file__).resolve().parent
NET = "10.88.0."
ENTERED = "ATALAIA_WALK_ENTERED"


def enter(environment):
    """Begins the program anew in a network and with mounts of its own; `environment` is for the other beginning."""
    if ENTERED in os.environ:
        return
    command = ["unshare", "--net", "--mount", "--propagation", "private", "--", sys.executable, "-B", "-W", "ignore", *sys.argv]
    os.execvpe(command[0], command, {**os.environ, **environment, ENTERED: "1"})


def ip(*words, pid=None):
    prefix = ["nsenter", "-t", str(pid), "-n"] if pid else []
    subprocess.run([*prefix, "ip", *words], check=True)


class Container:
    """One replica of a service."""

    def __init__(self, engine, service, replica, image, number):
        self.engine, self.service, self.replica, self.image = engine, service, replica, image
        self.name = service.name if service.replicas == 1 else f"{service.name}-{replica + 1}"
        self.address, self.number = f"{NET}{number}", number
        self.log = engine.folder / f"{self.name}.log"
        self.process, self.starts, self.stuck = None, 0, ""

    def spec(self):
        service, image = self.service, self.image
        command = [*(service.entrypoint or image.entrypoint), *(service.command or (image.command if not service.entrypoint else []))]
        binds = [[str(source), place, False] for source, place in image.binds]
        for source, place, writable in service.mounts:
            binds.append([str(source if isinstance(source, Path) else self.engine.volume(source, image.user)), place, writable])
        path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"}
        return {
            "scratch": str(self.engine.folder / f"{self.name}-files"), "needed": [str(path) for path in image.needed], "binds": binds,
            "etc": {"hosts": f"127.0.0.1 localhost\n{self.address} {self.name}\n", "resolv.conf": f"nameserver {NET}1\n", "nsswitch.conf": "hosts: files dns\n"},
            "programs": image.programs, "tmpfs": service.tmpfs, "read_only": service.is_read_only, "user": image.user,
            "drops_all": service.drops_all, "gains_none": service.gains_none, "command": command, "environment": {**path, **image.environment, **service.environment},
        }  # fmt: skip

    def start(self):
        self.starts += 1
        spec = self.engine.folder / f"{self.name}.json"
        spec.write_text(json.dumps(self.spec(), indent=1))
        command = ["unshare", "--net", "--mount", "--propagation", "private", "--", sys.executable, "-B", KIT / "container.py", spec]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, preexec_fn=self.engine.die_with_parent)
        pid = self.process.pid
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{pid}/ns/net") == ours:
            time.sleep(0.01)
        outer = f"c{self.number}x{self.starts}"
        # The same address of the card after each start, as Docker has it: neighbours remember it.
        ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "address", f"02:42:0a:58:00:{self.number:02x}", "netns", str(pid))
        ip("link", "set", outer, "master", "bridge", "up")
        ip("address", "add", f"{self.address}/24", "dev", "eth0", pid=pid)
        ip("link", "set", "eth0", "up", pid=pid)
        ip("link", "set", "lo", "up", pid=pid)
        ip("route", "add", "default", "via", f"{NET}1", pid=pid)
        self.process.stdin.write(b"go\n")
        self.process.stdin.close()

    def status(self):
        """None while it runs."""
        return self.process.poll() if self.process else None

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def run_inside(self, command, timeout=10):
        """Its status, with what it said."""
        enter = ["nsenter", "-t", str(self.process.pid), "-m", "-n", "-r", "-w"]
        # As Docker does it: with the container's environment.
        spec = self.spec()
        try:
            done = subprocess.run([*enter, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, env=spec["environment"])
        except subprocess.TimeoutExpired:
            return 124, f"no answer within {timeout} s"
        return done.returncode, done.stdout

    def health(self):
        """The command by which it is asked, or None."""
        own = self.service.health
        if own is None:
            return self.image.health
        if own.get("disable"):
            return None
        how, *command = own["test"]
        return command if how == "CMD" else ["sh", "-c", *command]

    def stop(self):
        """SIGTERM, and its status within the grace period; `None` if it had to be killed."""
        if not self.is_running():
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(self.service.grace_seconds)
        except subprocess.TimeoutExpired:
            self.stuck = self.threads()
            self.process.kill()
            self.process.wait()
            return None

    def threads(self):
        """What each thread waits for, for whoever wonders why it does not leave."""
        found = []
        for path in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found.append(" ".join((path / name).read_text().strip() for name in ("comm", "wchan", "syscall")))
        return "\n".join(sorted(found))

    def tail(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Engine:
    def __init__(self, folder, die_with_parent):
        self.folder, self.die_with_parent = folder, die_with_parent
        self.containers, self.volumes = [], {}
        ip("link", "set", "lo", "up")
        ip("link", "add", "bridge", "type", "bridge")
        ip("address", "add", f"{NET}1/24", "dev", "bridge")
        ip("link", "set", "bridge", "up")
        threading.Thread(target=self.resolve, daemon=True).start()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def add(self, service, image):
        made = []
        for replica in range(service.replicas):
            container = Container(self, service, replica, image, len(self.containers) + 2)
            self.containers.append(container)
            made.append(container)
            for outer, inner in service.published(replica):
                asyncio.run_coroutine_threadsafe(asyncio.start_server(forwarder(container.address, inner), "127.0.0.1", outer), self.loop).result(10)
        return made

    def volume(self, name, user):
        if name not in self.volumes:
            self.volumes[name] = self.folder / "volumes" / name
            self.volumes[name].mkdir(parents=True)
            # A new volume gets the owner that the image has given its place.
            os.chown(self.volumes[name], user, user)
        return self.volumes[name]

    def resolve(self):
        """The embedded name server: the addresses of what runs under a name."""
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((f"{NET}1", 53))
        while True:
            query, client = server.recvfrom(512)
            with contextlib.suppress(IndexError, struct.error, UnicodeDecodeError):
                server.sendto(self.answer(query), client)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack_from(">H", query, at + 1)[0]
        name = ".".join(labels).lower()
        named = [one for one in self.containers if name in one.service.names or name == one.name]
        found = [one.address for one in named if one.is_running()] if kind == 1 else []
        code = 0 if named else 3
        head = query[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(found), 0, 0)
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(one) for one in found)
        return head + query[12 : at + 5] + records

    def close(self):
        for container in self.containers:
            if container.is_running():
                container.process.kill()
                container.process.wait()


def forwarder(address, port):
    """What Docker's proxy does for a published port."""

    async def pipe(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pipe(reader, to_writer), pipe(to_reader, writer))

    return forward
