package io.storycore

/**
 * What an update does to one field: leaves it as it is, clears it, or sets it.
 *
 * ```
 * client.projects.update(id, name = Change.Set("Short film"), description = Change.Clear)
 * ```
 */
public sealed interface Change<out T> {
    /** The field stays as it is; it is not sent. */
    public data object Keep : Change<Nothing>

    /** The field is cleared; `null` is sent. */
    public data object Clear : Change<Nothing>

    /**
     * The field gets this value.
     *
     * @param value What it becomes.
     */
    public data class Set<out T>(public val value: T) : Change<T>
}
