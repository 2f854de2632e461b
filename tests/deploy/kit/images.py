"""What stands in for the images of docker-compose.yml: programs of this machine, under the names and with the users that the images have.

Kafka's image turns variables into properties, formats its folder and starts; its scripts for topics and for asking versions are played by
a client. Grafana has no stand-in: its provisioning is only read.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

KAFKA_START = """#!{python} -B
import os, subprocess
names = {{key: value for key, value in os.environ.items() if key.startswith("KAFKA_") and key not in ("KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS")}}
rename = lambda key: key[6:].lower().replace("___", "-").replace("__", "\\0").replace("_", ".").replace("\\0", "_")
path = "/opt/kafka/config/server.properties"
os.makedirs("/opt/kafka/config", exist_ok=True)
with open(path, "w") as file:
    file.writelines(f"{{rename(key)}}={{value}}\\n" for key, value in sorted(names.items()))
java = ["java", *os.environ.get("KAFKA_HEAP_OPTS", "-Xmx1G").split(), "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile={log4j}", "-cp", "{libs}/*"]
subprocess.run([*java, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", "5L6g3nShT-eMCtK--X86sw", "-c", path], check=True)
os.execvp("java", [*java, "kafka.Kafka", path])
"""

KAFKA_TOPICS = """#!{python} -B
import argparse
from confluent_kafka.admin import AdminClient, NewTopic
options = argparse.ArgumentParser()
for name in ("--bootstrap-server", "--topic", "--partitions"):
    options.add_argument(name, required=True)
options.add_argument("--create", action="store_true", required=True)
options.add_argument("--if-not-exists", action="store_true")
options = options.parse_args()
admin = AdminClient({{"bootstrap.servers": options.bootstrap_server}})
if not (options.if_not_exists and options.topic in admin.list_topics(timeout=30).topics):
    admin.create_topics([NewTopic(options.topic, int(options.partitions))])[options.topic].result(30)
    print(f"Created topic {{options.topic}}.")
"""

KAFKA_VERSIONS = """#!{python} -B
import sys
from confluent_kafka.admin import AdminClient
assert sys.argv[1] == "--bootstrap-server" and len(sys.argv) == 3, sys.argv
print(AdminClient({{"bootstrap.servers": sys.argv[2]}}).list_topics(timeout=8).brokers)
"""


class Image:
    def __init__(self, user=0, entrypoint=(), command=(), programs=(), binds=(), needed=(), environment=(), health=None):
        self.user, self.entrypoint, self.command = user, list(entrypoint), list(command)
        self.programs, self.binds, self.needed = dict(programs), list(binds), list(needed)
        self.environment, self.health = dict(environment), health


def kafka(homes):
    facts = {"python": sys.executable, "libs": homes["kafka"] / "libs", "log4j": ROOT / "tests" / "services" / "log4j2.xml"}
    programs = {"start": KAFKA_START, "kafka-topics.sh": KAFKA_TOPICS, "kafka-broker-api-versions.sh": KAFKA_VERSIONS}
    programs = {f"/opt/kafka/bin/{name}": text.format(**facts) for name, text in programs.items()}
    # As root here, because the image's own folders belong to its user.
    return Image(entrypoint=["/opt/kafka/bin/start"], programs=programs, needed=[homes["kafka"], homes["python"], ROOT])


def azurite(homes):
    program = homes["azurite"] / "node_modules" / "azurite" / "dist" / "src"
    # The whole emulator, as the image has it: blobs, queues and tables.
    programs = {"/usr/local/bin/azurite": f'#!/bin/sh\nexec node {program / "azurite.js"} "$@"\n'}
    return Image(entrypoint=[], command=["azurite"], programs=programs, needed=[homes["azurite"]])


def prometheus(_homes):
    return Image(user=65534, entrypoint=["/usr/bin/prometheus"])


def alertmanager(_homes):
    return Image(user=65534, entrypoint=["/usr/bin/prometheus-alertmanager"])


def ours(binary, target=None):
    """From the Dockerfile: its entry point, user, environment and how it is asked for its health."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    # The stage that compose builds, and those that it rests on; without a name the last one.
    stages = [(re.match(r"\S+(?: AS (\S+))?", stage.split("FROM", 1)[-1].strip()), stage) for stage in re.split(r"(?m)^(?=FROM )", text)[1:]]
    named = {match[1]: (match[0].split()[0], stage) for match, stage in stages}
    wanted = target if target in named else stages[-1][0][1]
    chain = []
    while wanted in named:
        base, stage = named[wanted]
        chain.insert(0, stage)
        wanted = base
    text = "\n".join(chain)
    last = lambda pattern: (re.findall(pattern, text, re.MULTILINE) or [None])[-1]  # noqa: E731
    entrypoint = json.loads(last(r"^ENTRYPOINT (\[.*\])"))
    health = last(r"^HEALTHCHECK .*?CMD (\[.*\])")
    user = last(r"^USER (\S+)")
    environment = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', " ".join(re.findall(r"^ENV (.*)$", text, re.MULTILINE))))
    number = {"nonroot": 65532}.get(user, None) or int(user.split(":")[0])
    assert number != 0, "the image runs as root"
    health = health and json.loads(health)
    # A link by that name in the image; here the program itself.
    binds = [(binary, entrypoint[0])]
    if health and health[0] not in (entrypoint[0],):
        binds.append((Path("/usr/bin") / Path(health[0]).name, health[0]))
    return Image(user=number, entrypoint=entrypoint, command=json.loads(last(r"^CMD (\[.*\])")), binds=binds, environment=environment, health=health)


STAND_INS = {"apache/kafka": kafka, "mcr.microsoft.com/azure-storage/azurite": azurite, "prom/prometheus": prometheus, "prom/alertmanager": alertmanager}


def of(service, homes, binary):
    """None for what has no stand-in."""
    if service.is_built:
        return ours(binary, service.target)
    stand_in = STAND_INS.get(service.image.rpartition(":")[0])
    return stand_in and stand_in(homes)
