//! The typed, async client of the StoryCore media platform.
