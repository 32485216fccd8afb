//! Expands `#[derive(Classify)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Member, Result, Type, Variant, parse_quote,
};

use crate::message::members;
use crate::options::{self, Library};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let library = library(input)?;
    let classes = classes(input)?;
    let ident = &input.ident;
    let mut generics = input.generics.clone();
    if generics.type_params().next().is_some() {
        let nested = classes.iter().filter_map(|(_, class)| class.nested());
        let bounds = nested.map(|ty| parse_quote!(#ty: #library::Classify));
        generics
            .make_where_clause()
            .predicates
            .extend(bounds.collect::<Vec<syn::WherePredicate>>());
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let arms = classes
        .iter()
        .map(|(name, class)| class.arm(name, &library));
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #library::Classify for #ident #type_generics #where_clause {
            fn classify(&self) -> #library::Class {
                match *self {
                    #(#arms)*
                }
            }
        }
    })
}

fn library(input: &DeriveInput) -> Result<TokenStream> {
    let mut library = Library::default();
    for attribute in &input.attrs {
        if attribute.path().is_ident("classify") {
            attribute.parse_nested_meta(|meta| match meta.path.is_ident("crate") {
                true => library.set(&meta),
                false => Err(options::unknown(&meta, &["crate"])),
            })?;
        }
    }
    Ok(library.path())
}

/// The class that an attribute gives to a variant.
enum Class<'a> {
    Known(&'static str),
    Nested(Member, &'a Field),
}

impl Class<'_> {
    fn nested(&self) -> Option<&Type> {
        match self {
            Self::Known(_) => None,
            Self::Nested(_, field) => Some(&field.ty),
        }
    }

    /// Generates the arm of the match for a variant, or for a struct.
    fn arm(&self, name: &TokenStream, library: &TokenStream) -> TokenStream {
        match self {
            Self::Known(class) => {
                let class = Ident::new(class, Span::call_site());
                quote!(#name { .. } => #library::Class::#class,)
            }
            Self::Nested(member, field) => {
                let class = quote_spanned!(field.ty.span()=> #library::Classify::classify(inner));
                quote!(#name { #member: ref inner, .. } => #class,)
            }
        }
    }
}

/// Returns the class of each variant, where a struct counts as its only variant.
fn classes(input: &DeriveInput) -> Result<Vec<(TokenStream, Class<'_>)>> {
    let misplaced = Mark::of(&input.attrs)?;
    match (&input.data, misplaced) {
        (Data::Struct(data), mark) => {
            let class = class(mark, &data.fields, &input.ident)?;
            let class = class.ok_or_else(|| none_is_marked(&input.ident, "this error"))?;
            Ok(vec![(quote!(Self), class)])
        }
        (Data::Enum(_), Some(mark)) => Err(Error::new_spanned(
            mark.attribute,
            format!(
                "`#[{0}]` of an enum stands on its variants: write `#[{0}]` before each that is",
                mark.name
            ),
        )),
        (Data::Enum(data), None) => {
            let mut is_any_marked = data.variants.is_empty();
            let mut classes = Vec::new();
            for variant in &data.variants {
                let Variant {
                    ident,
                    attrs,
                    fields,
                    ..
                } = variant;
                let class = class(Mark::of(attrs)?, fields, ident)?;
                is_any_marked |= class.is_some();
                classes.push((
                    quote!(Self::#ident),
                    class.unwrap_or(Class::Known("Unclassified")),
                ));
            }
            match is_any_marked {
                true => Ok(classes),
                false => Err(none_is_marked(&input.ident, "any of its variants")),
            }
        }
        (Data::Union(_), _) => Err(Error::new_spanned(
            &input.ident,
            "`Classify` is for an enum or a struct",
        )),
    }
}

fn none_is_marked(ident: &Ident, of: &str) -> Error {
    Error::new(
        ident.span(),
        format!(
            "`{ident}` does not say whether another try after {of} can succeed: write `#[transient]`, \
             `#[permanent]` or `#[nested]` before it, or leave `Classify` out"
        ),
    )
}

/// Returns the class of a variant, if an attribute of the variant or of a field sets one.
fn class<'a>(
    mark: Option<Mark<'_>>,
    fields: &'a Fields,
    ident: &Ident,
) -> Result<Option<Class<'a>>> {
    let mut nested = None;
    for (member, field) in members(fields) {
        let Some(inner) = Mark::of(&field.attrs)? else {
            continue;
        };
        if inner.name != "nested" {
            let text = format!(
                "`#[{}]` stands on a variant, not on a field of it",
                inner.name
            );
            return Err(Error::new_spanned(inner.attribute, text));
        }
        if nested.is_some() || mark.is_some() {
            return Err(twice(inner.attribute));
        }
        nested = Some(Class::Nested(member, field));
    }
    match mark {
        None => Ok(nested),
        Some(Mark {
            name: "transient", ..
        }) => Ok(Some(Class::Known("Transient"))),
        Some(Mark {
            name: "permanent", ..
        }) => Ok(Some(Class::Known("Permanent"))),
        Some(mark) => {
            let mut all = members(fields);
            let (Some((member, field)), None) = (all.next(), all.next()) else {
                return Err(Error::new_spanned(
                    mark.attribute,
                    format!(
                        "`#[nested]` asks the error inside, and `{ident}` has {} fields: write `#[nested]` before \
                         the field that is the error, or `#[transient]` or `#[permanent]` here",
                        fields.len()
                    ),
                ));
            };
            Ok(Some(Class::Nested(member, field)))
        }
    }
}

/// An attribute with the class of a variant.
struct Mark<'a> {
    name: &'static str,
    attribute: &'a Attribute,
}

impl<'a> Mark<'a> {
    /// Returns the mark among some attributes, if there is one.
    fn of(attributes: &'a [Attribute]) -> Result<Option<Self>> {
        let mut found = None;
        for attribute in attributes {
            let is = |name: &&str| attribute.path().is_ident(name);
            let Some(name) = ["transient", "permanent", "nested"].into_iter().find(is) else {
                continue;
            };
            attribute.meta.require_path_only().map_err(|_| {
                let text = format!("`#[{name}]` takes no options: write `#[{name}]`");
                Error::new_spanned(attribute, text)
            })?;
            if found.replace(Self { name, attribute }).is_some() {
                return Err(twice(attribute));
            }
        }
        Ok(found)
    }
}

fn twice(attribute: impl ToTokens) -> Error {
    Error::new_spanned(
        attribute,
        "an error has one class: leave one of `#[transient]`, `#[permanent]` and `#[nested]`",
    )
}
