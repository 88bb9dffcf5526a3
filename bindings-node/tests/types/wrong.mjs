// Packs the package as it is published and asks `arethetypeswrong` whether every way of loading it finds its types.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "storycore-"));
try {
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], { stdio: ["ignore", "ignore", "inherit"] });
  const [packed] = readdirSync(folder);
  execFileSync("node_modules/.bin/attw", ["--no-emoji", join(folder, packed)], { stdio: "inherit" });
} finally {
  rmSync(folder, { recursive: true });
}
