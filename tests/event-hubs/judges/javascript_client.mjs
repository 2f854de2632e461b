// Microsoft's JavaScript client against the emulator: one line an operation, `javascript OPERATION ok` or `… FAILED why`.
//
// usage: javascript_client.mjs CONNECTION_STRING CONTROL_ADDRESS BLOB_ENDPOINT    (tests/clients.rs starts what it needs)
//
// The client is @azure/event-hubs as it is published, in the folder ATALAIA_TEST_EVENT_HUBS_JS.

import assert from "node:assert/strict";
import { randomUUID, webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import net from "node:net";
import readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

// The client uses it as a global, which it is from Node 20 on.
globalThis.crypto ??= webcrypto;
const require = createRequire(`${process.env.ATALAIA_TEST_EVENT_HUBS_JS}/package.json`);
const { EventHubProducerClient, EventHubConsumerClient, earliestEventPosition, latestEventPosition } = require("@azure/event-hubs");
const { BlobCheckpointStore } = require("@azure/eventhubs-checkpointstore-blob");
const { ContainerClient, StorageSharedKeyCredential } = require("@azure/storage-blob");
const hasher = require(`${process.env.ATALAIA_TEST_EVENT_HUBS_JS}/node_modules/@azure/event-hubs/dist/commonjs/impl/partitionKeyToIdMapper.js`);

const [connectionString, controlAddress, blobs] = process.argv.slice(2);
const account = "devstoreaccount1";
// The key that every Azurite has, published with it.
const accountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const partitions = 4;
const secondsMax = 30;
const retryOptions = { retryOptions: { maxRetries: 6, retryDelayInMs: 500 } };

async function control(command, fields = {}) {
  const [host, port] = controlAddress.split(":");
  const socket = net.connect(Number(port), host);
  socket.write(`${JSON.stringify({ do: command, ...fields })}\n`);
  const [line] = await new Promise((resolve, reject) => {
    socket.on("error", reject);
    readline.createInterface({ input: socket }).once("line", (text) => resolve([text]));
  });
  socket.destroy();
  const answer = JSON.parse(line);
  assert.ok(!("error" in answer), line);
  return answer;
}

const connection = (hub = "hub") => connectionString.replace("EntityPath=hub;", `EntityPath=${hub};`);
const producer = (hub, options = retryOptions) => new EventHubProducerClient(connection(hub), options);
const consumer = (hub, group = "$Default", ...rest) => new EventHubConsumerClient(group, connection(hub), ...rest, retryOptions);

async function using(client, use) {
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

const send = (events, options) => using(producer(), (client) => client.sendBatch(events, options));
const state = (partition) => using(producer(), (client) => client.getPartitionProperties(String(partition)));
const last = async (partition) => (await state(partition)).lastEnqueuedSequenceNumber;
const after = (sequenceNumber) => ({ sequenceNumber, isInclusive: false });

async function until(holds, what) {
  const end = Date.now() + secondsMax * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `not within ${secondsMax} s: ${what()}`);
    await sleep(20);
  }
}

/** Reads a partition while `use` runs. */
async function reading(partition, options, use) {
  const { group, startPosition = earliestEventPosition, ...rest } = options;
  const seen = { events: [], errors: [], bodies: () => seen.events.map((event) => event.body) };
  const handlers = {
    processEvents: async (events) => seen.events.push(...events),
    processError: async (error) => seen.errors.push(error),
  };
  seen.until = (holds, what) => until(() => holds(seen), () => `${what}; ${seen.events.length} events, errors ${seen.errors}`);
  return using(consumer("hub", group), async (client) => {
    const subscription = client.subscribe(String(partition), handlers, { startPosition, maxWaitTimeInSeconds: 1, ...rest });
    try {
      return await use(seen);
    } finally {
      await subscription.close();
    }
  });
}

const read = (partition, count, startPosition) =>
  reading(partition, { startPosition }, async (seen) => {
    await seen.until((s) => s.events.length >= count, `${count} events`);
    return seen.events.slice(0, count);
  });

async function attached(partition, group) {
  let found = [];
  await until(
    async () => {
      const all = (await control("statistics")).hubs.hub.partitions[partition].readers;
      found = all.filter((reader) => reader.group === group);
      return found.length > 0;
    },
    () => `a reader of partition ${partition}`,
  );
  return found;
}

// === Operations that leave others alone ===

async function propertiesHub() {
  const properties = await using(producer(), (client) => client.getEventHubProperties());
  assert.equal(properties.name, "hub");
  assert.deepEqual(properties.partitionIds, ["0", "1", "2", "3"]);
}

async function propertiesPartition() {
  const before = await last(0);
  await send([{ body: "one" }, { body: "two" }], { partitionId: "0" });
  const properties = await state(0);
  assert.ok(properties.lastEnqueuedSequenceNumber >= before + 2 && !properties.isEmpty);
  assert.notEqual(properties.lastEnqueuedOffset, String(properties.lastEnqueuedSequenceNumber));
}

async function sendSingle() {
  const begin = await last(1);
  await send([{ body: "single" }], { partitionId: "1" });
  assert.equal((await read(1, 1, after(begin)))[0].body, "single");
}

async function sendBatch() {
  const mark = randomUUID();
  const wanted = Array.from({ length: 300 }, (_, n) => `${mark} ${n}`);
  const begins = await Promise.all([0, 1, 2, 3].map(last));
  await send(wanted.map((body) => ({ body })));
  const ends = await Promise.all([0, 1, 2, 3].map(last));
  const grown = [0, 1, 2, 3].filter((partition) => ends[partition] > begins[partition]);
  assert.equal(grown.length, 1, "a batch lies in one partition");
  const found = await read(grown[0], 300, after(begins[grown[0]]));
  assert.deepEqual(found.map((event) => event.body), wanted);
}

/** A batch filled to the brim: many frames there, and an event larger than a frame back. */
async function sendLarge() {
  const begin = await last(1);
  const filling = "x".repeat(100_000);
  let count = 0;
  await using(producer(), async (client) => {
    const batch = await client.createBatch({ partitionId: "1" });
    while (batch.tryAdd({ body: `${count} ${filling}` })) count += 1;
    await client.sendBatch(batch);
  });
  assert.equal(count, 10, "events of 100 kB in a batch of 1 MiB");
  const found = await read(1, count, after(begin));
  found.forEach((event, n) => assert.equal(event.body, `${n} ${filling}`));
}

async function sendToPartition() {
  for (let partition = 0; partition < partitions; partition++) {
    const begin = await last(partition);
    await send([{ body: `to ${partition}` }], { partitionId: String(partition) });
    assert.equal((await read(partition, 1, after(begin)))[0].body, `to ${partition}`);
  }
}

async function sendWithPartitionKey() {
  const keys = ["a", "device-7", "7eeb4f2c-a9f0-4f9d-9d64-4d2f2d1cb65e", "Küche", ...Array.from({ length: 12 }, (_, n) => `key ${n}`)];
  for (const key of keys) {
    const partition = hasher.mapPartitionKeyToId(key, partitions);
    const begin = await last(partition);
    await send([{ body: key }], { partitionKey: key });
    const [event] = await read(partition, 1, after(begin));
    assert.deepEqual([event.body, event.partitionKey], [key, key]);
  }
}

async function bodies() {
  const begin = await last(2);
  const sent = [
    { body: Buffer.from("one"), bodyType: "data" },
    { body: { number: 1, list: [1, "x"] }, bodyType: "value" },
    { body: [[1, 2], ["three"]], bodyType: "sequence" },
    { body: null, bodyType: "value" },
  ];
  await send(sent, { partitionId: "2" });
  const found = await read(2, sent.length, after(begin));
  found.forEach((event, n) => {
    assert.equal(event.getRawAmqpMessage().bodyType, sent[n].bodyType);
    // A data section is read as JSON, and given as it is when it is none.
    if (n > 0) assert.deepEqual(event.body, sent[n].body);
    else assert.equal(String(event.body), "one");
  });
}

async function propertiesKept() {
  const begin = await last(2);
  const properties = { text: "t", number: 7, float: 1.5, flag: true };
  const messageAnnotations = { "iothub-connection-device-id": "device-1" };
  const event = { body: "body", bodyType: "data", applicationProperties: properties, messageAnnotations };
  await send([{ ...event, properties: { messageId: "id-1", contentType: "text/plain", correlationId: "correlation" } }], { partitionId: "2" });
  const [found] = await read(2, 1, after(begin));
  assert.deepEqual(found.properties, properties);
  assert.deepEqual([found.messageId, found.contentType, found.correlationId], ["id-1", "text/plain", "correlation"]);
  assert.equal(found.systemProperties["iothub-connection-device-id"], "device-1");
}

async function receiveFromPositions() {
  const begin = await last(3);
  await send([{ body: 0 }, { body: 1 }, { body: 2 }], { partitionId: "3" });
  await sleep(50);
  await send([{ body: 3 }, { body: 4 }], { partitionId: "3" });
  const events = await read(3, 5, after(begin));
  const { offset, sequenceNumber } = events[1];
  for (const [name, position, expected] of [
    ["offset exclusive", { offset, isInclusive: false }, 2],
    ["offset inclusive", { offset, isInclusive: true }, 1],
    ["sequence number exclusive", { sequenceNumber, isInclusive: false }, 2],
    ["sequence number inclusive", { sequenceNumber, isInclusive: true }, 1],
    ["time", { enqueuedOn: events[2].enqueuedTimeUtc.getTime() + 1 }, 3],
  ]) {
    const [first] = await read(3, 1, position);
    assert.equal(first.sequenceNumber, events[expected].sequenceNumber, name);
  }
  assert.equal((await read(3, 1, earliestEventPosition))[0].sequenceNumber, (await state(3)).beginningSequenceNumber);
}

async function receiveLatest() {
  await send([{ body: "before" }], { partitionId: "3" });
  await reading(3, { startPosition: latestEventPosition, group: "latest" }, async (seen) => {
    await attached(3, "latest");
    await send([{ body: "after" }], { partitionId: "3" });
    await seen.until((s) => s.events.length > 0, "an event");
    assert.equal(seen.events[0].body, "after");
  });
}

async function lastEnqueued() {
  await send([{ body: "x" }], { partitionId: "2" });
  const told = [];
  const handlers = {
    processEvents: async (events, context) => events.length && told.push(context.lastEnqueuedEventProperties),
    processError: async () => {},
  };
  await using(consumer("hub"), async (client) => {
    const options = { startPosition: earliestEventPosition, trackLastEnqueuedEventProperties: true };
    const subscription = client.subscribe("2", handlers, options);
    await until(() => told.length > 0, () => "an event");
    await subscription.close();
  });
  const end = await last(2);
  assert.ok(told[0].sequenceNumber >= 0 && told[0].sequenceNumber <= end && typeof told[0].offset === "string", JSON.stringify(told[0]));
}

async function epochSteal() {
  const group = "epochs";
  const refused = (seen, who) => seen.until((s) => s.errors.length > 0, `an error for ${who}`);
  await reading(0, { group, ownerLevel: 1 }, async (first) => {
    await attached(0, group);
    await reading(0, { group, ownerLevel: 2 }, async () => {
      await refused(first, "the first reader");
      assert.match(String(first.errors[0]), /higher epoch/);
      assert.deepEqual((await attached(0, group)).map((reader) => reader.epoch), [2]);
      await reading(0, { group, ownerLevel: 1 }, (third) => refused(third, "the lower epoch"));
      await reading(0, { group }, (free) => refused(free, "the reader without epoch"));
    });
  });
}

/** Two consumers share four partitions through a store in Azurite; a third life goes on where they stopped. */
async function processor() {
  const url = `${blobs}/${account}/javascript-${randomUUID()}`;
  const container = new ContainerClient(url, new StorageSharedKeyCredential(account, accountKey));
  await container.create();
  const sent = new Set();
  await using(producer("processor"), async (client) => {
    for (let partition = 0; partition < partitions; partition++) {
      const events = Array.from({ length: 50 }, (_, n) => ({ body: `${partition}-${n}` }));
      events.forEach((event) => sent.add(event.body));
      await client.sendBatch(events, { partitionId: String(partition) });
    }
  });
  const start = () => {
    const instance = { owned: new Set(), bodies: [] };
    const loadBalancingOptions = { strategy: "balanced", updateIntervalInMs: 1000, partitionOwnershipExpirationIntervalInMs: 10_000 };
    const options = { ...retryOptions, loadBalancingOptions };
    instance.client = new EventHubConsumerClient("$Default", connection("processor"), new BlobCheckpointStore(container), options);
    const handlers = {
      processInitialize: async (context) => instance.owned.add(context.partitionId),
      processClose: async (_reason, context) => instance.owned.delete(context.partitionId),
      processError: async () => {},
      processEvents: async (events, context) => {
        if (events.length === 0) return;
        instance.bodies.push(...events.map((event) => event.body));
        await context.updateCheckpoint(events[events.length - 1]);
      },
    };
    instance.client.subscribe(handlers, { startPosition: earliestEventPosition, maxWaitTimeInSeconds: 1 });
    return instance;
  };
  const [one, two] = [start(), start()];
  const apart = () => one.owned.size === 2 && two.owned.size === 2 && ![...one.owned].some((id) => two.owned.has(id));
  await until(apart, () => `two partitions for each: ${[...one.owned]} and ${[...two.owned]}`);
  await until(() => new Set([...one.bodies, ...two.bodies]).size === sent.size, () => "all events");
  await Promise.all([one.client.close(), two.client.close()]);
  const namespace = one.client.fullyQualifiedNamespace;
  const checkpoints = await new BlobCheckpointStore(container).listCheckpoints(namespace, "processor", "$Default");
  const ends = Object.fromEntries(checkpoints.map((checkpoint) => [checkpoint.partitionId, checkpoint.sequenceNumber]));
  assert.deepEqual(ends, { 0: 49, 1: 49, 2: 49, 3: 49 });
  await using(producer("processor"), (client) => client.sendBatch([{ body: "later" }], { partitionId: "1" }));
  const third = start();
  await until(() => third.bodies.length > 0, () => "an event in the third life");
  assert.deepEqual(third.bodies, ["later"]);
  await third.client.close();
}

const once = { retryOptions: { maxRetries: 0 } };

async function wrongKeyRefused() {
  const wrong = connection().replace("SharedAccessKey=", "SharedAccessKey=wrong");
  await using(new EventHubProducerClient(wrong, once), (client) =>
    assert.rejects(client.getEventHubProperties(), { code: "UnauthorizedError" }));
}

async function unknownHubRefused() {
  await using(producer("nothing", once), async (client) => {
    await assert.rejects(client.getEventHubProperties(), { code: "MessagingEntityNotFoundError" });
    await assert.rejects(client.sendBatch([{ body: "x" }]), { code: "MessagingEntityNotFoundError" });
  });
}

async function unknownPartitionRefused() {
  await using(producer("hub", once), (client) =>
    assert.rejects(client.sendBatch([{ body: "x" }], { partitionId: "99" }), /partition is invalid/));
}

// === Operations that disturb all connections ===

/** A producer and a consumer go on after a disturbance, nothing lost and nothing twice. */
const goingOn = (disturb) => () =>
  using(producer(), (client) =>
    reading(0, { group: "disturbed", startPosition: latestEventPosition }, async (seen) => {
      await attached(0, "disturbed");
      await client.sendBatch([{ body: "before" }], { partitionId: "0" });
      await seen.until((s) => s.events.length === 1, "the first event");
      await disturb();
      // A send that the client begins before it has noticed waits for its answer for a minute.
      await sleep(500);
      await client.sendBatch([{ body: "after" }], { partitionId: "0" });
      await seen.until((s) => s.bodies().includes("after"), "the second event");
      assert.deepEqual(seen.bodies(), ["before", "after"]);
    }));

async function addPartitions() {
  await control("add-partitions", { hub: "growing", count: 2 });
  await using(producer("growing"), async (client) => {
    assert.deepEqual(await client.getPartitionIds(), ["0", "1", "2"]);
    await client.sendBatch([{ body: "x" }], { partitionId: "2" });
  });
}

const alone = {
  "properties-hub": propertiesHub,
  "properties-partition": propertiesPartition,
  "send-single": sendSingle,
  "send-batch": sendBatch,
  "send-large": sendLarge,
  "send-to-partition": sendToPartition,
  "send-with-partition-key": sendWithPartitionKey,
  bodies,
  "properties-kept": propertiesKept,
  "receive-from-positions": receiveFromPositions,
  "receive-latest": receiveLatest,
  "last-enqueued": lastEnqueued,
  "epoch-steal": epochSteal,
  "wrong-key-refused": wrongKeyRefused,
  "unknown-hub-refused": unknownHubRefused,
  "unknown-partition-refused": unknownPartitionRefused,
};
const disturbing = {
  reconnect: goingOn(() => control("drop")),
  "closed-by-force": goingOn(() => control("close")),
  "token-expiry": goingOn(() => control("expire-tokens")),
  "detached-as-busy": goingOn(() => control("detach", { condition: "com.microsoft:server-busy" })),
  throttled: goingOn(() => control("throttle", { seconds: 2 })),
  "add-partitions": addPartitions,
};

async function judge(name, operation) {
  try {
    await operation();
    console.log(`javascript ${name} ok`);
  } catch (error) {
    console.log(`javascript ${name} FAILED ${String(error?.stack ?? error).replace(/\s+/g, " ").slice(0, 600)}`);
  }
}

async function judgeAll(operations) {
  for (const [name, operation] of Object.entries(operations)) await judge(name, operation);
}

process.on("unhandledRejection", (error) => console.error(error));
await Promise.all([judge("processor", processor), judgeAll(alone)]);
await judgeAll(disturbing);
// Timers of the client would keep the process for minutes.
process.exit(0);
