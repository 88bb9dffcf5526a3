// The package as it is installed: from `npm pack` in this folder, and split into the package and the one of the platform.
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { existsSync } = require("node:fs");
const { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } = require("node:fs/promises");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { after, before, test } = require("node:test");
const { promisify } = require("node:util");
const { LocalPlatform } = require("storycore/testing");

const run = promisify(execFile);
const root = join(__dirname, "..");
const library = process.env.NAPI_RS_NATIVE_LIBRARY_PATH;
let platform, folder;

before(async () => {
  platform = await LocalPlatform.start();
  folder = await mkdtemp(join(tmpdir(), "storycore-"));
});

after(async () => {
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** An empty project with these packages in it; nothing comes from the network. */
async function installed(name, ...packages) {
  const project = join(folder, name);
  await mkdir(project);
  await writeFile(join(project, "package.json"), '{"private": true, "type": "module"}');
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--silent", ...packages], { cwd: project });
  return project;
}

async function node(project, file) {
  const { NAPI_RS_NATIVE_LIBRARY_PATH: _, ...env } = process.env;
  return run(process.execPath, [file], { cwd: project, env: { ...env, ...platform.environment() }, timeout: 20_000 });
}

/** The first example of the README. */
async function example(project) {
  const readme = await readFile(join(project, "node_modules/storycore/README.md"), "utf8");
  const file = join(project, "example.mjs");
  await writeFile(file, /```js\n(.*?)```/s.exec(readme)[1]);
  return node(project, file);
}

async function packed(out) {
  return (await readdir(out)).map((file) => join(out, file));
}

test("what npm pack makes of these sources and the library of this build runs the README's example", async () => {
  // No clean clone: what git has or would take, as it is now, without what builds left beside it. `prepack` puts the library
  // that is tested here beside it, in place of one that it would compile as a release's.
  const { stdout } = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const copy = join(folder, "sources");
  for (const file of stdout.split("\0").filter((file) => file !== "" && existsSync(join(root, file)))) {
    await cp(join(root, file), join(copy, file));
  }
  const out = join(folder, "one");
  await mkdir(out);
  const env = { ...process.env, STORYCORE_NATIVE_LIBRARY: library };
  await run("npm", ["pack", "--silent", "--pack-destination", out], { cwd: copy, env });
  const project = await installed("whole", ...(await packed(out)));
  assert.match((await example(project)).stdout, /^prj_\w+ \d{4}-.*\nSummer film\n$/);
});

test("the package and its platform's are enough, and without the latter that is told", async () => {
  const { nameOfPlatform } = await import("../scripts/platforms.mjs");
  const name = nameOfPlatform();
  const out = join(folder, "two");
  await run(process.execPath, [join(root, "scripts/pack.mjs"), out, `${name}=${library}`]);
  const all = await packed(out);
  assert.equal(all.length, 2);
  const [main, own] = all.sort((a, b) => a.length - b.length);
  assert((await stat(main)).size < 200_000, "the package itself has no library in it");

  const project = await installed("split", main, own);
  assert.match((await example(project)).stdout, /^prj_\w+ /);

  const bare = await installed("bare", main);
  const failed = await example(bare).then(assert.fail, (error) => error);
  assert.match(failed.stderr, new RegExp(`storycore cannot run on ${process.platform} ${process.arch}.*storycore-${name}.*not installed.*optional`, "s"));
});
