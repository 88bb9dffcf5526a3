#!/usr/bin/env bash
# Builds the AAR for release: the native library for each processor, Kotlin of it, and the Gradle module over both.
#
# NOT RUN HERE: the project's machine has neither an NDK nor an Android SDK. Needs ANDROID_NDK_HOME, ANDROID_HOME, Gradle,
# `cargo install cargo-ndk`, and `rustup target add` of the targets below.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${ANDROID_NDK_HOME:?the NDK is needed}" "${ANDROID_HOME:?the Android SDK is needed}"
target=${CARGO_TARGET_DIR:-$PWD/target}
out=$PWD/target/kotlin-android
rm -rf "$out"
mkdir -p "$out/generated" "$out/jniLibs"

# Generated from a library with its symbols: what is shipped has none. `android` has uniffi use Android's own cleaner.
cargo build --locked --package storycore-mobile
cargo build --locked --package storycore-bindgen
"$target/debug/storycore-bindgen" kotlin-android "$target/debug/libstorycore_mobile.so" "$out/generated"

# API 26: what `java.time` and `java.nio.file` need. Pages of 16 KiB, which Android 15 and the store ask for.
# In place of what size.toml says for Rust.
export RUSTFLAGS="-C force-frame-pointers=yes -C link-arg=-Wl,-z,max-page-size=16384"
# Not this machine's folders in the places in the source that panics name.
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
  RUSTFLAGS+=" --remap-path-prefix=$sources="
done
cargo ndk --platform 26 --output-dir "$out/jniLibs" \
  --target arm64-v8a --target armeabi-v7a --target x86_64 \
  build --locked --config bindings-swift/mobile/size.toml --profile mobile --package storycore-mobile

gradle --project-dir bindings-kotlin/android :library:assembleRelease :library:publishReleasePublicationToMavenLocal
ls -l bindings-kotlin/android/library/build/outputs/aar
