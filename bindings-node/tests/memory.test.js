// Memory stays where it was after very many calls that end badly, and while a large file goes up. The long form, with bounds
// close to what there is, is `cargo xtask bench node`; here a leak of some kilobytes a call would show.
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { after, before, test } = require("node:test");
const { promisify } = require("node:util");
const { LocalPlatform } = require("storycore/testing");

const run = promisify(execFile);
const MOST = 16;
/** The library's allocator keeps no page for later: what it has then is what is in use. */
const GIVEN_BACK = { MIMALLOC_PURGE_DELAY: "0" };
let platform;

before(async () => {
  platform = await LocalPlatform.start();
});

after(() => platform?.stop());

/** MiB that a program of its own says it grew by. */
async function grown(work, environment) {
  const text = `const assert = require("node:assert/strict");
    const { getHeapSpaceStatistics } = require("node:v8");
    const client = require("storycore").StoryCoreClient.fromEnv();
    const many = async (count, call) => {
      let made = 0;
      const some = async () => { while (made++ < count) await call(made); };
      await Promise.all(Array.from({ length: 32 }, some));
    };
    const rss = () => process.memoryUsage().rss / 1024 / 1024;
    // How many pages of the young generation were ever written to depends on when the collector ran, and none of them goes back.
    const free = () => {
      const young = getHeapSpaceStatistics().find((space) => space.space_name === "new_space");
      return (young.physical_space_size - young.space_used_size) / 1024 / 1024;
    };
    const settled = async () => {
      for (let round = 0; round < 5; round++) { gc(); await new Promise((resolve) => setTimeout(resolve, 50)); }
      return rss() - free();
    };
    (async () => { ${work} })();`;
  // V8's young generation gives itself 32 MiB by and by. With its size from the start, what grows is a leak.
  const args = ["--expose-gc", "--min-semi-space-size=16", "--eval", text];
  const env = { ...process.env, ...platform.environment(), ...environment };
  const { stdout } = await run(process.execPath, args, { env, timeout: 120_000, cwd: __dirname });
  return Number(stdout);
}

/** MiB more after 5 000 calls than after as many before them. */
const compared = (call) => grown(`const call = ${call};
  // Until what the collector leaves until later is what it leaves always.
  await many(5000, call);
  const before = await settled();
  await many(5000, call);
  console.log((await settled()) - before);`, GIVEN_BACK);

test("5 000 rejected calls leave nothing behind", async () => {
  const call = `() => client.projects.get("prj_none").then(assert.fail, (error) => assert.equal(error.status, 404))`;
  assert((await compared(call)) < MOST);
});

test("5 000 aborted calls leave nothing behind, whether they were sent or not", async () => {
  const call = `async (number) => {
    const abort = new AbortController();
    const call = client.projects.list({}, { signal: abort.signal }).then(() => {}, (error) => assert.equal(error, abort.signal.reason));
    if (number % 2) await new Promise(setImmediate);
    abort.abort();
    await call;
  }`;
  assert((await compared(call)) < MOST);
});

test("5 000 clients that were dropped and not closed leave nothing behind", async () => {
  const call = `async () => {
    const { StoryCoreClient } = require("storycore");
    new StoryCoreClient({ apiKey: "x", logger: console }).projects;
    await new Promise(setImmediate);
  }`;
  assert((await compared(call)) < MOST);
});

test("clients in a row, each made of the one before, leave nothing behind but the last", async () => {
  const row = `const { StoryCoreClient } = require("storycore");
    const first = new StoryCoreClient({ apiKey: "x" });
    let latest = first;
    const derive = async (count) => {
      for (let n = 0; n < count; n++) {
        latest = latest.withOptions({});
        if (n % 1000 === 0) await new Promise(setImmediate);
      }
      for (let round = 0; round < 5; round++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
      // The row is looked over when the next one is made.
      latest = latest.withOptions({});
      await settled();
      return process.memoryUsage().heapUsed / 1024 / 1024;
    };
    const before = await derive(10_000);
    const after = await derive(100_000);
    await first.close();
    await assert.rejects(latest.projects.get("prj_1"), { kind: "cancelled" });
    console.log(after - before);`;
  assert((await grown(row)) < 2);
});

test("pages that nobody has any more go with the next young collection, with a signal that stays, too", async () => {
  const pages = `const { signal } = new AbortController();
    for (let n = 0; n < 100; n++) await client.projects.create({ name: "Summer film", settings: { note: "x".repeat(300) } });
    const page = () => client.projects.list({ pageSize: 100 }, { signal });
    // Calls that are under way at a collection, or two, are in the old generation afterwards, with what knows of them.
    const under = [page(), page(), page()];
    gc({ type: "minor" });
    gc({ type: "minor" });
    await Promise.all(under);
    await many(200, page);
    gc({ type: "minor" });
    const young = process.memoryUsage().heapUsed;
    gc();
    console.log((young - process.memoryUsage().heapUsed) / 1024 / 1024);`;
  assert((await grown(pages)) < 3);
});

test("the memory of an upload does not grow with its file", async () => {
  const upload = `const { mkdtempSync, truncateSync, writeFileSync, rmSync } = require("node:fs");
    const folder = mkdtempSync(require("node:os").tmpdir() + "/storycore-");
    const file = folder + "/film.mp4";
    writeFileSync(file, "");
    const options = { journal: folder + "/journal", chunkSize: 5 * 1024 * 1024 };
    let most = 0;
    const send = async (mib) => { truncateSync(file, mib * 1024 * 1024); await client.media.upload(file, options); };
    await send(32);
    await settled();
    const before = rss();
    const watching = setInterval(() => { most = Math.max(most, rss()); }, 10);
    await send(256);
    clearInterval(watching);
    rmSync(folder, { recursive: true });
    console.log(most - before);`;
  // What an upload may have of buffers is 64 MiB.
  assert((await grown(upload)) < 96);
});
