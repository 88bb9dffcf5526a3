// One side of the comparison as a process: reads what to measure as a JSON object a line, and answers likewise.
//
//     node --expose-gc worker.mjs SIDE URL KEY PEERS     SIDE is a module of sides/; started by benches/src/bin/node-bench.rs

import assert from "node:assert/strict";
import { readFileSync, rmSync, mkdtempSync, openSync, ftruncateSync, closeSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { createInterface } from "node:readline";

const ID = "prj_ebb969b953c99f063d7c6ba7";
const [side, url, key, peers] = process.argv.slice(2);
const { open } = await import(`./sides/${side}.mjs`);
const client = await open({ url, key, require: createRequire(join(peers, "package.json")) });

const tasks = {
  /** One object a call. */
  get: ({ at_once, seconds }) => measured(() => client.get(ID), at_once, seconds),

  /** A page of 100 objects a call. */
  page: ({ at_once, seconds }) => measured(() => client.page(), at_once, seconds),

  /** Memory after calls that are rejected, beyond what a fifth of them had left. */
  failing: ({ calls }) => grown(calls, () => client.get("missing").then(assert.fail, (error) => assert.equal(error.status, 404))),

  /** The same after calls that are aborted, some before and some after they were sent. */
  aborted: ({ calls }) =>
    grown(calls, async (number) => {
      const abort = new AbortController();
      const call = client.get(ID, abort.signal).then(() => true, (error) => assert.equal(error, abort.signal.reason));
      if (number % 2 === 0) await new Promise(setImmediate);
      abort.abort();
      await call;
    }),

  /** The memory that the upload of a file takes at its peak, beyond what the process had; and how late the event loop was. */
  async upload({ mib }) {
    const folder = mkdtempSync(join(tmpdir(), "storycore-bench-"));
    try {
      const film = join(folder, "film.mp4");
      const file = openSync(film, "w");
      ftruncateSync(file, mib * 1024 * 1024);
      closeSync(file);
      // What the first upload needs at all: a journal, connections.
      await client.upload(process.argv[1], join(folder, "journal"));
      globalThis.gc();
      const before = memory("VmRSS");
      writeFileSync("/proc/self/clear_refs", "5"); // The peak is counted from here.
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const began = performance.now();
      await client.upload(film, join(folder, "journal"));
      const seconds = (performance.now() - began) / 1000;
      delay.disable();
      return { mib: memory("VmHWM") - before, p99: delay.percentile(99) / 1e6, seconds };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

console.log(JSON.stringify({ name: client.name }));
const project = await client.get(ID).catch(() => undefined);
// The local platform has no such project; the server of the comparison has nothing else.
if (project !== undefined) {
  assert.deepEqual([project.id, project.settings.fps], [ID, 24]);
  const page = await client.page();
  assert.deepEqual([page.length, page[99].created_at], [100, project.created_at]);
}
for await (const line of createInterface({ input: process.stdin })) {
  const { what, ...task } = JSON.parse(line);
  console.log(JSON.stringify(await tasks[what](task)));
}

/** Calls for `seconds`, so many at a time. */
async function measured(call, atOnce, seconds) {
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const began = performance.now();
  const end = began + seconds * 1000;
  let calls = 0;
  const oneAfterAnother = async () => {
    while (performance.now() < end) {
      await call();
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, oneAfterAnother));
  const took = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const { utilization } = performance.eventLoopUtilization(loop);
  return { calls, seconds: took, cpu: (user + system) / 1e6, own_thread: utilization * took };
}

/** How much the process's memory grew with the last four fifths of `calls`, 64 at a time. */
async function grown(calls, call) {
  const make = (count) => {
    let made = 0;
    const some = async () => {
      while (made < count) await call(made++);
    };
    return Promise.all(Array.from({ length: 64 }, some));
  };
  await make(calls / 5);
  const before = await settled();
  await make((calls * 4) / 5);
  return { mib: (await settled()) - before };
}

/** Memory once garbage is collected and what was to be freed elsewhere is freed. */
async function settled() {
  for (let round = 0; round < 5; round++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return memory("VmRSS");
}

/** In MiB. */
function memory(name) {
  const line = readFileSync("/proc/self/status", "utf8").split("\n").find((line) => line.startsWith(`${name}:`));
  return Number(/\d+/.exec(line)[0]) / 1024;
}
