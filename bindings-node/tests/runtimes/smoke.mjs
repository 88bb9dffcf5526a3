// What every JavaScript runtime must be able to do with this package: `cargo xtask test node` runs it under Bun and Deno. It
// says a line for each thing, and how many in the end. The platform is in the environment.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import storycore, { NotFoundError, StoryCoreClient } from "storycore";
import { Webhook, sign, verifyRequest } from "storycore/webhooks";

const { bun, deno } = process.versions;
const runtime = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${process.versions.node}`;
const folder = mkdtempSync(join(tmpdir(), "storycore-"));
const client = StoryCoreClient.fromEnv();
const bytes = new Uint8Array(300_000).map((_, at) => at % 251);
const sha256 = createHash("sha256").update(bytes).digest("hex");

const smoke = {
  "require and import give the same": () => {
    assert.equal(createRequire(import.meta.url)("storycore").StoryCoreClient, storycore.StoryCoreClient);
  },
  "calls, many at a time": async () => {
    const names = Array.from({ length: 100 }, (_, number) => `p${number}`);
    const made = await Promise.all(names.map((name) => client.projects.create({ name, settings: { name } })));
    assert.deepEqual(made.map(({ name }) => name), names);
    assert.equal((await client.projects.get(made[7].id)).settings.name, "p7");
  },
  "lists, page by page": async () => {
    const seen = new Set();
    for await (const { id } of client.projects.list({ pageSize: 30 })) seen.add(id);
    assert(seen.size >= 100);
    assert.equal((await client.projects.list({ pageSize: 10 })).data.length, 10);
  },
  "errors are classes with fields": async () => {
    const error = await client.projects.get("prj_none").then(assert.fail, (error) => error);
    assert(error instanceof NotFoundError && error.status === 404 && error.requestId);
  },
  "a signal ends a call with its reason": async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const call = client.projects.list({}, { signal: abort.signal }).then(assert.fail, (error) => error);
    abort.abort(reason);
    assert.equal(await call, reason);
  },
  "bytes and Web streams go up, and come down": async () => {
    const film = await client.media.upload(bytes, { fileName: "a.bin", journal: join(folder, "journal") });
    assert.equal(film.sha256, sha256);
    const again = await client.media.upload(new Blob([bytes]).stream(), { fileName: "b.bin", journal: false });
    assert.equal(again.sha256, sha256);
    const web = new Response((await client.media.contentStream(film.id)).toWeb());
    assert.equal(createHash("sha256").update(new Uint8Array(await web.arrayBuffer())).digest("hex"), sha256);
    const path = join(folder, "down.bin");
    await client.media.download(film.id, path);
    assert.deepEqual(new Uint8Array(readFileSync(path)), bytes);
  },
  "webhooks of a Fetch request": async () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const body = '{"id":"evt_1","event":"job.completed","data":{"id":"job_7"}}';
    const request = new Request("http://localhost/webhook", { method: "POST", body, headers: sign(secret, body) });
    assert.equal((await verifyRequest(new Webhook(secret), request)).data.id, "job_7");
  },
  "a worker has a client of its own": async () => {
    const worker = new Worker(new URL("./worker.mjs", import.meta.url));
    const said = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    await worker.terminate();
    assert.equal(said, 1);
  },
  "a closed client makes no calls": async () => {
    await client[Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]();
    await assert.rejects(client.projects.list(), { kind: "cancelled" });
  },
};

let [passed, failed] = [0, 0];
for (const [name, test] of Object.entries(smoke)) {
  try {
    await test();
    passed += 1;
    console.log(`ok ${runtime}: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`failed: ${runtime}: ${name}\n    ${String(error?.stack ?? error).replace(/\n/g, "\n    ")}`);
  }
}
rmSync(folder, { recursive: true });
console.log(`\n${passed} passed, ${failed} failed, 0 skipped`);
// Nothing is left that would hold the process; it ends by itself.
process.exitCode = failed > 0 ? 1 : 0;
