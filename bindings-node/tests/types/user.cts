// The same package through `require`.
import storycore = require("storycore");

export const client: storycore.StoryCoreClient = storycore.StoryCoreClient.fromEnv();
