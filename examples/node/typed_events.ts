// Events in TypeScript: `event.event` tells what `event.data` is.

import { Webhook, isKnownEvent, verifyRequest } from "storycore/webhooks";

const webhook = new Webhook(process.env["WEBHOOK_SECRET"] ?? "");

/** For whatever speaks Fetch: Next.js, Remix, Hono, Deno, Bun. */
export async function POST(request: Request): Promise<Response> {
  const event = await verifyRequest(webhook, request);
  switch (event.event) {
    case "job.completed":
      console.log("done:", event.data.id, event.data.completed_at);
      break;
    case "job.failed":
      console.log("failed:", event.data.error_message ?? "nobody knows why");
      break;
    case "project.status_changed":
      console.log("now", event.data.status, "and", event.data.rag_status);
      break;
  }
  if (!isKnownEvent(event)) console.log("of a later version of the platform:", JSON.stringify(event));
  return new Response();
}
