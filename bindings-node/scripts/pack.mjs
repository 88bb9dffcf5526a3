// Packs what is published: the package itself, without a library but with the platforms' packages as optional dependencies,
// and one package for each library that is given.
//
//     node scripts/pack.mjs FOLDER [linux-x64-gnu=path/to/library …]

import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { platforms } from "./platforms.mjs";

const [out, ...libraries] = process.argv.slice(2);
if (out === undefined) throw new Error("usage: node scripts/pack.mjs FOLDER [PLATFORM=LIBRARY …]");
const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const { scripts, devDependencies, ...about } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const stage = mkdtempSync(join(tmpdir(), "storycore-pack-"));
mkdirSync(out, { recursive: true });

try {
  const { name, version, license, repository, engines } = about;
  const main = join(stage, name);
  mkdirSync(main);
  for (const part of ["README.md", ...about.files.filter((file) => !file.includes("*"))]) {
    cpSync(join(folder, part), join(main, part), { recursive: true });
  }
  const optionalDependencies = Object.fromEntries(Object.keys(platforms).map((platform) => [`${name}-${platform}`, version]));
  pack(main, { ...about, files: about.files.filter((file) => !file.includes("*")), optionalDependencies });
  for (const library of libraries) {
    const [platform, path] = library.split("=");
    if (!(platform in platforms)) throw new Error(`there is no platform ${platform}; there are ${Object.keys(platforms).join(" ")}`);
    const file = `${name}.${platform}.node`;
    const own = join(stage, `${name}-${platform}`);
    mkdirSync(own);
    copyFileSync(path, join(own, file));
    const description = `The native library of ${name} for ${platform}.`;
    pack(own, { name: `${name}-${platform}`, version, description, license, repository, engines, main: file, files: [file], ...platforms[platform] });
  }
} finally {
  rmSync(stage, { recursive: true });
}

function pack(from, manifest) {
  const licences = ["LICENSE-APACHE", "LICENSE-MIT"];
  for (const licence of licences) copyFileSync(join(dirname(folder), licence), join(from, licence));
  const files = [...manifest.files, ...licences];
  writeFileSync(join(from, "package.json"), JSON.stringify({ ...manifest, files }, undefined, 2));
  execFileSync("npm", ["pack", "--silent", "--pack-destination", resolve(out)], { cwd: from, stdio: ["ignore", "inherit", "inherit"] });
}
