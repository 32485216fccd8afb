//! [`TypeMap`]: one value of each type.

use std::any::Any;
use std::fmt;

use smallvec::SmallVec;

/// A map with one value of each type, for the few values that a layer keeps.
#[derive(Default)]
pub(crate) struct TypeMap(SmallVec<[Box<dyn Any + Send + Sync>; 1]>);

impl TypeMap {
    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        self.0.iter().find_map(|value| value.downcast_ref())
    }

    /// Puts a value in, and returns the one of its type that was there: it is user code when it is dropped.
    #[must_use]
    pub(crate) fn insert<T: Any + Send + Sync>(&mut self, value: T) -> Option<T> {
        if let Some(known) = self.0.iter_mut().find_map(|known| known.downcast_mut()) {
            return Some(std::mem::replace(known, value));
        }
        self.0.push(Box::new(value));
        None
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for TypeMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeMap({})", self.len())
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_the_place_of_one_of_its_type_alone() {
        let mut map = TypeMap::default();
        assert_eq!(map.insert(1_u8), None);
        assert_eq!(map.insert("text"), None);
        assert_eq!(map.insert(2_u8), Some(1));
        assert_eq!(
            (map.get::<u8>(), map.get::<&str>()),
            (Some(&2), Some(&"text"))
        );
        assert_eq!((map.get::<u16>(), map.len()), (None, 2));
    }
}
