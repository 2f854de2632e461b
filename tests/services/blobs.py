"""Containers and blobs on the test store, through Azure's own client:  blobs.py VERB ENDPOINT CONTAINER ARGS…

create                      make the container
upload FOLDER PREFIX        every file below the folder, under PREFIX and its relative name
download PREFIX FOLDER      every blob below the prefix, under its whole name
list PREFIX                 the names, sorted
Prints the names it dealt with, one a line.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from azure.storage.blob import ContainerClient

# The emulator's account; its key is published in its manual and the same everywhere.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def main(verb, endpoint, container, *args):
    credential = {"account_name": ACCOUNT, "account_key": KEY}
    client = ContainerClient(f"{endpoint}/{ACCOUNT}", container, credential=credential)
    for name in VERBS[verb](client, *args):
        print(name)


def create(client):
    client.create_container()
    return [client.container_name]


def upload(client, folder, prefix):
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    names = [prefix + path.relative_to(folder).as_posix() for path in files]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name, path: client.upload_blob(name, path.read_bytes(), overwrite=True), names, files))
    return names


def download(client, prefix, folder):
    def fetch(name):
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.download_blob(name).readall())

    names = names_of(client, prefix)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fetch, names))
    return names


def names_of(client, prefix=""):
    return sorted(blob.name for blob in client.list_blobs(name_starts_with=prefix))


VERBS = {"create": create, "upload": upload, "download": download, "list": names_of}

if __name__ == "__main__":
    main(*sys.argv[1:])
