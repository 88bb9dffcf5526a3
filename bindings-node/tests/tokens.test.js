// Tokens that a client renews by itself: whoever keeps them is told of each set, for a refresh token is good for one use.
"use strict";

const assert = require("node:assert/strict");
const { after, before, test } = require("node:test");
const { StoryCoreClient } = require("storycore");
const { LocalPlatform } = require("storycore/testing");

let platform;

before(async () => {
  platform = await LocalPlatform.start();
});

after(() => platform?.stop());

/** A client that opens the platform with a secret of its own, and the first tokens that it is told of. */
async function service() {
  const made = await fetch(`${platform.url}/_local/oauth/clients`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${platform.apiKey}` },
    body: JSON.stringify({ name: "Service", confidential: true, scopes: ["read"] }),
  });
  assert.equal(made.status, 201);
  const { client_id: clientId, client_secret: clientSecret } = await made.json();
  let client;
  const told = new Promise((onTokens) => {
    client = new StoryCoreClient({ baseUrl: platform.url, oauth: { clientId, clientSecret, scopes: ["read"], onTokens } });
  });
  return { client, told };
}

/** What comes within ten seconds. */
function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), 60_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

test("whoever keeps tokens is told of those that a client got", async () => {
  const { client, told } = await service();
  assert.deepEqual((await client.projects.list()).data, []);
  assert.match((await soon(told, "the tokens")).access_token, /./);
  await client.close();
});

test("tokens that are on their way when the client is closed are told still", async () => {
  await platform.fault({ method: "POST", path: "/auth/oauth/token", times: 1, action: { delay_ms: 500 } });
  // The platform is the whole file's: others asked for tokens before.
  const asked = async () => (await platform.requests({ path: "/auth/oauth/token" })).length;
  const before = await asked();
  const { client, told } = await service();
  const call = assert.rejects(client.projects.list());
  const deadline = Date.now() + 60_000;
  while ((await asked()) <= before) {
    assert(Date.now() < deadline, "nobody asked for tokens");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await client.close();
  await call;
  assert.match((await soon(told, "the tokens")).access_token, /./);
});
