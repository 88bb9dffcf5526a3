package io.storycore

/**
 * A dialect of the API.
 *
 * @param raw Its name.
 */
public class Platform(raw: String) : OpenEnum(raw) {
    /** Those that there are. */
    public companion object {
        /** StoryCore. */
        @JvmField
        public val STORYCORE: Platform = Platform("storycore")

        /** Powalyze. */
        @JvmField
        public val POWALYZE: Platform = Platform("powalyze")

        /** Hub Chantier. */
        @JvmField
        public val HUB_CHANTIER: Platform = Platform("hub_chantier")

        /** The agents' integration hub. */
        @JvmField
        public val AGENTS: Platform = Platform("agents")

        /** The integration registry. */
        @JvmField
        public val REGISTRY: Platform = Platform("registry")
    }
}
