//! `debug_name!`: the `Debug` of a type that shows nothing of itself.

/// Writes a `Debug` that is the name of the type alone, for a type whose fields are user code or mean nothing
/// to people.
macro_rules! debug_name {
    ([$($generics:tt)*] $type:ty, $name:literal) => {
        impl<$($generics)*> ::std::fmt::Debug for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str($name)
            }
        }
    };
    ($type:ty, $name:literal) => {
        debug_name!([] $type, $name);
    };
}
