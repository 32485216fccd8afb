//! Expands `#[derive(Command)]` and `#[derive(Query)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, GenericArgument, GenericParam, Generics,
    LitStr, Path, PathArguments, Result, Token, Type, TypeReference, parse_quote,
};

use crate::name;
use crate::options::{self, Library};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Command,
    Query,
}

pub(crate) fn expand(kind: Kind, input: &DeriveInput) -> Result<TokenStream> {
    let options = Options::of(input)?;
    options.check(kind)?;
    check_that_it_owns(input)?;
    let library = options.library.path();
    let ident = &input.ident;
    let generics = with_bounds(&input.generics);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let name = options.name(ident)?;
    let kind_ident = kind.ident();
    let reply = options.reply.unwrap_or_else(|| parse_quote!(()));
    let error = options
        .error
        .unwrap_or_else(|| parse_quote!(::core::convert::Infallible));
    let validate = options.validate.as_ref().map(|call| call.expand(&library));
    let classify = options.classify.as_ref().map(|call| call.expand(&library));
    let head = |name: &str| {
        let name = format_ident!("{name}");
        quote!(impl #impl_generics #library::#name for #ident #type_generics #where_clause)
    };
    let message = head("Message");
    let idempotent = options.idempotent.map(|_| {
        let idempotent = head("Idempotent");
        quote!(#idempotent {})
    });
    let key = idempotency_key(kind, input)?.map(|field| {
        quote! {
            impl #impl_generics #library::middleware::idempotency::HasIdempotencyKey
                for #ident #type_generics #where_clause
            {
                fn idempotency_key(
                    &self,
                ) -> ::core::option::Option<#library::middleware::idempotency::IdempotencyKey> {
                    #library::middleware::idempotency::ToIdempotencyKey::to_idempotency_key(#field)
                }
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        #message {
            const NAME: &'static str = #name;
            type Kind = #library::#kind_ident;
            type Reply = #reply;
            type Error = #error;
            #validate
            #classify
        }
        #idempotent
        #key
    })
}

impl Kind {
    fn ident(self) -> Ident {
        match self {
            Self::Command => format_ident!("Command"),
            Self::Query => format_ident!("Query"),
        }
    }
}

/// The options of `#[message(..)]`.
#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    reply: Option<Type>,
    error: Option<Type>,
    validate: Option<Validate>,
    classify: Option<Classify>,
    idempotent: Option<Span>,
    library: Library,
}

const KNOWN: [&str; 8] = [
    "name",
    "reply",
    "error",
    "validate",
    "garde",
    "classify",
    "idempotent",
    "crate",
];

impl Options {
    fn of(input: &DeriveInput) -> Result<Self> {
        let mut options = Self::default();
        for attribute in of_message(&input.attrs) {
            attribute.parse_nested_meta(|meta| options.add(&meta))?;
        }
        Ok(options)
    }

    fn add(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let option = options::name_of(meta).map_err(|_| options::unknown(meta, &KNOWN))?;
        match option.to_string().as_str() {
            "name" => {
                let name = options::value(meta, r#"name = "user.create""#)?;
                options::set(&mut self.name, meta, name)
            }
            "reply" => {
                let reply = options::value(meta, "reply = Type")?;
                options::set(&mut self.reply, meta, reply)
            }
            "error" => {
                let error = options::value(meta, "error = Type")?;
                options::set(&mut self.error, meta, error)
            }
            "validate" => {
                let path = options::value(meta, "validate = Self::check")?;
                self.set_validate(meta, Validate::By(path))
            }
            "garde" => {
                let at = options::alone(meta)?;
                self.set_validate(meta, Validate::ByGarde(at))
            }
            "classify" => {
                let classify = Classify::of(meta, option.span())?;
                options::set(&mut self.classify, meta, classify)
            }
            "idempotent" => {
                let at = options::alone(meta)?;
                options::set(&mut self.idempotent, meta, at)
            }
            "crate" => self.library.set(meta),
            _ => Err(options::unknown(meta, &KNOWN)),
        }
    }

    fn set_validate(&mut self, meta: &ParseNestedMeta<'_>, validate: Validate) -> Result<()> {
        if matches!(validate, Validate::ByGarde(_)) && !cfg!(feature = "garde") {
            return Err(meta.error(
                r#"`garde` needs the feature of that name: write `arcbus = { version = "..", features = ["garde"] }` in Cargo.toml"#,
            ));
        }
        let is_other =
            |first: &Validate| std::mem::discriminant(first) != std::mem::discriminant(&validate);
        if self.validate.as_ref().is_some_and(is_other) {
            return Err(meta.error(
                "`validate` and `garde` both check the message: leave `garde` out, and call \
                 `arcbus::middleware::validation::by_garde(self)` in the function",
            ));
        }
        options::set(&mut self.validate, meta, validate)
    }

    fn check(&self, kind: Kind) -> Result<()> {
        match self.idempotent {
            Some(at) if kind == Kind::Query => Err(Error::new(
                at,
                "`idempotent` is for commands: a query changes nothing and may be repeated, so leave it out",
            )),
            _ => Ok(()),
        }
    }

    fn name(&self, ident: &Ident) -> Result<LitStr> {
        let default = name::of_type(&ident.unraw().to_string());
        match &self.name {
            Some(name) if name.value().trim().is_empty() => Err(Error::new(
                name.span(),
                format!(
                    "the name of a message is not blank: leave `name` out for \"{default}\", which is made of the \
                     words of the type's name, the first word last"
                ),
            )),
            Some(name) => Ok(name.clone()),
            None => Ok(LitStr::new(&default, ident.span())),
        }
    }
}

/// Returns the path of the library, by `#[message(crate = "..")]`.
pub(crate) fn library(input: &DeriveInput) -> Result<TokenStream> {
    Options::of(input).map(|options| options.library.path())
}

/// The way in which `Message::validate` checks the message.
enum Validate {
    By(Path),
    ByGarde(Span),
}

impl Validate {
    fn expand(&self, library: &TokenStream) -> TokenStream {
        let call = match self {
            Self::By(path) => quote!(#path(self)),
            Self::ByGarde(at) => {
                quote_spanned!(*at=> #library::middleware::validation::by_garde(self))
            }
        };
        quote! {
            fn validate(&self) -> ::core::result::Result<(), #library::Violations> {
                #call
            }
        }
    }
}

/// The way in which `Message::classify` classifies an error.
enum Classify {
    By(Path),
    Itself(Span),
}

impl Classify {
    fn of(meta: &ParseNestedMeta<'_>, at: Span) -> Result<Self> {
        if meta.input.peek(Token![=]) {
            options::value(meta, "classify = path").map(Self::By)
        } else {
            options::alone(meta).map(|_| Self::Itself(at))
        }
    }

    fn expand(&self, library: &TokenStream) -> TokenStream {
        let call = match self {
            Self::By(path) => quote!(#path(error)),
            Self::Itself(at) => quote_spanned!(*at=> #library::Classify::classify(error)),
        };
        quote! {
            fn classify(error: &Self::Error) -> #library::Class {
                #call
            }
        }
    }
}

/// Returns the `#[message(..)]` attributes among `attributes`.
pub(crate) fn of_message(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("message"))
}

/// Adds the bounds that a message needs to each type parameter.
pub(crate) fn with_bounds(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::core::marker::Send));
        parameter.bounds.push(parse_quote!(::core::marker::Sync));
        parameter.bounds.push(parse_quote!('static));
    }
    generics
}

/// Checks that the message borrows nothing, because a message must be `'static`.
fn check_that_it_owns(input: &DeriveInput) -> Result<()> {
    for parameter in &input.generics.params {
        if let GenericParam::Lifetime(parameter) = parameter {
            return Err(Error::new(
                parameter.lifetime.span(),
                "a message owns all it carries, since its handler may run on another thread: use `String` \
                 instead of `&str`, `Vec<T>` or `Arc<T>` instead of `&T`",
            ));
        }
    }
    for field in fields(&input.data) {
        if let Some(attribute) = of_message(&field.attrs).next() {
            return Err(Error::new_spanned(
                attribute,
                "`#[message(..)]` stands on the type, not on a field: move it before `struct` or `enum`",
            ));
        }
        if let Some(reference) = borrowed(&field.ty) {
            return Err(Error::new_spanned(
                reference,
                "a message owns all it carries: use `String` instead of `&str`, `Vec<T>` or `Arc<T>` instead of \
                 `&T`, or a reference that is `&'static`",
            ));
        }
    }
    Ok(())
}

/// Finds a reference in a type that is not `'static`.
fn borrowed(ty: &Type) -> Option<&TypeReference> {
    match ty {
        Type::Reference(reference) => match &reference.lifetime {
            Some(lifetime) if lifetime.ident == "static" => borrowed(&reference.elem),
            _ => Some(reference),
        },
        Type::Array(array) => borrowed(&array.elem),
        Type::Slice(slice) => borrowed(&slice.elem),
        Type::Paren(paren) => borrowed(&paren.elem),
        Type::Group(group) => borrowed(&group.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(borrowed),
        Type::Path(path) => path.path.segments.iter().find_map(|segment| {
            let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
                return None;
            };
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => borrowed(ty),
                _ => None,
            })
        }),
        _ => None,
    }
}

/// Returns all fields of a type, whether it is a struct, an enum or a union.
pub(crate) fn fields(data: &Data) -> Vec<&Field> {
    match data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|v| &v.fields).collect(),
        Data::Union(data) => data.fields.named.iter().collect(),
    }
}

/// Returns the expression of the field that is marked `#[idempotency_key]`.
fn idempotency_key(kind: Kind, input: &DeriveInput) -> Result<Option<TokenStream>> {
    let found = marked(input, "idempotency_key")?;
    let Some((_, attribute)) = found.first() else {
        return Ok(None);
    };
    if kind == Kind::Query {
        return Err(Error::new_spanned(
            attribute,
            "`#[idempotency_key]` is for commands: a query changes nothing, so leave it out",
        ));
    }
    if let Some((_, second)) = found.get(1) {
        return Err(Error::new_spanned(
            second,
            "a command has one `#[idempotency_key]`: leave it on one of the fields",
        ));
    }
    let member = &found[0].0;
    Ok(Some(quote_spanned!(span_of(member)=> &self.#member)))
}

fn span_of(member: &syn::Member) -> Span {
    match member {
        syn::Member::Named(ident) => ident.span(),
        syn::Member::Unnamed(index) => index.span,
    }
}

/// Finds the fields of a struct that have an attribute.
///
/// # Errors
///
/// Returns an error if the attribute stands on the type, on a variant, or on a field of a variant.
pub(crate) fn marked<'a>(
    input: &'a DeriveInput,
    name: &str,
) -> Result<Vec<(syn::Member, &'a Attribute)>> {
    let find = |attributes: &'a [Attribute]| {
        attributes
            .iter()
            .find(|attribute| attribute.path().is_ident(name))
    };
    let misplaced = match &input.data {
        Data::Enum(data) => data.variants.iter().find_map(|variant| {
            let in_fields = || variant.fields.iter().find_map(|field| find(&field.attrs));
            find(&variant.attrs).or_else(in_fields)
        }),
        _ => None,
    };
    if let Some(attribute) = find(&input.attrs).or(misplaced) {
        return Err(Error::new_spanned(
            attribute,
            format!("`#[{name}]` marks a field of a struct: move it before the field"),
        ));
    }
    let Data::Struct(data) = &input.data else {
        return Ok(Vec::new());
    };
    let found = members(&data.fields).filter_map(|(member, field)| {
        let attribute = find(&field.attrs)?;
        Some((member, attribute))
    });
    let found: Vec<_> = found.collect();
    for (_, attribute) in &found {
        attribute.meta.require_path_only().map_err(|error| {
            let text = format!("`#[{name}]` takes no options: write `#[{name}]`");
            Error::new(error.span(), text)
        })?;
    }
    Ok(found)
}

/// Returns the fields of a type, each with its name or its number.
pub(crate) fn members(fields: &Fields) -> impl Iterator<Item = (syn::Member, &Field)> {
    fields.members().zip(fields)
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::{Kind, expand};

    #[test]
    fn a_derive_expands_to_the_handwritten_code() {
        let derived = expand(
            Kind::Command,
            &parse_quote! {
                #[message(reply = User, error = UserError, validate = Self::check, classify, idempotent)]
                struct CreateUser<T: Name> {
                    name: T,
                }
            },
        );
        let written = quote! {
            #[automatically_derived]
            impl<
                T: Name + ::core::marker::Send + ::core::marker::Sync + 'static
            > ::arcbus::Message for CreateUser<T> {
                const NAME: &'static str = "user.create";
                type Kind = ::arcbus::Command;
                type Reply = User;
                type Error = UserError;

                fn validate(&self) -> ::core::result::Result<(), ::arcbus::Violations> {
                    Self::check(self)
                }

                fn classify(error: &Self::Error) -> ::arcbus::Class {
                    ::arcbus::Classify::classify(error)
                }
            }

            impl<
                T: Name + ::core::marker::Send + ::core::marker::Sync + 'static
            > ::arcbus::Idempotent for CreateUser<T> {}
        };
        assert_eq!(
            derived.expect("no mistake").to_string(),
            written.to_string()
        );
    }

    #[test]
    #[cfg(not(feature = "garde"))]
    fn the_option_garde_names_the_feature_that_it_needs() {
        let refused = expand(
            Kind::Command,
            &parse_quote! {
                #[message(garde)]
                struct CreateUser;
            },
        );
        let text = refused.expect_err("the feature is off").to_string();
        assert!(text.contains(r#"features = ["garde"]"#), "{text}");
    }

    #[test]
    fn references_are_found_where_a_message_would_borrow() {
        let is_borrowed = |ty| super::borrowed(&ty).is_some();
        assert!(is_borrowed(parse_quote!(&str)));
        assert!(is_borrowed(parse_quote!(Option<(u8, [&'a str; 2])>)));
        assert!(is_borrowed(parse_quote!(&'static [&'a str])));
        assert!(!is_borrowed(parse_quote!(&'static str)));
        assert!(!is_borrowed(parse_quote!(fn(&str) -> u8)));
        assert!(!is_borrowed(parse_quote!(Box<dyn Fn(&str) + Send + Sync>)));
    }
}
