// Operations that disturb all connections, and must not be noticed by who sends and reads.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { attached, control, latestEventPosition, producer, reading, using } from "./kit.mjs";

/** A producer and a consumer go on after a disturbance, nothing lost and nothing twice. */
export const goingOn = (disturb) => () =>
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

export async function addPartitions() {
  await control("add-partitions", { hub: "growing", count: 2 });
  await using(producer("growing"), async (client) => {
    assert.deepEqual(await client.getPartitionIds(), ["0", "1", "2"]);
    await client.sendBatch([{ body: "x" }], { partitionId: "2" });
  });
}
