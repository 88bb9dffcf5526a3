import * as storycore from "./index.js";

export * from "./index.js";
export default storycore;
