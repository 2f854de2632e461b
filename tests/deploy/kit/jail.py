"""The image's root file system without a container engine, and programs in it as a container would run them.

`assemble` unpacks the Debian packages that distroless' cc-debian12 is made of, with its users and its bundle of certificates.
`Jail.start` runs a program there: root file system read-only, user 65532, no capabilities, no way to gain any, no core dumps; the
network is the machine's own. Needs root, for mounts in a mount namespace of the program's own: nothing outside sees them.
"""

import ctypes
import os
import resource
import shutil
import subprocess
from pathlib import Path

# What distroless lists for static, base and cc, Debian 12.
PACKAGES = ["base-files", "netbase", "tzdata", "ca-certificates", "libc6", "libssl3", "libgcc-s1", "libgomp1", "libstdc++6", "gcc-12-base"]
NONROOT = 65532
CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38


def assemble(root, downloads):
    """Fills the folder `root`; the packages are left in `downloads`."""
    downloads.mkdir(parents=True, exist_ok=True)
    for attempt in ("as it is", "after an update"):
        if attempt != "as it is":
            run("apt-get", "update", "-q")
        answer = subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=downloads, capture_output=True, text=True)
        if answer.returncode == 0:
            break
    assert answer.returncode == 0, answer.stderr
    for package in sorted(downloads.glob("*.deb")):
        run("dpkg-deb", "--extract", package, root)
    for folder in ("dev", "proc", "sys", "tmp", "run", "etc/ssl/certs", "home/nonroot", "usr/local/bin", "etc/atalaia"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    os.chown(root / "home/nonroot", NONROOT, NONROOT)
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
        f"nonroot:x:{NONROOT}:{NONROOT}:nonroot:/home/nonroot:/sbin/nologin\n"
    )
    (root / "etc/group").write_text(f"root:x:0:\nnobody:x:65534:\ntty:x:5:\nstaff:x:50:\nnonroot:x:{NONROOT}:\n")
    bundle = "".join(path.read_text() for path in sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt")))
    assert bundle.count("BEGIN CERTIFICATE") > 100, "the certificates of Mozilla"
    (root / "etc/ssl/certs/ca-certificates.crt").write_text(bundle)
    # No package brings these; whoever runs a container mounts them.
    for name in ("hosts", "resolv.conf"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)
    # A program to run something else with is what an image like this must not have.
    for shell in ("bin/sh", "bin/bash", "usr/bin/dash", "usr/bin/apt"):
        assert not (root / shell).exists(), shell


class Jail:
    def __init__(self, root, environment):
        self.root, self.environment = root, environment

    def start(self, *command, **options):
        """A running `subprocess.Popen`; without options its output is captured."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **options}
        return subprocess.Popen(command, preexec_fn=self._enter, env=self.environment, stdin=subprocess.DEVNULL, **options)

    def run(self, *command, timeout=60):
        process = self.start(*command)
        try:
            text, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, text

    def _enter(self):
        """In the child, before it becomes the program."""
        libc = ctypes.CDLL(None, use_errno=True)

        def call(name, *arguments):
            if getattr(libc, name)(*arguments) != 0:
                raise OSError(ctypes.get_errno(), f"{name}{arguments}")

        root = str(self.root)
        call("prctl", PR_SET_PDEATHSIG, 9, 0, 0, 0)
        call("unshare", CLONE_NEWNS)
        call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        call("mount", root.encode(), root.encode(), None, MS_BIND, None)
        for name in ("proc", "dev", "sys"):
            call("mount", f"/{name}".encode(), f"{root}/{name}".encode(), None, MS_BIND | MS_REC, None)
        call("mount", None, root.encode(), None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
        # Not for devices, which a read-only mount leaves writable, but for /dev/shm and the like.
        call("mount", None, f"{root}/dev".encode(), None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
        os.chroot(root)
        os.chdir("/")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
        for capability in range(last + 1):
            call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([])
        os.setgid(NONROOT)
        os.setuid(NONROOT)
        call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # Setting the user has cleared it: whoever started this may die without a word.
        call("prctl", PR_SET_PDEATHSIG, 9, 0, 0, 0)


def run(*command):
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, f"{' '.join(map(str, command))}\n{answer.stdout}{answer.stderr}"
    return answer.stdout
