//! Typed values, which the caller or a middleware adds and the handler reads by type.

use arcbus::Context;

#[derive(Debug, PartialEq)]
struct User(&'static str);

#[derive(Debug, PartialEq)]
struct Tenant(u32);

#[test]
fn a_value_is_found_by_its_type() {
    let cx = Context::new().with(User("ada")).with(Tenant(7));
    assert_eq!(cx.get::<User>(), Some(&User("ada")));
    assert_eq!(cx.get::<Tenant>(), Some(&Tenant(7)));
    assert_eq!(cx.get::<u32>(), None);
    assert_eq!(Context::new().get::<User>(), None);
}

#[test]
fn the_last_value_of_a_type_hides_earlier_values() {
    let cx = Context::new()
        .with(User("ada"))
        .with(Tenant(7))
        .with(User("grace"));
    assert_eq!(cx.get::<User>(), Some(&User("grace")));
    assert_eq!(cx.get::<Tenant>(), Some(&Tenant(7)));
}

#[test]
fn a_derived_context_sees_and_may_hide_the_values_of_its_parent() {
    let parent = Context::new().with(User("ada")).with(Tenant(7));
    let child = parent.derive().with(User("grace"));
    let grandchild = child.derive().with(Tenant(8));
    assert_eq!(grandchild.get::<User>(), Some(&User("grace")));
    assert_eq!(grandchild.get::<Tenant>(), Some(&Tenant(8)));
    assert_eq!(child.get::<Tenant>(), Some(&Tenant(7)));
    assert_eq!(parent.get::<User>(), Some(&User("ada")));
}

#[test]
fn a_clone_is_changed_apart() {
    let one = Context::new().with(User("ada"));
    let other = one.clone().with(User("grace")).with(Tenant(7));
    assert_eq!(one.get::<User>(), Some(&User("ada")));
    assert_eq!(one.get::<Tenant>(), None);
    assert_eq!(other.get::<User>(), Some(&User("grace")));
}

#[test]
fn many_values_are_kept() {
    macro_rules! with_all {
        ($($type:ty),*) => {
            let cx = Context::new()$(.with::<$type>(5 as $type))*;
            $(assert_eq!(cx.get::<$type>(), Some(&(5 as $type)));)*
        };
    }
    with_all!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64);
}
