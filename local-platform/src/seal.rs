//! Encryption of the few secrets that must be read again: webhook secrets, keys that sign JWTs, kept answers.
//! XChaCha20-Poly1305 under a key that lies beside the database, readable by its owner alone.

use std::path::Path;

use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce, aead::Aead as _};

use crate::ids;

/// Seals and opens with the data directory's key.
pub(crate) struct Seal(XChaCha20Poly1305);

impl Seal {
    /// The key of `directory`, made when there is none.
    pub(crate) fn open(directory: &Path) -> std::io::Result<Self> {
        let path = directory.join("seal.key");
        let key: [u8; 32] = match std::fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|_| {
                std::io::Error::new(std::io::ErrorKind::InvalidData, "seal.key is damaged")
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = ids::random::<32>();
                write_private(&path, &key)?;
                key
            }
            Err(error) => return Err(error),
        };
        Ok(Self(XChaCha20Poly1305::new(&key.into())))
    }

    /// The sealed form of `plain`: a random nonce and the ciphertext.
    pub(crate) fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let nonce = ids::random::<24>();
        let sealed = self
            .0
            .encrypt(&XNonce::from(nonce), plain)
            .expect("encrypting in memory fails only past 256 GiB");
        [nonce.as_slice(), &sealed].concat()
    }

    /// What was sealed, or nothing when the text was changed or sealed with another key.
    pub(crate) fn unseal(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<24>()?;
        self.0.decrypt(&XNonce::from(*nonce), sealed).ok()
    }
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
