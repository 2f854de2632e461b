// Microsoft's JavaScript client against the emulator: one line an operation, `javascript OPERATION ok` or `… FAILED why`.
//
// usage: judge.mjs CONNECTION_STRING CONTROL_ADDRESS BLOB_ENDPOINT    (tests/clients.rs starts what it needs)
//
// The client is @azure/event-hubs as it is published, in the folder ATALAIA_TEST_EVENT_HUBS_JS.

import { addPartitions, goingOn } from "./disturbing.mjs";
import {
  bodies,
  propertiesHub,
  propertiesKept,
  propertiesPartition,
  sendBatch,
  sendLarge,
  sendSingle,
  sendToPartition,
  sendWithPartitionKey,
} from "./sending.mjs";
import { control } from "./kit.mjs";
import { epochSteal, lastEnqueued, processor, receiveFromPositions, receiveLatest } from "./receiving.mjs";
import { unknownHubRefused, unknownPartitionRefused, wrongKeyRefused } from "./refusing.mjs";

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
