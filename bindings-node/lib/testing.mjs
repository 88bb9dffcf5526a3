// The same as `testing.js`, for `import`.
import testing from "./testing.js";

export const { LocalPlatform, LocalPlatformError } = testing;
