package io.storycore

import io.storycore.models.Pagination

/**
 * One page of a list.
 *
 * @param data Its objects.
 * @param pagination Where it stands.
 */
public data class Page<out T>(
    public val data: List<T>,
    public val pagination: Pagination,
)
