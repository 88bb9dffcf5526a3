package io.storycore

/**
 * A text that is never shown by accident: `toString` does not have it.
 *
 * @param text The secret.
 */
public class Secret(private val text: String) {
    /** The secret, for storing it where it is safe. */
    public fun expose(): String = text

    override fun equals(other: Any?): Boolean = other is Secret && other.text == text

    override fun hashCode(): Int = text.hashCode()

    override fun toString(): String = "***"
}
