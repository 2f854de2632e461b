// What is refused.

import assert from "node:assert/strict";

import { connection, EventHubProducerClient, producer, using } from "./kit.mjs";

export const once = { retryOptions: { maxRetries: 0 } };

export async function wrongKeyRefused() {
  const wrong = connection().replace("SharedAccessKey=", "SharedAccessKey=wrong");
  await using(new EventHubProducerClient(wrong, once), (client) =>
    assert.rejects(client.getEventHubProperties(), { code: "UnauthorizedError" }));
}

export async function unknownHubRefused() {
  await using(producer("nothing", once), async (client) => {
    await assert.rejects(client.getEventHubProperties(), { code: "MessagingEntityNotFoundError" });
    await assert.rejects(client.sendBatch([{ body: "x" }]), { code: "MessagingEntityNotFoundError" });
  });
}

export async function unknownPartitionRefused() {
  await using(producer("hub", once), (client) =>
    assert.rejects(client.sendBatch([{ body: "x" }], { partitionId: "99" }), /partition is invalid/));
}
