//! [`Fingerprint`]: a hash that tells one payload from another.

use std::fmt;
use std::hash::{Hash, Hasher};

/// Tells the payloads of one key apart: FNV-1a, 128 bits, of the bytes that the message's [`Hash`] writes.
///
/// A fingerprint is equal in every process and on every machine: numbers are taken byte by byte from the
/// lowest, and `usize` as 64 bits. A fingerprint is stable as long as the `Hash` writes unchanged bytes. A
/// `derive` does so until the fields change, but the standard library does not promise this between releases
/// of Rust. For a store that outlives those releases, write the `Hash` by hand. A payload whose fingerprint has
/// changed is refused, and never taken for an earlier one.
///
/// Two payloads with one fingerprint can be made on purpose. That takes a caller that has the key, and such a
/// caller would only get the reply to the other payload.
///
/// FNV: G. Fowler, L. C. Noll, K.-P. Vo, "The FNV Non-Cryptographic Hash Algorithm", RFC 9923.
///
/// ```
/// use arcbus::middleware::idempotency::Fingerprint;
///
/// assert_eq!(Fingerprint::of(&("card", 5_u32)), Fingerprint::of(&("card", 5_u32)));
/// assert_ne!(Fingerprint::of(&("card", 5_u32)), Fingerprint::of(&("card", 6_u32)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Returns the fingerprint of the bytes that `payload` hashes.
    #[must_use]
    pub fn of(payload: &impl Hash) -> Self {
        let mut hasher = Fnv::new();
        payload.hash(&mut hasher);
        Self(hasher.0)
    }

    /// Returns the fingerprint as bytes, for a store.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Creates a fingerprint from the bytes of a store.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({:032x})", self.0)
    }
}

/// The hasher that makes a [`Fingerprint`] from the bytes of a payload.
#[derive(Clone, Debug)]
pub struct Fnv(u128);

impl Fnv {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

    /// Creates a hasher to which nothing was written.
    #[must_use]
    pub fn new() -> Self {
        Self(Self::BASIS)
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes numbers from the lowest byte, because the default methods use this machine's byte order.
macro_rules! from_the_lowest_byte {
    ($($write:ident($number:ty as $written:ty);)*) => {
        $(fn $write(&mut self, number: $number) {
            self.write(&(number as $written).to_le_bytes());
        })*
    };
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }

    /// Returns the lower half of the hash.
    fn finish(&self) -> u64 {
        self.0 as u64
    }

    from_the_lowest_byte! {
        write_u16(u16 as u16);
        write_u32(u32 as u32);
        write_u64(u64 as u64);
        write_u128(u128 as u128);
        write_usize(usize as u64);
        write_i16(i16 as i16);
        write_i32(i32 as i32);
        write_i64(i64 as i64);
        write_i128(i128 as i128);
        write_isize(isize as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_bytes(bytes: &[u8]) -> u128 {
        let mut hasher = Fnv::new();
        hasher.write(bytes);
        hasher.0
    }

    #[test]
    fn it_is_fnv_1a() {
        assert_eq!(of_bytes(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(of_bytes(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(
            of_bytes(b"foobar"),
            0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18
        );
    }

    #[test]
    fn numbers_are_written_alike_on_every_machine() {
        assert_eq!(Fingerprint::of(&0x0102_u16).0, of_bytes(&[2, 1]));
        assert_eq!(
            Fingerprint::of(&-2_i32).0,
            of_bytes(&[0xfe, 0xff, 0xff, 0xff])
        );
        assert_eq!(Fingerprint::of(&7_usize), Fingerprint::of(&7_u64));
        assert_eq!(Fingerprint::of(&-7_isize), Fingerprint::of(&-7_i64));
    }

    #[test]
    fn its_bytes_make_it_again() {
        let fingerprint = Fingerprint::of(&"payload");
        assert_eq!(Fingerprint::from_bytes(fingerprint.to_bytes()), fingerprint);
    }
}
