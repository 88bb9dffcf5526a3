// An Express receiver of webhooks: verified, taken once, beside ordinary JSON routes.
//
//     WEBHOOK_SECRET=whsec_… node receiver.mjs [PORT]

import express from "express";
import { ReplayGuard, Webhook, expressWebhook } from "storycore/webhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const guard = new ReplayGuard();
const app = express();

// Before express.json(): the signature is over the bytes as they arrived.
app.post("/webhook", expressWebhook(webhook), async ({ event }, response) => {
  const taken = await guard.take(event.id);
  if (taken === "processing") return response.sendStatus(409);
  if (taken === "first") {
    try {
      console.log(event.event, event.data.id);
      await guard.done(event.id);
    } catch (error) {
      // The platform sends it again.
      await guard.release(event.id);
      throw error;
    }
  }
  response.sendStatus(200);
});

app.use(express.json());

const server = app.listen(Number(process.argv[2] ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/webhook`);
});
