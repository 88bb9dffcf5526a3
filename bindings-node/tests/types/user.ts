// What a user writes in TypeScript; `tsc --strict` has to agree, with what `require` finds (tsconfig.json) and with what
// `import` finds (tsconfig.esm.json). It is compiled and not run.

import { createReadStream, createWriteStream } from "node:fs";
import storycore, { NotFoundError, StoryCoreClient, StoryCoreError, StoryCoreSDK, UploadControl, metrics, type Job, type Project } from "storycore";
import { LocalPlatform } from "storycore/testing";
import { ReplayGuard, Webhook, isKnownEvent, sign, verifyRequest } from "storycore/webhooks";

export async function everyday(apiKey: string): Promise<string | undefined> {
  await using client = new StoryCoreClient({ apiKey, timeout: 60_000, maxRetries: 3, logger: console, logLevel: "debug" });
  metrics.enable();
  console.log(metrics.snapshot().map(({ name, count }) => `${name} ${count}`));
  const project: Project = await client.projects.create({ name: "Film", status: "planned", settings: { fps: 25 } });
  await client.projects.update(project.id, { description: null, budget: 9000 });
  // @ts-expect-error: a project needs a name
  await client.projects.create({});
  // @ts-expect-error: there is no such field
  await client.projects.create({ name: "x", nmae: "y" });
  // @ts-expect-error: nor such a setting
  new StoryCoreSDK({ apikey: "x" });
  const page = await client.projects.list({ status: "planned", pageSize: 10 });
  const total: number = page.pagination.total;
  for await (const one of client.projects.list({ sort: "name.asc" }, { signal: AbortSignal.timeout(1000) })) one.name.trim();
  for await (const { data } of client.projects.list().pages()) data.map((one) => one.id);
  const control = new UploadControl();
  const asset = await client.media.upload(createReadStream("film.mp4"), {
    project_id: project.id,
    control,
    onProgress: ({ acknowledged, total }) => console.log(acknowledged / total),
  });
  const body = await fetch("https://example.com/film.mp4");
  await client.media.upload(body, { fileName: "film.mp4" });
  await client.media.upload(new Uint8Array(3), { fileName: "a.bin", type: "document" });
  const job: Job = await client.media.process(asset.id, { format: "webm" });
  const done = await client.jobs.wait(job.id, { timeout: 60_000, onProgress: (job) => console.log(job.progress) });
  for await (const event of client.jobs.events(job.id)) console.log(event.type, event.job.status);
  const content = await client.media.contentStream(asset.id, { signal: AbortSignal.timeout(1000) });
  const response = new Response(content.toWeb(), { headers: { "content-length": String(content.size ?? 0) } });
  content.toNode().pipe(createWriteStream("copy.mp4"));
  for await (const piece of content) console.log(piece.byteLength, response.status);
  await client.media.download(asset.id, "film.mp4", { maxStreams: 8 });
  for await (const file of client.media.uploadAll(["a.mp4", { source: new Uint8Array(3), fileName: "b.bin" }], { atOnce: 4 })) {
    if (file.error === undefined) console.log(file.asset.id, file.sent);
    else console.log(file.source, file.error.retryable);
  }
  const stats = await client.webhooks.stats("whk_1", { period_days: 7 });
  const raw = await client.request("GET", "/api/audit", { query: { limit: 10 } });
  console.log(total, done.result?.["asset_id"], stats.success_rate, raw.json(), storycore.version);
  const unknown: unknown = project["a field of a later version"];
  return String(unknown);
}

export async function failures(client: StoryCoreClient): Promise<number | undefined> {
  try {
    await client.projects.get("prj_1");
  } catch (error) {
    if (error instanceof NotFoundError) return error.status;
    if (error instanceof StoryCoreError && error.kind === "rate_limited") return error.retryAfter;
    throw error;
  }
  return undefined;
}

const webhook = new Webhook(["whsec_old", "whsec_new"], { tolerance: 60_000 });
const guard = new ReplayGuard();

export async function receive(request: Request): Promise<Response> {
  const event = await verifyRequest(webhook, request);
  if ((await guard.take(event.id)) !== "first") return new Response();
  switch (event.event) {
    case "job.completed":
      // The event's name tells what its data is.
      console.log(event.data.status, event.data.progress?.toFixed(0));
      break;
    case "project.created":
      console.log(event.data.rag_status);
      break;
  }
  if (!isKnownEvent(event)) console.log("of a later version:", event.event, event.data);
  return new Response();
}

export async function tested(): Promise<void> {
  await using platform = await LocalPlatform.start({ strict: true });
  await platform.fault({ path: "/api/projects", action: { status: 503 }, times: 2 });
  await platform.client().projects.list();
  webhook.verify("{}", sign("whsec_old", "{}"));
}
