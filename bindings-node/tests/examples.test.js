// The examples, as their readers run them, against the local platform.
"use strict";

const assert = require("node:assert/strict");
const { execFile, execFileSync, spawn } = require("node:child_process");
const { once } = require("node:events");
const { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } = require("node:fs/promises");
const { createServer } = require("node:http");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { after, before, test } = require("node:test");
const { promisify } = require("node:util");
const { LocalPlatform } = require("storycore/testing");
const { sign } = require("storycore/webhooks");

const run = promisify(execFile);
const root = join(__dirname, "..");
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
let platform, folder, env;

before(async () => {
  platform = await LocalPlatform.start();
  env = { ...process.env, ...platform.environment(), WEBHOOK_SECRET: secret };
  folder = await mkdtemp(join(tmpdir(), "storycore-"));
  await cp(join(root, "../examples/node"), folder, { recursive: true });
  // As npm would have installed them.
  await mkdir(join(folder, "node_modules"));
  await symlink(root, join(folder, "node_modules/storycore"));
  for (const name of ["express", "@types"]) await symlink(join(root, "node_modules", name), join(folder, "node_modules", name));
});

after(async () => {
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

const example = (...args) => run(process.execPath, args, { cwd: folder, env, timeout: 60_000 });

test("the main job makes a film anew", async () => {
  const clip = join(folder, "clip.mp4");
  execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=1", "-pix_fmt", "yuv420p", clip]);
  const { stdout } = await example("main_job.mjs", clip, "out.mp4");
  assert.match(stdout, /bytes[\s\S]*completed[\s\S]*out\.mp4 is there/);
  assert((await stat(join(folder, "out.mp4"))).size > 0);
});

test("the main job tells why it failed", async () => {
  await writeFile(join(folder, "no.mp4"), "this is no film");
  const failed = await example("main_job.mjs", "no.mp4").then(assert.fail, (error) => error);
  assert.match(failed.stderr, /the job failed: /);
});

test("what another server sends is uploaded while it arrives", async () => {
  const server = createServer((_request, response) => response.end("a film"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { stdout } = await example("upload_fetch.mjs", `http://127.0.0.1:${server.address().port}/films/one.mp4`);
    assert.match(stdout, /^ast_\w+ 6 [0-9a-f]{64}\n$/);
  } finally {
    server.close();
  }
});

test("the receiver takes each event once", async () => {
  const receiver = spawn(process.execPath, ["receiver.mjs", "0"], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  try {
    let said = "";
    receiver.stdout.on("data", (piece) => (said += piece));
    while (!said.includes("\n")) await once(receiver.stdout, "data");
    const url = /http:\S+/.exec(said)[0];
    const body = '{"id":"evt_1","event":"job.completed","data":{"id":"job_7"}}';
    const post = async (sent) => (await fetch(url, { method: "POST", body: sent, headers: { ...sign(secret, body), "content-type": "application/json" } })).status;
    assert.deepEqual([await post(body), await post(body), await post(`${body} `)], [200, 200, 400]);
    assert.equal(said.split("job.completed job_7").length - 1, 1);
  } finally {
    receiver.kill();
    await once(receiver, "close");
  }
});

test("the typed events are TypeScript that is strict", async () => {
  const options = { strict: true, noEmit: true, target: "es2022", module: "node16", lib: ["es2022", "dom"], types: ["node"] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["typed_events.ts"] }));
  await writeFile(join(folder, "package.json"), '{"type": "module"}');
  await run(join(root, "node_modules/.bin/tsc"), ["-p", folder]).catch((error) => assert.fail(error.stdout));
  assert.match(await readFile(join(folder, "typed_events.ts"), "utf8"), /job\.completed/);
});
