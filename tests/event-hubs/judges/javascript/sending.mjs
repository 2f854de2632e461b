// Properties of the hub, and what is sent: batches, partitions, keys, bodies, properties.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { after, hasher, last, partitions, producer, read, send, state, using } from "./kit.mjs";

export async function propertiesHub() {
  const properties = await using(producer(), (client) => client.getEventHubProperties());
  assert.equal(properties.name, "hub");
  assert.deepEqual(properties.partitionIds, ["0", "1", "2", "3"]);
}

export async function propertiesPartition() {
  const before = await last(0);
  await send([{ body: "one" }, { body: "two" }], { partitionId: "0" });
  const properties = await state(0);
  assert.ok(properties.lastEnqueuedSequenceNumber >= before + 2 && !properties.isEmpty);
  assert.notEqual(properties.lastEnqueuedOffset, String(properties.lastEnqueuedSequenceNumber));
}

export async function sendSingle() {
  const begin = await last(1);
  await send([{ body: "single" }], { partitionId: "1" });
  assert.equal((await read(1, 1, after(begin)))[0].body, "single");
}

export async function sendBatch() {
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
export async function sendLarge() {
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

export async function sendToPartition() {
  for (let partition = 0; partition < partitions; partition++) {
    const begin = await last(partition);
    await send([{ body: `to ${partition}` }], { partitionId: String(partition) });
    assert.equal((await read(partition, 1, after(begin)))[0].body, `to ${partition}`);
  }
}

export async function sendWithPartitionKey() {
  const keys = ["a", "device-7", "7eeb4f2c-a9f0-4f9d-9d64-4d2f2d1cb65e", "Küche", ...Array.from({ length: 12 }, (_, n) => `key ${n}`)];
  for (const key of keys) {
    const partition = hasher.mapPartitionKeyToId(key, partitions);
    const begin = await last(partition);
    await send([{ body: key }], { partitionKey: key });
    const [event] = await read(partition, 1, after(begin));
    assert.deepEqual([event.body, event.partitionKey], [key, key]);
  }
}

export async function bodies() {
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

export async function propertiesKept() {
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
