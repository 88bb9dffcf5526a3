//! The whole StoryCore platform on one machine, in one process.
