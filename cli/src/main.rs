//! `storycore`, the command line.

fn main() {}
