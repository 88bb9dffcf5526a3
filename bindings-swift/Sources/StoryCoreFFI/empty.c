// A target of C needs a file of C; the library itself is Rust.
