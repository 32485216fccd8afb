//! Finds every ordering of the source by syntax, without those in tests.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::Fallible;

/// The memory ordering of an atomic access or of a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names of std")]
pub enum Order {
    Relaxed,
    Acquire,
    Release,
    AcqRel,
    SeqCst,
}

impl Order {
    fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Relaxed,
            Self::Acquire,
            Self::Release,
            Self::AcqRel,
            Self::SeqCst,
        ];
        all.into_iter().find(|order| order.to_string() == name)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The kind of access that an ordering belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The ordering of a load, such as `load` of an atomic.
    Load,
    /// The ordering of a store, such as `store` of an atomic.
    Store,
    /// The ordering of a read-modify-write, or of a compare-and-swap that succeeds.
    Update,
    /// The ordering of a compare-and-swap that fails, which is that of a load.
    Failure,
    /// The ordering of a fence, which may also be left out.
    Fence,
    /// The value of a variable, or of an argument of our own function, which hands the ordering on to an
    /// access.
    Value,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load => "load",
            Self::Store => "store",
            Self::Update => "update",
            Self::Failure => "failure",
            Self::Fence => "fence",
            Self::Value => "value",
        })
    }
}

/// An ordering found in the source, with its position and its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path of the file, relative to `src/`.
    pub file: String,
    /// The names of the type and the function, joined by `::`.
    pub function: String,
    /// The number of the ordering within its function, from 1 in the order of the text.
    pub ordinal: usize,
    /// The kind of access that the ordering belongs to, such as a load.
    pub access: Access,
    /// The ordering itself, as the source writes it.
    pub order: Order,
    /// The bytes of the ordering in the file, or of the whole call for a fence.
    pub bytes: Range<usize>,
}

impl Place {
    /// Returns the name of the function, in the form `file::function`.
    #[must_use]
    pub fn function(&self) -> String {
        format!("{}::{}", self.file, self.function)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}#{}", self.file, self.function, self.ordinal)
    }
}

/// Finds the orderings of every file below `src`, without those of tests.
///
/// # Errors
///
/// Fails if a file cannot be read or parsed, or has an ordering that cannot be replaced.
pub fn in_folder(src: &Path) -> Fallible<Vec<Place>> {
    let mut files = Vec::new();
    rust_files(src, &mut files)?;
    files.sort();
    let mut places = Vec::new();
    let mut tests = Vec::new();
    for path in &files {
        let name = path.strip_prefix(src)?.to_string_lossy().replace('\\', "/");
        let found = in_text(&name, &fs::read_to_string(path)?)
            .map_err(|error| format!("{name}: {error}"))?;
        let folder = modules_of(path);
        tests.extend(found.test_modules.iter().map(|module| folder.join(module)));
        places.push((path, found.places));
    }
    places.retain(|(path, _)| {
        let module = path.with_extension("");
        !tests.iter().any(|test| module.starts_with(test))
    });
    Ok(places.into_iter().flat_map(|(_, places)| places).collect())
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the folder that holds the modules declared in a file.
fn modules_of(file: &Path) -> PathBuf {
    let folder = file.parent().expect("a file is in a folder");
    match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib") => folder.to_path_buf(),
        _ => file.with_extension(""),
    }
}

/// The orderings of one file, and the modules that hold its tests.
#[derive(Debug, Default)]
pub struct Found {
    /// The orderings found, in the order of the text.
    pub places: Vec<Place>,
    /// The names of test modules that are in separate files.
    pub test_modules: Vec<String>,
}

/// Finds the orderings in the text of a file.
///
/// # Errors
///
/// Fails if the text cannot be parsed, or has an ordering that cannot be replaced because a constant or a
/// macro contains it.
pub fn in_text(file: &str, text: &str) -> Fallible<Found> {
    let parsed = syn::parse_file(text)?;
    let mut finder = Finder {
        file,
        names: Vec::new(),
        found: Found::default(),
        fixed: 0,
        refused: None,
    };
    finder.visit_file(&parsed);
    match finder.refused {
        Some(refused) => Err(refused.into()),
        None => Ok(finder.found),
    }
}

struct Finder<'a> {
    file: &'a str,
    /// The names of the types and functions that enclose the current place.
    names: Vec<String>,
    found: Found,
    /// The number of constants, statics and macros that enclose the current place.
    fixed: usize,
    refused: Option<String>,
}

impl Finder<'_> {
    fn inside(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.names.push(name);
        visit(self);
        self.names.pop();
    }

    fn fixed(&mut self, visit: impl FnOnce(&mut Self)) {
        self.fixed += 1;
        visit(self);
        self.fixed -= 1;
    }

    fn add(&mut self, access: Access, order: Order, bytes: Range<usize>) {
        let function = self.names.join("::");
        if self.fixed > 0 && order != Order::Relaxed {
            self.refused = Some(format!(
                "{order} in a constant or a macro of `{function}`: write it in a function, where it can be replaced"
            ));
        }
        let places = self.found.places.iter();
        let before = places.filter(|place| place.function == function).count();
        self.found.places.push(Place {
            file: self.file.to_owned(),
            function,
            ordinal: before + 1,
            access,
            order,
            bytes,
        });
    }

    /// Adds the expression if it names an ordering, and returns whether it does.
    fn add_if_ordering(&mut self, expr: &syn::Expr, access: Access) -> bool {
        let order = ordering(expr);
        if let Some(order) = order {
            self.add(access, order, expr.span().byte_range());
        }
        order.is_some()
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attrs = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Const(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if attrs.iter().any(is_for_tests) {
            if let syn::Item::Mod(module) = item {
                self.found.test_modules.push(module.ident.to_string());
            }
            return;
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // A module in a separate file is read from that file.
        if item.content.is_some() {
            self.inside(item.ident.to_string(), |this| {
                visit::visit_item_mod(this, item);
            });
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.inside(name_of(&item.self_ty), |this| {
            visit::visit_item_impl(this, item);
        });
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.inside(item.ident.to_string(), |this| {
            visit::visit_item_trait(this, item);
        });
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.inside(item.sig.ident.to_string(), |this| {
            visit::visit_item_fn(this, item);
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if item.attrs.iter().any(is_for_tests) {
            return;
        }
        self.inside(item.sig.ident.to_string(), |this| {
            visit::visit_impl_item_fn(this, item);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.inside(item.sig.ident.to_string(), |this| {
            visit::visit_trait_item_fn(this, item);
        });
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.fixed(|this| visit::visit_item_const(this, item));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.fixed(|this| visit::visit_item_static(this, item));
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.fixed(|this| visit::visit_impl_item_const(this, item));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.visit_expr(&call.receiver);
        let method = call.method.to_string();
        for (nth, argument) in call.args.iter().enumerate() {
            if !self.add_if_ordering(argument, access(&method, nth)) {
                self.visit_expr(argument);
            }
        }
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let order = call.args.first().and_then(ordering);
        match order {
            Some(order) if is_named(&call.func, "fence") => {
                self.add(Access::Fence, order, call.span().byte_range());
            }
            _ => visit::visit_expr_call(self, call),
        }
    }

    fn visit_expr(&mut self, expr: &'ast syn::Expr) {
        if !self.add_if_ordering(expr, Access::Value) {
            visit::visit_expr(self, expr);
        }
    }

    /// Skips patterns, because an ordering in a pattern orders no access.
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    /// Finds orderings in the tokens of a macro, where they cannot be replaced.
    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let tokens = mac.tokens.to_string();
        let words = tokens.split(|c: char| !c.is_alphanumeric() && c != '_');
        let orders = words.filter_map(Order::named).collect::<Vec<_>>();
        let bytes = mac.span().byte_range();
        self.fixed(|this| {
            for order in orders {
                this.add(Access::Value, order, bytes.clone());
            }
        });
    }
}

/// Returns the kind of access for which a method uses its argument number `nth`, from 0.
fn access(method: &str, nth: usize) -> Access {
    match (method, nth) {
        ("load", 0) => Access::Load,
        ("store", 1) => Access::Store,
        ("compare_exchange" | "compare_exchange_weak", 3)
        | ("fetch_update" | "try_update" | "update", 1) => Access::Failure,
        ("compare_exchange" | "compare_exchange_weak", 2)
        | ("fetch_update" | "try_update" | "update", 0) => Access::Update,
        ("swap", 1) => Access::Update,
        (method, 1) if method.starts_with("fetch_") => Access::Update,
        _ => Access::Value,
    }
}

/// Returns the ordering that an expression names, with or without the name of its type.
fn ordering(expr: &syn::Expr) -> Option<Order> {
    let syn::Expr::Path(path) = expr else {
        return None;
    };
    let segments = &path.path.segments;
    Order::named(&segments.last()?.ident.to_string())
}

fn is_named(func: &syn::Expr, name: &str) -> bool {
    let syn::Expr::Path(path) = func else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

/// Returns the last segment of a type's path, without generic arguments.
fn name_of(ty: &syn::Type) -> String {
    match ty {
        syn::Type::Path(path) => match path.path.segments.last() {
            Some(segment) => segment.ident.to_string(),
            None => "_".to_owned(),
        },
        syn::Type::Reference(reference) => name_of(&reference.elem),
        _ => "_".to_owned(),
    }
}

/// Returns whether an attribute removes its item from every build except that of tests.
fn is_for_tests(attr: &syn::Attribute) -> bool {
    attr.path().is_ident("cfg") && attr.parse_args().is_ok_and(|meta| needs_test(&meta))
}

fn needs_test(meta: &syn::Meta) -> bool {
    let inner = |list: &syn::MetaList| {
        let parse = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
        list.parse_args_with(parse).unwrap_or_default()
    };
    match meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => inner(list).iter().any(needs_test),
        syn::Meta::List(list) if list.path.is_ident("any") => inner(list).iter().all(needs_test),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, Access, Order)> {
        let found = in_text("cell.rs", text).expect("it is Rust");
        let places = found.places.into_iter();
        places
            .map(|place| (place.to_string(), place.access, place.order))
            .collect()
    }

    fn one(text: &str) -> (Access, Order) {
        let found = found(&format!("fn f() {{ {text} }}"));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        (found[0].1, found[0].2)
    }

    #[test]
    fn an_access_is_told_by_its_method() {
        let load = one("word.load(Ordering::Acquire);");
        assert_eq!(load, (Access::Load, Order::Acquire));
        let store = one("self.0.store(1, atomic::Ordering::Release);");
        assert_eq!(store, (Access::Store, Order::Release));
        assert_eq!(one("word.swap(1, AcqRel);").0, Access::Update);
        assert_eq!(one("word.fetch_or(1, Ordering::AcqRel);").0, Access::Update);
        let failure = one("word.compare_exchange(0, 1, order, Ordering::Acquire);");
        assert_eq!(failure, (Access::Failure, Order::Acquire));
        assert_eq!(one("fence(Ordering::SeqCst);").0, Access::Fence);
        assert_eq!(one("self.change(Ordering::Acquire, to);").0, Access::Value);
        assert_eq!(one("let o = Ordering::Release;").0, Access::Value);
    }

    #[test]
    fn a_place_is_named_by_type_function_and_number() {
        let text = "
            impl<T> Drop for Cell<T> {
                fn drop(&mut self) {
                    let held = self.0.load(Ordering::Relaxed);
                    move || self.0.compare_exchange(held, 0, Ordering::AcqRel, Ordering::Acquire);
                }
            }
            mod inner { fn f() { fn g() { WORD.load(Ordering::Acquire); } } }
        ";
        let names = found(text).into_iter().map(|(name, ..)| name);
        let expected = [
            "cell.rs::Cell::drop#1",
            "cell.rs::Cell::drop#2",
            "cell.rs::Cell::drop#3",
            "cell.rs::inner::f::g#1",
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_bytes_are_those_of_the_ordering_or_of_the_whole_fence() {
        let text = "fn f() { /* ä */ a.load(Ordering::Acquire); sync::fence(Ordering::Release); }";
        let places = in_text("a.rs", text).expect("it is Rust").places;
        let texts = places.iter().map(|place| &text[place.bytes.clone()]);
        let expected = ["Ordering::Acquire", "sync::fence(Ordering::Release)"];
        assert_eq!(texts.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn other_orderings_patterns_comments_and_tests_are_no_places() {
        let text = "
            /// `Ordering::Acquire`
            fn f() { match order { Ordering::Acquire => Ordering::Less, _ => cmp::Ordering::Equal }; }
            #[cfg(all(test, not(arcbus_loom)))]
            mod tests { fn f() { a.load(Ordering::Acquire); } }
            #[cfg(test)]
            fn g() { a.load(Ordering::Acquire); }
        ";
        assert_eq!(found(text), []);
        assert_eq!(
            found("#[cfg(not(test))] fn f() { a.load(Acquire); }").len(),
            1
        );
    }

    #[test]
    fn an_ordering_that_cannot_be_replaced_is_refused() {
        let constant = in_text("a.rs", "const O: Ordering = Ordering::Acquire;");
        assert!(constant.is_err());
        let in_macro = in_text("a.rs", "fn f() { assert!(a.load(Ordering::Acquire)); }");
        assert!(in_macro.is_err());
        let relaxed = in_text("a.rs", "fn f() { assert!(a.load(Ordering::Relaxed)); }");
        assert_eq!(relaxed.expect("nothing to weaken").places.len(), 1);
    }

    #[test]
    fn the_source_has_no_access_that_is_not_found() {
        let src = crate::root().join("src");
        let places = in_folder(&src).expect("the source can be read");
        let mut files = Vec::new();
        rust_files(&src, &mut files).expect("the source can be read");
        for path in files {
            let text = fs::read_to_string(&path).expect("it can be read");
            let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
            let (code, _) = code.split_once("#[cfg(all(test").unwrap_or((code, ""));
            let lines = code.lines().map(str::trim_start);
            let lines = lines.filter(|line| !line.starts_with("//"));
            let orders = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
            let orders = orders.map(|order| format!("Ordering::{order}"));
            let count = |line: &str| {
                orders
                    .iter()
                    .map(|order| line.matches(order).count())
                    .sum::<usize>()
            };
            let written: usize = lines.map(count).sum();
            let name = path.strip_prefix(&src).expect("below").to_string_lossy();
            let found = places.iter().filter(|place| place.file == name).count();
            let is_test = name.ends_with("tests.rs");
            assert!(is_test || found >= written, "{name}: {found} of {written}");
        }
    }
}
