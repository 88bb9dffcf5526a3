//! The bytes of a delivery, lent or owned, so that what is owned need not be copied into its event.

use bytes::Bytes;

/// A delivery's bytes as they arrived. What owns them already, such as [`Bytes`], is kept without a copy.
#[derive(Debug, Clone)]
pub struct RawBody<'a>(Raw<'a>);

#[derive(Debug, Clone)]
enum Raw<'a> {
    Lent(&'a [u8]),
    Own(Bytes),
}

impl RawBody<'_> {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Raw::Lent(bytes) => bytes,
            Raw::Own(bytes) => bytes,
        }
    }

    pub(super) fn keep(self) -> Bytes {
        match self.0 {
            Raw::Lent(bytes) => Bytes::copy_from_slice(bytes),
            Raw::Own(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a [u8]> for RawBody<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Raw::Lent(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for RawBody<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(Raw::Lent(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for RawBody<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self(Raw::Lent(bytes))
    }
}

impl From<Vec<u8>> for RawBody<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Raw::Own(bytes.into()))
    }
}

impl From<Bytes> for RawBody<'_> {
    fn from(bytes: Bytes) -> Self {
        Self(Raw::Own(bytes))
    }
}

impl From<&Bytes> for RawBody<'_> {
    fn from(bytes: &Bytes) -> Self {
        Self(Raw::Own(bytes.clone()))
    }
}
