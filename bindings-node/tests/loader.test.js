// What the loader says where no library fits: which platform this is, with which libc, and what to do.
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } = require("node:fs/promises");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { after, before, test } = require("node:test");
const { promisify } = require("node:util");

const run = promisify(execFile);
const root = join(__dirname, "..");
let folder;

before(async () => {
  // The package without a library, as it is where the platform's package was not installed.
  folder = await mkdtemp(join(tmpdir(), "storycore-"));
  await cp(join(root, "lib"), join(folder, "lib"), { recursive: true });
  await cp(join(root, "package.json"), join(folder, "package.json"));
});

after(() => rm(folder, { recursive: true, force: true }));

/** What `require` throws on this platform, or on one that is made up. */
async function said({ platform = process.platform, arch = process.arch, report, library } = {}) {
  const text = `for (const [name, value] of Object.entries(${JSON.stringify({ platform, arch })})) Object.defineProperty(process, name, { value });
    ${report === undefined ? "" : `process.report.getReport = () => (${JSON.stringify(report)});`}
    try { require(${JSON.stringify(folder)}); } catch (error) { console.log(JSON.stringify([error.code, error.message])); }`;
  const { NAPI_RS_NATIVE_LIBRARY_PATH: _, ...env } = process.env;
  if (library !== undefined) env.NAPI_RS_NATIVE_LIBRARY_PATH = library;
  const { stdout } = await run(process.execPath, ["--eval", text], { env, cwd: folder, timeout: 20_000 });
  return JSON.parse(stdout);
}

test("a platform's package that is missing is named, and how it comes to be missing", async () => {
  const [code, message] = await said();
  assert.equal(code, "STORYCORE_NO_NATIVE_LIBRARY");
  const libc = process.platform === "linux" ? " with (glibc|musl)" : "";
  assert.match(message, new RegExp(`storycore cannot run on ${process.platform} ${process.arch}${libc}: the package storycore-${process.platform}-${process.arch}`));
  assert.match(message, /not installed.*optional dependency.*install again.*lock file/s);
});

test("a platform without a build is named, and how to build for it", async () => {
  const [code, message] = await said({ platform: "sunos", arch: "sparc" });
  assert.equal(code, "STORYCORE_NO_NATIVE_LIBRARY");
  assert.match(message, /cannot run on sunos sparc: there is no build of storycore.*npm run build/);
});

test("a library that does not load says why", async () => {
  const { nameOfPlatform } = await import("../scripts/platforms.mjs");
  const broken = join(folder, `storycore.${nameOfPlatform()}.node`);
  await writeFile(broken, "this is no library");
  const [code, message] = await said();
  await rm(broken);
  assert.equal(code, "STORYCORE_NO_NATIVE_LIBRARY");
  assert.match(message, /does not load: .*storycore\./);
});

test("what was installed for another libc is told from what is wanted", { skip: process.platform !== "linux" && "it is so on Linux alone" }, async () => {
  const header = { musl: {}, glibc: { glibcVersionRuntime: "2.36" } };
  const names = { musl: "linux-x64-musl", glibc: "linux-x64-gnu" };
  for (const [libc, other] of [["musl", "glibc"], ["glibc", "musl"]]) {
    const installed = join(folder, "node_modules", `storycore-${names[other]}`);
    await mkdir(installed, { recursive: true });
    await writeFile(join(installed, "package.json"), '{"main": "storycore.node"}');
    await writeFile(join(installed, "storycore.node"), "this is no library of here");
    const [code, message] = await said({ arch: "x64", report: { header: header[libc] } });
    await rm(join(folder, "node_modules"), { recursive: true });
    assert.equal(code, "STORYCORE_NO_NATIVE_LIBRARY");
    assert.match(message, new RegExp(`on linux x64 with ${libc}: the package storycore-${names[libc]} is not installed`));
    assert.match(message, new RegExp(`storycore-${names[other]} is, which is for another libc.*install again.*on the platform that it will run on`, "s"));
  }
});

test("a library that is named and does not load is told by its name", async () => {
  for (const library of [join(folder, "none.node"), join(folder, "none.so"), "none.so"]) {
    const [code, message] = await said({ library });
    assert.equal(code, "STORYCORE_NO_NATIVE_LIBRARY");
    assert.match(message, new RegExp(`cannot run on .*: NAPI_RS_NATIVE_LIBRARY_PATH is ${library.replaceAll(".", "\\.")}, which does not load: `));
  }
});

test("the version is the package's", () => {
  assert.equal(require("storycore").version, require("../package.json").version);
});

test("a library of another version is refused", async () => {
  const other = join(folder, "other");
  await mkdir(other);
  await cp(join(folder, "lib"), join(other, "lib"), { recursive: true });
  await cp(join(root, "package.json"), join(other, "package.json"));
  const tables = join(other, "lib/tables.js");
  await writeFile(tables, (await readFile(tables, "utf8")).replace(/(?<=exports\.version = ")[^"]+/, "9.9.9"));
  const { NAPI_RS_NATIVE_LIBRARY_PATH } = process.env;
  const beside = (await readdir(root)).find((file) => file.endsWith(".node"));
  const env = { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: NAPI_RS_NATIVE_LIBRARY_PATH ?? join(root, beside) };
  const failed = await run(process.execPath, ["--eval", `require(${JSON.stringify(other)})`], { env, cwd: folder }).then(assert.fail, (error) => error);
  assert.match(failed.stderr, /storycore 9\.9\.9 found the native library of \d+\.\d+\.\d+: install both in the same version/);
});
