//! What the linker leaves out of an app's library. The compiler's part is the profile `mobile`, the C compiler's `size.toml`.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=shipped.ld");
    let of = |name: &str| env::var(name).unwrap_or_default();
    // The profile `mobile` alone is optimised for size.
    if of("OPT_LEVEL") != "z" {
        return;
    }
    // Relocations in their packed form, which an older loader refuses by name: glibc 2.36 reads the one, Android 6 the other.
    // Elsewhere the linker is not LLVM's, or not known.
    let packed = match (of("TARGET").as_str(), of("CARGO_CFG_TARGET_OS").as_str()) {
        ("x86_64-unknown-linux-gnu", _) => "-z,pack-relative-relocs",
        (_, "android") => "--pack-dyn-relocs=android",
        _ => return,
    };
    // Functions and constants that are byte for byte the same are there once.
    let mut options = vec![packed, "--icf=all", "--ignore-data-address-equality"];
    let unread = format!("-T,{}/shipped.ld", of("CARGO_MANIFEST_DIR"));
    // A library that is not for users is asked itself what it exports.
    if env::var_os("CARGO_FEATURE_CONFORMANCE").is_none() {
        options.push(&unread);
    }
    for option in options {
        println!("cargo::rustc-link-arg-cdylib=-Wl,{option}");
    }
}
