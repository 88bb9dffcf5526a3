#!/bin/sh
# Builds a release of the Swift package on a Mac with Xcode and rustup: StoryCoreFFI.xcframework.zip, and a package folder whose
# Package.swift names it by URL and checksum.
#
# NOT RUN by this repository's tests: it needs Apple's SDKs.
#
#     scripts/xcframework.sh https://example.com/releases/0.1.0/StoryCoreFFI.xcframework.zip
set -eu
url=${1:?the URL under which the zip will be found}
cd "$(dirname "$0")/../.."
out=target/xcframework
rm -rf "$out" && mkdir -p "$out/include/StoryCoreFFI" "$out/package"

targets="aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios aarch64-apple-darwin x86_64-apple-darwin"
rustup target add $targets
export IPHONEOS_DEPLOYMENT_TARGET=16.0 MACOSX_DEPLOYMENT_TARGET=13.0
# Not this machine's folders in the places in the source that panics name.
cargo fetch --locked
set --
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    set -- "$@" --config "build.rustflags=['--remap-path-prefix=$sources=']"
done
for target in $targets; do
    cargo build --locked --config bindings-swift/mobile/size.toml "$@" --profile mobile -p storycore-mobile \
        --target "$target"
done
lib() { echo "target/$1/mobile/libstorycore_mobile.a"; }
mkdir -p "$out/sim" "$out/mac"
lipo -create "$(lib aarch64-apple-ios-sim)" "$(lib x86_64-apple-ios)" -output "$out/sim/libstorycore_mobile.a"
lipo -create "$(lib aarch64-apple-darwin)" "$(lib x86_64-apple-darwin)" -output "$out/mac/libstorycore_mobile.a"

# From a library that has its symbols still, without the feature `conformance`.
cargo build --locked -p storycore-mobile
cargo run --locked -q -p storycore-bindgen -- swift target/debug/libstorycore_mobile.dylib "$out/generated"
# A folder of its own name for the headers: two xcframeworks that both have include/module.modulemap cannot be in one app.
cp "$out/generated/StoryCoreFFI.h" "$out/include/StoryCoreFFI/"
sed 's|StoryCoreFFI/StoryCoreFFI.h|StoryCoreFFI.h|' bindings-swift/Sources/StoryCoreFFI/include/module.modulemap \
    > "$out/include/StoryCoreFFI/module.modulemap"

xcodebuild -create-xcframework \
    -library "$(lib aarch64-apple-ios)" -headers "$out/include" \
    -library "$out/sim/libstorycore_mobile.a" -headers "$out/include" \
    -library "$out/mac/libstorycore_mobile.a" -headers "$out/include" \
    -output "$out/StoryCoreFFI.xcframework"
(cd "$out" && ditto -c -k --keepParent StoryCoreFFI.xcframework StoryCoreFFI.xcframework.zip)

cp -R bindings-swift/Package.swift bindings-swift/README.md bindings-swift/Sources "$out/package/"
mkdir -p "$out/package/Sources/StoryCoreNative"
cp "$out/generated/StoryCoreNative.swift" "$out/package/Sources/StoryCoreNative/"
# For Linux, where the library is no binary of the package's.
mkdir -p "$out/package/Sources/StoryCoreFFI/include/StoryCoreFFI"
cp "$out/generated/StoryCoreFFI.h" "$out/package/Sources/StoryCoreFFI/include/StoryCoreFFI/"
checksum=$(swift package compute-checksum "$out/StoryCoreFFI.xcframework.zip")
sed -i '' "s|^let release: .*|let release: (url: String, checksum: String)? = (\"$url\", \"$checksum\")|" "$out/package/Package.swift"
swift package --package-path "$out/package" describe > /dev/null
echo "$out/StoryCoreFFI.xcframework.zip goes to $url, $out/package is the package of the release"
