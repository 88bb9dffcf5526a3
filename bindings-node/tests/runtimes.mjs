// Runs the README's example and `runtimes/smoke.mjs` under another JavaScript runtime, with the local platform beside it:
//
//     node tests/runtimes.mjs bun PATH-OF-BUN

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { LocalPlatform } from "storycore/testing";

const [runtime, program] = process.argv.slice(2);
/** Deno asks before it opens what a program may want; Node and Bun do not. */
const args = { bun: [], deno: ["run", "--allow-all", "--node-modules-dir=manual"], node: [] }[runtime];
const root = dirname(dirname(fileURLToPath(import.meta.url)));

const platform = await LocalPlatform.start();
const folder = await mkdtemp(join(tmpdir(), "storycore-"));
try {
  // As npm would have installed it.
  await mkdir(join(folder, "node_modules"));
  await symlink(root, join(folder, "node_modules/storycore"));
  await writeFile(join(folder, "package.json"), '{"type": "module"}');
  await cp(join(root, "tests/runtimes"), folder, { recursive: true });
  const readme = await readFile(join(root, "README.md"), "utf8");
  await writeFile(join(folder, "example.mjs"), /```js\n(.*?)```/s.exec(readme)[1]);
  const env = { ...process.env, ...platform.environment() };
  const { stdout } = await promisify(execFile)(program, [...args, "example.mjs"], { cwd: folder, env, timeout: 60_000 });
  if (!/^prj_\w+ \d{4}-.*\nSummer film\n$/.test(stdout)) throw new Error(`the README's example says under ${runtime}:\n${stdout}`);
  console.log(`ok ${runtime}: the README's example`);
  const smoke = spawn(program, [...args, "smoke.mjs"], { cwd: folder, env, stdio: "inherit", timeout: 120_000 });
  const [code] = await once(smoke, "exit");
  process.exitCode = code ?? 1;
} finally {
  await platform.stop();
  await rm(folder, { recursive: true, force: true });
}
