//! What calls give: as bytes that the languages read, from the thread on that the call ran on. What waits for a call, and
//! hands over what it gave, is thereby compiled once and not for each type.

use std::marker::PhantomData;

use uniffi::{Lower, LowerReturn, MetadataBuffer, RustBuffer, RustCallError, TypeId};

use crate::{UniFfiTag, failure::Failure};

/// What a call gave, as it crosses.
pub(crate) type Lowered = Vec<u8>;

/// A `T` on its way to a language.
pub struct Given<T> {
    lowered: Lowered,
    of: PhantomData<fn() -> T>,
}

impl<T> Given<T> {
    /// What is known to be a `T`.
    pub(crate) fn of_lowered(lowered: Lowered) -> Self {
        Self { lowered, of: PhantomData }
    }

    pub(crate) fn lowered(self) -> Lowered {
        self.lowered
    }
}

impl<T: Lower<UniFfiTag, FfiType = RustBuffer>> Given<T> {
    pub(crate) fn of(it: T) -> Self {
        Self::of_lowered(T::lower(it).destroy_into_vec())
    }
}

/// What the core gave. Not inlined: many calls give the same.
#[inline(never)]
pub(crate) fn given<S, T>(given: Result<S, storycore::Error>) -> Result<Given<T>, Failure>
where
    T: From<S> + Lower<UniFfiTag, FfiType = RustBuffer>,
{
    Ok(Given::of(T::from(given?)))
}

// To a language, a `Given<T>` is a `T`.
impl<T: TypeId<UniFfiTag>> TypeId<UniFfiTag> for Given<T> {
    const TYPE_ID_META: MetadataBuffer = T::TYPE_ID_META;
}

// SAFETY: these are the bytes that lowering a `T` gave, and a `T` is what the other side reads.
unsafe impl<T: Lower<UniFfiTag, FfiType = RustBuffer>> LowerReturn<UniFfiTag> for Given<T> {
    type ReturnType = RustBuffer;

    fn lower_return(given: Self) -> Result<RustBuffer, RustCallError> {
        Ok(RustBuffer::from_vec(given.lowered))
    }
}
