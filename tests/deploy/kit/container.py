"""The inside of a container, before its program takes over:  container.py SPEC   (in namespaces of its own; see engine.py)

A view of this machine's files that can be written and is forgotten, with what the compose file mounts, then no privileges, then the program.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def inside(root, path):
    return Path(root) / str(path).lstrip("/")


def bind(root, source, place, writable=False):
    target = inside(root, place)
    if Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.touch()
    mount("--bind", source, target)
    if not writable:
        mount("-o", "remount,bind,ro", target)


def main(spec):
    sys.stdin.readline()  # once the network is there
    base = Path(spec["scratch"])
    base.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "none", base)
    root = base / "root"
    for name in ("upper", "work", "root"):
        (base / name).mkdir()
    mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={base}/upper,workdir={base}/work", root)
    for name in ("proc", "sys", "dev"):
        mount("--rbind", f"/{name}", root / name)
    # What lies on other file systems than `/` is seen by nobody in there.
    for path in spec["needed"]:
        if not inside(root, path).exists():
            bind(root, path, path)
    for name in ("hosts", "resolv.conf", "nsswitch.conf"):
        place = root / "etc" / name
        if place.is_symlink():
            place.unlink()
        place.write_text(spec["etc"][name])
    for path, text in spec["programs"].items():
        place = inside(root, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(text)
        place.chmod(0o755)
    for source, place, writable in spec["binds"]:
        bind(root, source, place, writable)
    for place in spec["tmpfs"]:
        inside(root, place).mkdir(parents=True, exist_ok=True)
        mount("-t", "tmpfs", "-o", "mode=1777", "none", inside(root, place))
    if spec["read_only"]:
        mount("-o", "remount,ro", root)
    os.chroot(root)
    os.chdir("/")
    # The signal when the walk dies is forgotten with a change of users, so it is asked for here.
    command = ["setpriv", "--pdeathsig", "TERM", "--reuid", str(spec["user"]), "--regid", str(spec["user"]), "--clear-groups"]
    if spec["drops_all"]:
        command += ["--bounding-set=-all", "--inh-caps=-all"]
    if spec["gains_none"]:
        command += ["--no-new-privs"]
    program = shutil.which(spec["command"][0], path=spec["environment"]["PATH"])
    if program is None:
        sys.exit(f"{spec['command'][0]}: not found in the container")
    os.execvpe(command[0], [*command, "--", program, *spec["command"][1:]], spec["environment"])


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
