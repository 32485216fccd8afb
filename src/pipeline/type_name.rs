//! Facts about a layer read from its type, where no message is at hand to ask the layer itself.

use std::any::type_name;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::{Discriminant, discriminant};

use super::{Answered, Enqueued, Gated, Recovered, Shared};
use crate::sync::Arc;

/// A layer that acts on some dispatches only, named by text because its module depends on this module.
const WHEN: &str = "arcbus::middleware::compose::when::When";

/// Returns the name of a type without its path and generic arguments. For a gate's adapter, an optional, a
/// shared or a conditional layer, returns the name of the inner type.
pub(crate) fn short_type_name<T: ?Sized>() -> &'static str {
    let whole = type_name::<T>();
    match path(innermost(whole)).rsplit("::").next() {
        // For a type inside a generic `impl` block, the path begins with the arguments of the block.
        None | Some("") => whole,
        Some(name) => name,
    }
}

/// Returns whether a layer, or a middleware for `.wrap(..)`, may be switched off.
///
/// A builder takes layers of any type, because a layer may fit one message only. So the builder cannot query
/// a layer through a trait. An `Option` is recognised by its type's name, and its discriminant tells whether
/// the layer is off. An `Option` inside an adapter (`Gated(None)`) cannot be inspected, and counts as
/// switched off. If a future compiler writes these names differently, `None` counts as switched on. A bus is
/// then refused rather than left unguarded.
pub(super) fn may_be_off<T>(layer: &T) -> bool {
    let name = type_name::<T>();
    match inner(name) {
        Some(inner) if is_optional(name) => is_none(discriminant(layer)) || has_optional(inner),
        Some(inner) => has_optional(inner),
        None => false,
    }
}

/// Returns whether a discriminant of an `Option` is that of `None`.
fn is_none<T>(of: Discriminant<T>) -> bool {
    hash(of) == hash(discriminant(&None::<()>))
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns whether a type is an `Option`, or an adapter around an `Option`.
fn has_optional(name: &str) -> bool {
    is_optional(name) || inner(name).is_some_and(has_optional)
}

fn is_optional(name: &str) -> bool {
    path(name) == path(type_name::<Option<()>>())
}

/// Returns the type without the adapters around it.
fn innermost(name: &str) -> &str {
    inner(name).map_or(name, innermost)
}

/// Returns the name of the type inside an adapter, and the text that follows. `None` for a type that is no
/// adapter.
fn inner(name: &str) -> Option<&str> {
    let arguments = &name[path(name).len()..];
    let around = |adapter| path(name) == path(adapter);
    if around(WHEN) {
        return Some(arguments.split_once(", ")?.1);
    }
    let adapters = [
        type_name::<Gated<()>>(),
        type_name::<Enqueued<()>>(),
        type_name::<Answered<()>>(),
        type_name::<Recovered<()>>(),
        type_name::<Option<()>>(),
        type_name::<Arc<()>>(),
        type_name::<Shared<()>>(),
    ];
    adapters.into_iter().any(around).then(|| &arguments[1..])
}

/// Returns the path of a type, without its arguments.
fn path(name: &str) -> &str {
    name.split(['<', '>', ',']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::middleware::When;

    struct Layer;
    struct Option<T>(T);
    type Maybe<T> = std::option::Option<T>;

    enum Choice {
        First,
    }

    #[test]
    fn a_type_has_the_name_of_what_its_adapters_are_around() {
        assert_eq!(short_type_name::<Layer>(), "Layer");
        assert_eq!(short_type_name::<Maybe<Gated<Layer>>>(), "Layer");
        assert_eq!(short_type_name::<Shared<Maybe<Layer>>>(), "Layer");
        assert_eq!(short_type_name::<Arc<Gated<Layer>>>(), "Layer");
        assert_eq!(short_type_name::<When<u8, Maybe<Layer>>>(), "Layer");
        assert_eq!(short_type_name::<Option<Layer>>(), "Option");
        assert_eq!(short_type_name::<Maybe<Option<Layer>>>(), "Option");
    }

    #[test]
    fn an_optional_layer_is_off_when_it_is_none() {
        assert!(may_be_off(&None::<Layer>));
        assert!(!may_be_off(&Some(Layer)));
        assert!(may_be_off(&None::<Box<Layer>>), "no tag of its own");
        assert!(!may_be_off(&Some(Box::new(Layer))));
        assert!(may_be_off(&Some(None::<Layer>)));
    }

    #[test]
    fn an_optional_layer_inside_an_adapter_may_be_off() {
        assert!(may_be_off(&Gated(None::<Layer>)));
        assert!(may_be_off(&Arc::new(Gated(None::<Layer>))));
        assert!(may_be_off(&When::new((), None::<Layer>)));
        assert!(may_be_off(&When::new((), Some(Gated(None::<Layer>)))));
    }

    #[test]
    fn what_has_no_optional_layer_is_on() {
        assert!(!may_be_off(&Layer));
        assert!(!may_be_off(&Choice::First));
        assert!(!may_be_off(&Option(Layer)));
        assert!(!may_be_off(&Gated(Layer)));
        assert!(!may_be_off(&Some(Gated(Layer))));
        assert!(!may_be_off(&When::new(None::<u8>, Layer)));
        assert!(!may_be_off(&Box::new(None::<Layer>)), "no adapter of ours");
    }
}
