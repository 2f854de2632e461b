// Where readers begin, whom they displace, and how two of them share partitions.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import {
  account,
  accountKey,
  after,
  attached,
  BlobCheckpointStore,
  blobs,
  connection,
  consumer,
  ContainerClient,
  earliestEventPosition,
  EventHubConsumerClient,
  last,
  latestEventPosition,
  partitions,
  producer,
  read,
  reading,
  retryOptions,
  send,
  state,
  StorageSharedKeyCredential,
  until,
  using,
} from "./kit.mjs";

export async function receiveFromPositions() {
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

export async function receiveLatest() {
  await send([{ body: "before" }], { partitionId: "3" });
  await reading(3, { startPosition: latestEventPosition, group: "latest" }, async (seen) => {
    await attached(3, "latest");
    await send([{ body: "after" }], { partitionId: "3" });
    await seen.until((s) => s.events.length > 0, "an event");
    assert.equal(seen.events[0].body, "after");
  });
}

export async function lastEnqueued() {
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

export async function epochSteal() {
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
export async function processor() {
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
