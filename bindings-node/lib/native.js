// Finds and loads the native library: where `NAPI_RS_NATIVE_LIBRARY_PATH` says, beside this package, or in the package of
// this platform. What is wrong when there is none, it says itself.
"use strict";

const { existsSync, readdirSync } = require("node:fs");
const { join, resolve } = require("node:path");
const { version } = require("./tables.js");

const { platform, arch } = process;

/** The platforms that there are packages for, in the words of `@napi-rs/cli`; on Linux the first that is installed fits. */
const names = {
  "linux x64": ["linux-x64-gnu", "linux-x64-musl"],
  "linux arm64": ["linux-arm64-gnu", "linux-arm64-musl"],
  "darwin x64": ["darwin-x64"],
  "darwin arm64": ["darwin-arm64"],
  "win32 x64": ["win32-x64-msvc"],
}[`${platform} ${arch}`];

function find() {
  const given = process.env.NAPI_RS_NATIVE_LIBRARY_PATH;
  if (given) {
    try {
      return open(resolve(given));
    } catch (cause) {
      throw refusal(`NAPI_RS_NATIVE_LIBRARY_PATH is ${given}, which does not load: ${cause.message}`, cause);
    }
  }
  const causes = {};
  for (const name of names ?? []) {
    const beside = join(__dirname, "..", `storycore.${name}.node`);
    try {
      return existsSync(beside) ? open(beside) : require(`storycore-${name}`);
    } catch (error) {
      causes[name] = error;
    }
  }
  throw missing(causes);
}

function open(path) {
  // A library of any name is opened, where `require` wants one that ends in `.node`.
  if (path.endsWith(".node")) return require(path);
  const module = { exports: {} };
  process.dlopen(module, path);
  return module.exports;
}

/** What to do about it, in one message. */
function missing(causes) {
  if (names === undefined) {
    return refusal("there is no build of storycore for this platform: build it with cargo (`npm run build` in the sources)");
  }
  const fits = platform === "linux" && nameOfLibc() === "musl" ? names[1] : names[0];
  const cause = causes[fits];
  if (cause.code !== "MODULE_NOT_FOUND") return refusal(`the library for this platform does not load: ${cause.message}`, cause);
  // What was installed elsewhere and copied here: an image on Alpine that has the build machine's node_modules.
  const other = names.find((name) => causes[name].code !== "MODULE_NOT_FOUND");
  const instead = other === undefined ? "" : ` (storycore-${other} is, which is for another libc)`;
  return refusal(
    `the package storycore-${fits} is not installed${instead}. It is an optional dependency of storycore: install again ` +
      "without --omit=optional (--no-optional), on the platform that it will run on, and with a lock file that was not written " +
      "on another one",
    cause,
  );
}

function refusal(reason, cause) {
  const libc = platform === "linux" ? ` with ${nameOfLibc()}` : "";
  const error = new Error(`storycore cannot run on ${platform} ${arch}${libc}: ${reason}`, { cause });
  error.code = "STORYCORE_NO_NATIVE_LIBRARY";
  return error;
}

/** What this program is linked with; another libc may be installed beside it. */
function nameOfLibc() {
  const header = process.report?.getReport?.()?.header;
  if (header !== undefined) return header.glibcVersionRuntime ? "glibc" : "musl";
  const isMusl = ["/lib", "/usr/lib"].some((folder) => {
    try {
      return readdirSync(folder).some((file) => file.startsWith("ld-musl-"));
    } catch {
      return false;
    }
  });
  return isMusl ? "musl" : "glibc";
}

const native = find();

if (native.version() !== version) {
  throw new Error(
    `storycore ${version} found the native library of ${native.version()}: install both in the same version`,
  );
}

module.exports = native;
