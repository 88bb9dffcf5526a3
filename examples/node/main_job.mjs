// The main job: a project, a film uploaded with its progress, made anew, waited for and downloaded.
//
//     node main_job.mjs film.mp4 [result.mp4]
//
// STORYCORE_API_KEY and STORYCORE_BASE_URL say where.

import { JobFailedError, StoryCoreClient } from "storycore";

const [film, result = "result.mp4"] = process.argv.slice(2);
if (film === undefined) {
  console.error("usage: node main_job.mjs FILM [RESULT]");
  process.exit(2);
}

const client = StoryCoreClient.fromEnv();
const project = await client.projects.create({ name: "Summer film" });
const asset = await client.media.upload(film, {
  project_id: project.id,
  onProgress: ({ acknowledged, total }) => console.log(`${acknowledged} of ${total} bytes`),
});
const job = await client.media.process(asset.id, { format: "mp4", resolution: "640x360" });
try {
  const done = await client.jobs.wait(job.id, { onProgress: ({ status, progress }) => console.log(status, progress ?? "") });
  await client.media.download(done.result.asset_id, result);
  console.log(`${result} is there`);
} catch (error) {
  if (!(error instanceof JobFailedError)) throw error;
  console.error(`the job failed: ${error.job.error_message}`);
  process.exitCode = 1;
}
