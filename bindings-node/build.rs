//! Lets Node's own symbols be found when Node loads the library.

fn main() {
    napi_build::setup();
}
