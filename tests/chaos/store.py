"""The places where results lie, a blob container or a folder, for those who look on: listing and reading, no writing."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ACCOUNT = "devstoreaccount1"
# Published in the emulator's manual and the same everywhere.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
DATASETS = ("predictions", "late", "quarantine")
FILE = re.compile(r"^[a-z]+/date=\d{4}-\d\d-\d\d/[^/]+\.parquet$")


class Gone(Exception):
    """Not there (any more)."""


class Blobs:
    def __init__(self, endpoint, container):
        from azure.storage.blob import ContainerClient

        credential = {"account_name": ACCOUNT, "account_key": KEY}
        self.client = ContainerClient(f"{endpoint}/{ACCOUNT}", container, credential=credential)

    def create(self):
        self.client.create_container()

    def names(self, prefix):
        return set(self.client.list_blob_names(name_starts_with=prefix))

    def read(self, name):
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return self.client.download_blob(name).readall()
        except ResourceNotFoundError as error:
            raise Gone(name) from error


class Folder:
    def __init__(self, path):
        self.path = Path(path)

    def create(self):
        self.path.mkdir(parents=True)

    def names(self, prefix):
        return {path.relative_to(self.path).as_posix() for path in (self.path / prefix).rglob("*") if not path.is_dir()}

    def read(self, name):
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError as error:
            raise Gone(name) from error


def opened(place):
    """From what is handed to another process: ["blobs", endpoint, container] or ["folder", path]."""
    return {"blobs": Blobs, "folder": Folder}[place[0]](*place[1:])


class Mirror:
    """A local copy that only ever holds files that were listed; so any reader can have them, and none sees a file in flight."""

    def __init__(self, store, folder):
        self.store, self.folder = store, Path(folder)

    def fetch(self, names):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self.fetch_one, names))

    def fetch_one(self, name):
        path = self.folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # In another folder, as readers of the mirror run beside this.
            parts = self.folder.with_suffix(".parts")
            parts.mkdir(exist_ok=True)
            part = parts / name.replace("/", "~")
            part.write_bytes(self.store.read(name))
            part.rename(path)
