// The AAR of the Kotlin package. Not run by the project's tests: see ../README.md. The sources and the native libraries are
// put together by ../../scripts/release-aar.sh; versions are those of ../../pom.xml.

// Without versions: here ../settings.gradle.kts has them, and an app that includes this module has its own, beside which Gradle
// takes no other.
plugins {
    id("com.android.library")
    id("org.jetbrains.kotlin.android")
    id("maven-publish")
}

// From this folder, and not from the root's, which is the app's where an app includes this module.
val target = projectDir.resolve("../../../target/kotlin-android")

group = "io.storycore"
version = "0.1.0"

android {
    namespace = "io.storycore"
    compileSdk = 36

    defaultConfig {
        minSdk = 26
        consumerProguardFiles("../../sdk/consumer-rules.pro")
    }

    sourceSets["main"].apply {
        // uniffi writes other code for Android: its own cleaner, in place of Java 9's.
        kotlin.srcDirs("../../sdk/src/main/kotlin", target.resolve("generated"))
        jniLibs.srcDirs(target.resolve("jniLibs"))
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    publishing {
        singleVariant("release") { withSourcesJar() }
    }
}

kotlin {
    compilerOptions {
        jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_17)
    }
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.11.0")
    api("org.jetbrains.kotlinx:kotlinx-serialization-json:1.12.0")
    implementation("net.java.dev.jna:jna:5.19.1@aar")
}

publishing {
    publications {
        register<MavenPublication>("release") {
            artifactId = "storycore-android"
            afterEvaluate { from(components["release"]) }
        }
    }
}
