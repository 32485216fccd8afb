//! Expands `#[derive(Cacheable)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Index, Member, Result, Type, Visibility, parse_quote,
};

use crate::message::{self, marked, members, with_bounds};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let library = message::library(input)?;
    let marked = marked(input, "key")?;
    let keys = keys(input, &marked);
    match &*keys {
        [] => Ok(implement(input, &library, &quote!(Self), &quote!(self))),
        [key] => {
            let (ty, member) = (key.ty, &key.member);
            Ok(implement(
                input,
                &library,
                &quote!(#ty),
                &quote!(&self.#member),
            ))
        }
        several => of_several(input, &library, several),
    }
}

/// Returns the fields of a query that are marked with `#[key]`.
fn keys<'a>(input: &'a DeriveInput, marked: &[(Member, &Attribute)]) -> Vec<Key<'a>> {
    let Data::Struct(data) = &input.data else {
        return Vec::new();
    };
    let is_marked = |member: &Member| marked.iter().any(|(found, _)| found == member);
    members(&data.fields)
        .filter(|(member, _)| is_marked(member))
        .map(|(member, field)| Key {
            member,
            ty: &field.ty,
            visibility: &field.vis,
        })
        .collect()
}

/// A field of the query that is part of the key.
struct Key<'a> {
    member: Member,
    ty: &'a Type,
    visibility: &'a Visibility,
}

/// Generates the impl for a key that is borrowed from the query without a copy.
fn implement(
    input: &DeriveInput,
    library: &TokenStream,
    key: &TokenStream,
    borrow: &TokenStream,
) -> TokenStream {
    let ident = &input.ident;
    let mut generics = with_bounds(&input.generics);
    if generics.type_params().next().is_some() {
        let (_, type_generics, _) = input.generics.split_for_impl();
        let clause = generics.make_where_clause();
        clause.predicates.push(parse_quote! {
            <#ident #type_generics as #library::Message>::Reply: #library::bounds::ReplyClone
        });
        clause
            .predicates
            .push(parse_quote!(#key: #library::bounds::LookupKey));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::middleware::Cacheable for #ident #type_generics #where_clause {
            type Key = #key;
            fn key(&self) -> &Self::Key {
                #borrow
            }
        }
    }
}

/// Generates a struct with the fields of the key, and an impl that borrows the key from the query. The
/// borrowed key is a trait object, which the query and the struct both implement, and which is hashed and
/// compared by its parts.
fn of_several(input: &DeriveInput, library: &TokenStream, keys: &[Key<'_>]) -> Result<TokenStream> {
    check_names(input, &keys[1])?;
    let query = &input.ident;
    let owned = format_ident!("{query}Key");
    let parts = format_ident!("{query}KeyParts");
    let names: Vec<_> = keys.iter().map(|key| &key.member).collect();
    let types: Vec<_> = keys.iter().map(|key| key.ty).collect();
    let visibilities: Vec<_> = keys.iter().map(|key| key.visibility).collect();
    let indices: Vec<_> = (0..keys.len()).map(Index::from).collect();
    let docs: Vec<_> = names
        .iter()
        .map(|name| format!("The field `{}` of [`{query}`].", name.to_token_stream()))
        .collect();
    let doc = format!("The key of replies to [`{query}`]: its fields with `#[key]`.");
    let parts_doc = format!("A [`{query}`] or a [`{owned}`], as a key.");
    let visibility = &input.vis;
    let implement = implement(input, library, &quote!(dyn #parts), &quote!(self));
    Ok(quote! {
        #[doc = #doc]
        #[derive(Clone, PartialEq, Eq, Hash)]
        #visibility struct #owned {
            #(#[doc = #docs] #visibilities #names: #types,)*
        }

        #[doc = #parts_doc]
        #visibility trait #parts: ::core::marker::Send + ::core::marker::Sync {
            /// Returns the fields of the key, in their order.
            fn parts(&self) -> (#(&#types,)*);
        }

        #[allow(dead_code)]
        impl dyn #parts {
            #(
                #[doc = #docs]
                #visibilities fn #names(&self) -> &#types {
                    self.parts().#indices
                }
            )*
        }

        impl #parts for #query {
            fn parts(&self) -> (#(&#types,)*) {
                (#(&self.#names,)*)
            }
        }

        impl #parts for #owned {
            fn parts(&self) -> (#(&#types,)*) {
                (#(&self.#names,)*)
            }
        }

        impl ::core::hash::Hash for dyn #parts {
            fn hash<H: ::core::hash::Hasher>(&self, state: &mut H) {
                ::core::hash::Hash::hash(&self.parts(), state);
            }
        }

        impl ::core::cmp::PartialEq for dyn #parts {
            fn eq(&self, other: &Self) -> bool {
                self.parts() == other.parts()
            }
        }

        impl ::core::cmp::Eq for dyn #parts {}

        impl ::core::borrow::Borrow<dyn #parts> for #owned {
            fn borrow(&self) -> &(dyn #parts + 'static) {
                self
            }
        }

        impl ::std::borrow::ToOwned for dyn #parts {
            type Owned = #owned;
            fn to_owned(&self) -> #owned {
                #owned { #(#names: ::core::clone::Clone::clone(self.parts().#indices),)* }
            }
        }

        #implement
    })
}

/// Checks that the generated struct can have the names and types of the key's fields.
fn check_names(input: &DeriveInput, second: &Key<'_>) -> Result<()> {
    let reason = match second.member {
        Member::Named(_) if input.generics.params.is_empty() => return Ok(()),
        Member::Named(_) => "is generic",
        Member::Unnamed(_) => "has fields without names",
    };
    Err(Error::new_spanned(
        second.ty,
        format!(
            "`{}` {reason}, so it has one `#[key]`: put the fields of the key into a struct that derives \
             `Clone, PartialEq, Eq, Hash`, and that into the query",
            input.ident
        ),
    ))
}
