// Builds the native library for this machine as it is shipped, and puts it beside the package, where the loader finds it.
//
//     node scripts/build.mjs [--if-missing | --print]
//
// `--print` says where cargo put it, and leaves it there. `STORYCORE_NATIVE_LIBRARY` names one that is built already.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nameOfPlatform } from "./platforms.mjs";

const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const to = join(folder, `storycore.${nameOfPlatform()}.node`);

if (process.argv.includes("--print")) {
  console.log(built());
} else if (!(process.argv.includes("--if-missing") && existsSync(to))) {
  copyFileSync(process.env.STORYCORE_NATIVE_LIBRARY ?? built(), to);
  console.error(`the native library is ${to}`);
}

function built() {
  const args = ["build", "--profile", "node", "--locked", "--package", "storycore-node", "--message-format", "json-render-diagnostics"];
  // SQLite is there for the uploads' journal, which holds no JSON; the platform, whose database does, is not in this build.
  const env = { ...process.env, CFLAGS: `${process.env.CFLAGS ?? ""} -DSQLITE_OMIT_JSON` };
  const said = execFileSync("cargo", args, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 });
  for (const line of said.toString().split("\n").reverse()) {
    if (!line.startsWith("{")) continue;
    const { reason, target, filenames } = JSON.parse(line);
    if (reason === "compiler-artifact" && target.name === "storycore_node") return filenames[0];
  }
  throw new Error("cargo built no library");
}
