// The same as `index.js`, for `import`.
import storycore from "./index.js";

export default storycore;
export const {
  StoryCoreClient,
  StoryCoreSDK,
  version,
  StoryCoreError,
  ConfigError,
  AuthenticationError,
  PermissionError,
  NotFoundError,
  ConflictError,
  InvalidRequestError,
  RateLimitedError,
  ServerError,
  ConnectionError,
  TimeoutError,
  CallCancelledError,
  DecodeError,
  UnsupportedError,
  CircuitOpenError,
  WaitTimeoutError,
  JobFailedError,
  JobCancelledError,
  UploadError,
  WebhookSignatureError,
} = storycore;
