// The worker of `smoke.mjs`.

import { parentPort } from "node:worker_threads";
import { StoryCoreClient } from "storycore";

const page = await StoryCoreClient.fromEnv().projects.list({ pageSize: 1 });
parentPort.postMessage(page.data.length);
