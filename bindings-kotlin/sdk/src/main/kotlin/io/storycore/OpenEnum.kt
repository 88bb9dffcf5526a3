package io.storycore

/**
 * A value of a set that may grow: what this version does not know keeps its text. Two with the same text are equal.
 *
 * @param raw What the platform calls it.
 */
public abstract class OpenEnum internal constructor(public val raw: String) {
    final override fun equals(other: Any?): Boolean =
        other is OpenEnum && other.javaClass == javaClass && other.raw == raw

    final override fun hashCode(): Int = raw.hashCode()

    final override fun toString(): String = raw
}
