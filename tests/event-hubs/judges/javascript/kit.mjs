// What all operations use: clients of the emulator's hubs, a reader, the control channel. The arguments of judge.mjs are read here.

import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import net from "node:net";
import readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

// The client uses it as a global, which it is from Node 20 on.
globalThis.crypto ??= webcrypto;
const require = createRequire(`${process.env.ATALAIA_TEST_EVENT_HUBS_JS}/package.json`);
export const { EventHubProducerClient, EventHubConsumerClient, earliestEventPosition, latestEventPosition } = require("@azure/event-hubs");
export const { BlobCheckpointStore } = require("@azure/eventhubs-checkpointstore-blob");
export const { ContainerClient, StorageSharedKeyCredential } = require("@azure/storage-blob");
// The client's own hash is no part of what it exports.
const client = `${process.env.ATALAIA_TEST_EVENT_HUBS_JS}/node_modules/@azure/event-hubs`;
export const hasher = require(`${client}/dist/commonjs/impl/partitionKeyToIdMapper.js`);

export const [connectionString, controlAddress, blobs] = process.argv.slice(2);
export const account = "devstoreaccount1";
// The key that every Azurite has, published with it.
export const accountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
export const partitions = 4;
const secondsMax = 30;
export const retryOptions = { retryOptions: { maxRetries: 6, retryDelayInMs: 500 } };

export async function control(command, fields = {}) {
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

export const connection = (hub = "hub") => connectionString.replace("EntityPath=hub;", `EntityPath=${hub};`);
export const producer = (hub, options = retryOptions) => new EventHubProducerClient(connection(hub), options);
export const consumer = (hub, group = "$Default", ...rest) => new EventHubConsumerClient(group, connection(hub), ...rest, retryOptions);

export async function using(client, use) {
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

export const send = (events, options) => using(producer(), (client) => client.sendBatch(events, options));
export const state = (partition) => using(producer(), (client) => client.getPartitionProperties(String(partition)));
export const last = async (partition) => (await state(partition)).lastEnqueuedSequenceNumber;
export const after = (sequenceNumber) => ({ sequenceNumber, isInclusive: false });

export async function until(holds, what) {
  const end = Date.now() + secondsMax * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `not within ${secondsMax} s: ${what()}`);
    await sleep(20);
  }
}

/** Reads a partition while `use` runs. */
export async function reading(partition, options, use) {
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

export const read = (partition, count, startPosition) =>
  reading(partition, { startPosition }, async (seen) => {
    await seen.until((s) => s.events.length >= count, `${count} events`);
    return seen.events.slice(0, count);
  });

export async function attached(partition, group) {
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

