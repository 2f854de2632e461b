// Makes blob containers on Azurite if they are missing:  node create-containers.js ENDPOINT NAME…
// Plain Node, because its image has nothing else. The account's key is published in Azurite's manual.

const crypto = require("crypto");

const account = "devstoreaccount1";
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const version = "2021-12-02";

async function create(endpoint, name) {
  const date = new Date().toUTCString();
  // Shared Key: verb, eleven empty standard headers, the x-ms headers, the resource (the account twice: once as the
  // account, once as the first segment of the emulator's path), the query.
  const text = ["PUT", ...Array(11).fill(""), `x-ms-date:${date}`, `x-ms-version:${version}`, `/${account}/${account}/${name}`, "restype:container"].join("\n");
  const signature = crypto.createHmac("sha256", Buffer.from(key, "base64")).update(text, "utf8").digest("base64");
  const response = await fetch(`${endpoint}/${account}/${name}?restype=container`, {
    method: "PUT",
    headers: { "x-ms-date": date, "x-ms-version": version, authorization: `SharedKey ${account}:${signature}` },
  });
  if (response.status === 201) return "made";
  if (response.status === 409) return "was there";
  throw new Error(`container \`${name}\`: status ${response.status}: ${await response.text()}`);
}

(async () => {
  const [endpoint, ...names] = process.argv.slice(2);
  for (const name of names) console.log(`container \`${name}\`: ${await create(endpoint, name)}`);
})().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
