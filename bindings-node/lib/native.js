// Finds and loads the native library: where `NAPI_RS_NATIVE_LIBRARY_PATH` says, beside this package, or in the package of
// this platform. What is wrong when there is none, it says itself.
"use strict";

const { existsSync, readdirSync } = require("node:fs");
const { join } = require("node:path");
const { version } = require("../package.json");

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
  if (given) return open(given);
  const causes = [];
  for (const name of names ?? []) {
    const beside = join(__dirname, "..", `storycore.${name}.node`);
    const places = existsSync(beside) ? [beside] : [`storycore-${name}`];
    for (const place of places) {
      try {
        return open(place);
      } catch (error) {
        causes.push(error);
      }
    }
  }
  throw missing(causes);
}

function open(path) {
  // A library of any name is opened, where `require` wants one that ends in `.node`.
  if (path.endsWith(".node") || !path.includes("/")) return require(path);
  const module = { exports: {} };
  process.dlopen(module, path);
  return module.exports;
}

/** What to do about it, in one message. */
function missing(causes) {
  const libc = platform === "linux" ? ` with ${nameOfLibc()}` : "";
  const here = `${platform} ${arch}${libc}`;
  const broken = causes.find((cause) => cause.code !== "MODULE_NOT_FOUND");
  const advice = !names
    ? "there is no build of storycore for this platform: build it with cargo (`npm run build` in the sources)"
    : broken
      ? `the library for this platform does not load: ${broken.message}`
      : `the package ${names.map((name) => `storycore-${name}`).join(" or ")} is not installed. It is an optional dependency of ` +
        "storycore: install again without --omit=optional (--no-optional), on the platform that it will run on, and with a " +
        "lock file that was not written on another one";
  const error = new Error(`storycore cannot run on ${here}: ${advice}`, { cause: causes[0] });
  error.code = "STORYCORE_NO_NATIVE_LIBRARY";
  return error;
}

function nameOfLibc() {
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
