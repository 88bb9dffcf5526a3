// The same as `index.js`, for `import`.
import webhooks from "./index.js";

export const {
  Webhook,
  WebhookSignatureError,
  ReplayGuard,
  MemoryStore,
  sign,
  isKnownEvent,
  expressWebhook,
  fastifyWebhook,
  honoWebhook,
  verifyRequest,
} = webhooks;
