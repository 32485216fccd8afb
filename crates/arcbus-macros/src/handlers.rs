//! Expands `#[handlers(Command)]` and `#[handler]`.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, ImplItem, ImplItemFn, ItemImpl, PathArguments, Result, ReturnType,
    Type,
};

use crate::options::{self, Library};

pub(crate) fn expand(options: TokenStream, block: TokenStream) -> Result<TokenStream> {
    let mut block = parse_block(block)?;
    let marked = take_marks(&mut block);
    let handlers = Options::parse(options)
        .and_then(|options| implement(&block, &marked, &options))
        .unwrap_or_else(|error| error.to_compile_error());
    Ok(quote! {
        #block
        #handlers
    })
}

/// Generates the impls of `Handler` and of `Service` for the marked methods.
fn implement(
    block: &ItemImpl,
    marked: &[(usize, Attribute)],
    options: &Options,
) -> Result<TokenStream> {
    let mut methods: Vec<Method> = Vec::new();
    for (index, mark) in marked {
        let ImplItem::Fn(function) = &block.items[*index] else {
            return Err(Error::new_spanned(
                mark,
                "`#[handler]` stands before a method",
            ));
        };
        mark.meta.require_path_only().map_err(|_| {
            let text = "`#[handler]` takes no options: the method's argument says which message it handles";
            Error::new_spanned(mark, text)
        })?;
        let method = Method::of(function)?;
        check_that_it_is_new(&method, &methods)?;
        methods.push(method);
    }
    if methods.is_empty() {
        return Err(Error::new_spanned(
            &block.self_ty,
            "no method of this block has `#[handler]`: write it before each method that handles a message",
        ));
    }
    let library = options.library.path();
    let handlers = methods.iter().map(|method| method.expand(block, &library));
    let service = service(block, &options.kind, &methods, &library);
    Ok(quote! {
        #(#handlers)*
        #service
    })
}

/// Returns the compile error for a `#[handler]` outside every `#[handlers]` block.
pub(crate) fn handler_alone(item: &TokenStream) -> TokenStream {
    let error = Error::new(
        proc_macro2::Span::call_site(),
        "`#[handler]` stands inside a block with `#[handlers]`: write `#[arcbus::handlers(Command)]` or \
         `#[arcbus::handlers(Query)]` before the `impl`",
    );
    let error = error.to_compile_error();
    quote!(#error #item)
}

/// The options of `#[handlers(..)]`.
struct Options {
    kind: Ident,
    library: Library,
}

const KINDS: [&str; 2] = ["Command", "Query"];

impl Options {
    fn parse(options: TokenStream) -> Result<Self> {
        let (mut kind, mut library) = (None, Library::default());
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("crate") {
                return library.set(&meta);
            }
            let found = kind_of(&meta)?;
            match &kind {
                Some(kind) => Err(meta.error(format!(
                    "a block has handlers of one kind, and this one has `{kind}`: write a second block with \
                     `#[handlers({found})]`"
                ))),
                None => {
                    kind = Some(found);
                    Ok(())
                }
            }
        });
        parser.parse2(options)?;
        let kind = kind.ok_or_else(|| {
            Error::new(
                proc_macro2::Span::call_site(),
                "a block has handlers of one kind: write `#[handlers(Command)]` or `#[handlers(Query)]`",
            )
        })?;
        Ok(Self { kind, library })
    }
}

fn kind_of(meta: &ParseNestedMeta<'_>) -> Result<Ident> {
    match KINDS.iter().any(|kind| meta.path.is_ident(kind)) {
        true => options::alone(meta).and_then(|_| options::name_of(meta)),
        false => Err(options::unknown(meta, &["Command", "Query", "crate"])),
    }
}

fn parse_block(block: TokenStream) -> Result<ItemImpl> {
    let mut tokens = block.clone().into_iter();
    if !tokens.any(|token| token.to_string() == "impl") {
        return Err(Error::new_spanned(
            block,
            "`#[handlers]` stands before a block of methods: write `impl Service { .. }`",
        ));
    }
    let block: ItemImpl = syn::parse2(block)?;
    match &block.trait_ {
        Some((name, _)) => Err(Error::new_spanned(
            name,
            "`#[handlers]` stands before the type's own methods, not before those of a trait: write \
             `impl Service { .. }`, or `impl Handler<M> for Service` without `#[handlers]`",
        )),
        None => Ok(block),
    }
}

/// Removes `#[handler]` from the items of a block, and returns each with the index of its item.
fn take_marks(block: &mut ItemImpl) -> Vec<(usize, Attribute)> {
    let is_mark = |attribute: &Attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| last.ident == "handler")
    };
    let mut marks = Vec::new();
    for (index, item) in block.items.iter_mut().enumerate() {
        let attributes = match item {
            ImplItem::Fn(function) => &mut function.attrs,
            ImplItem::Const(constant) => &mut constant.attrs,
            ImplItem::Type(ty) => &mut ty.attrs,
            _ => continue,
        };
        let taken = attributes.extract_if(.., |attribute| is_mark(attribute));
        marks.extend(taken.map(|mark| (index, mark)));
    }
    marks
}

/// Checks that no other method of the block handles this method's message.
fn check_that_it_is_new(method: &Method, others: &[Method]) -> Result<()> {
    let name = method.message.to_token_stream().to_string();
    let same = |other: &&Method| other.message.to_token_stream().to_string() == name;
    match others.iter().find(same) {
        None => Ok(()),
        Some(other) => Err(Error::new_spanned(
            &method.message,
            format!(
                "`{}` handles `{name}` already, and a message has one handler: leave one of the two out, or give \
                 this one a message of its own",
                other.name
            ),
        )),
    }
}

/// A method of the block that handles a message, as its `#[handler]` says.
struct Method {
    name: Ident,
    message: Type,
    /// The type that the method returns, which must be a `Result`.
    output: Type,
    takes_context: bool,
    is_async: bool,
    /// The attributes, such as `#[cfg(..)]`, on which the existence of the method depends.
    conditions: Vec<Attribute>,
}

impl Method {
    fn of(function: &ImplItemFn) -> Result<Self> {
        let signature = &function.sig;
        let name = &signature.ident;
        if let Some(parameter) = signature.generics.type_params().next() {
            return Err(Error::new_spanned(
                parameter,
                "a handler is of one message type: leave the type parameter out, or put it on the `impl`",
            ));
        }
        let mut inputs = signature.inputs.iter();
        check_receiver(inputs.next(), name)?;
        let rest: Vec<_> = inputs
            .filter_map(|input| match input {
                FnArg::Typed(argument) => Some(&*argument.ty),
                FnArg::Receiver(_) => None,
            })
            .collect();
        let (message, takes_context) = arguments(&rest, name)?;
        let ReturnType::Type(_, output) = &signature.output else {
            return Err(Error::new_spanned(
                name,
                format!(
                    "`{name}` returns nothing: write `-> Result<Reply, Error>`, the reply and error of its message"
                ),
            ));
        };
        let is_condition = |attribute: &&Attribute| attribute.path().is_ident("cfg");
        Ok(Self {
            name: name.clone(),
            message: message.clone(),
            output: (**output).clone(),
            takes_context,
            is_async: signature.asyncness.is_some(),
            conditions: function
                .attrs
                .iter()
                .filter(is_condition)
                .cloned()
                .collect(),
        })
    }

    /// Generates the impl of `Handler` that calls the method with the message and the context.
    fn expand(&self, block: &ItemImpl, library: &TokenStream) -> TokenStream {
        let Self {
            name,
            message,
            output,
            conditions,
            ..
        } = self;
        let service = &block.self_ty;
        let (impl_generics, _, where_clause) = block.generics.split_for_impl();
        let (context, call) = match self.takes_context {
            true => (
                quote!(cx),
                quote_spanned!(name.span()=> Self::#name(self, msg, cx)),
            ),
            false => (
                quote!(_cx),
                quote_spanned!(name.span()=> Self::#name(self, msg)),
            ),
        };
        let call = match self.is_async {
            true => call,
            false => quote!(::core::future::ready(#call)),
        };
        let future = quote_spanned! {output.span()=>
            impl ::core::future::Future<
                Output = ::core::result::Result<
                    <#message as #library::Message>::Reply,
                    <#message as #library::Message>::Error,
                >,
            > + ::core::marker::Send
        };
        quote! {
            #(#conditions)*
            #[automatically_derived]
            impl #impl_generics #library::Handler<#message> for #service #where_clause {
                #[inline(always)]
                fn handle(&self, msg: #message, #context: &#library::Context<'_>) -> #future {
                    #call
                }
            }
        }
    }
}

fn check_receiver(first: Option<&FnArg>, name: &Ident) -> Result<()> {
    let FnArg::Receiver(receiver) = first.ok_or_else(|| no_receiver(name.span(), name))? else {
        return Err(no_receiver(first.span(), name));
    };
    let text = receiver.to_token_stream().to_string().replace(' ', "");
    match &*text {
        "&self" => Ok(()),
        _ => Err(Error::new_spanned(
            receiver,
            "a handler takes `&self`, since several dispatches run it at a time: put what changes into a `Mutex` or \
             an atomic",
        )),
    }
}

fn no_receiver(at: proc_macro2::Span, name: &Ident) -> Error {
    Error::new(
        at,
        format!("a handler is a method: write `{name}(&self, msg: Message)`"),
    )
}

/// Returns the message type, and whether a context follows the message.
fn arguments<'a>(types: &[&'a Type], name: &Ident) -> Result<(&'a Type, bool)> {
    let (message, context) = match types {
        [] => {
            return Err(Error::new_spanned(
                name,
                format!("`{name}` takes no message: write `{name}(&self, msg: Message)`"),
            ));
        }
        [message] => (message, None),
        [message, context] => (message, Some(context)),
        [_, _, third, ..] => {
            return Err(Error::new_spanned(
                third,
                format!(
                    "a handler takes a message and a context: write `{name}(&self, msg: Message, cx: &Context<'_>)`"
                ),
            ));
        }
    };
    if is_context(message) {
        return Err(Error::new_spanned(
            message,
            format!(
                "the context comes last: write `{name}(&self, msg: Message, cx: &Context<'_>)`"
            ),
        ));
    }
    if let Type::Reference(reference) = message {
        let owned = reference.elem.to_token_stream();
        return Err(Error::new_spanned(
            message,
            format!("a handler takes its message by value: write `msg: {owned}`"),
        ));
    }
    if let Some(context) = context
        && !matches!(context, Type::Reference(_))
    {
        return Err(Error::new_spanned(
            context,
            "after the message comes the context, by reference: write `cx: &Context<'_>`",
        ));
    }
    Ok((message, context.is_some()))
}

fn is_context(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => is_context(&reference.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            last.ident == "Context" && !matches!(last.arguments, PathArguments::Parenthesized(_))
        }),
        _ => false,
    }
}

/// Generates the impl of `Service`, which registers each method of the block as a handler.
fn service(
    block: &ItemImpl,
    kind: &Ident,
    methods: &[Method],
    library: &TokenStream,
) -> TokenStream {
    let service = &block.self_ty;
    let layers = format_ident!("__Layers");
    let mut generics = block.generics.clone();
    generics.params.push(syn::parse_quote!(#layers));
    let clause = generics.make_where_clause();
    for Method { message, .. } in methods {
        clause
            .predicates
            .push(syn::parse_quote!(#layers: #library::Stack<#message>));
    }
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let register = methods.iter().map(
        |Method {
             message,
             conditions,
             ..
         }| {
            quote! {
                #(#conditions)*
                batch.register::<#message, _>(::std::sync::Arc::clone(service));
            }
        },
    );
    quote! {
        #[automatically_derived]
        impl #impl_generics #library::Service<#library::#kind, #layers> for #service #where_clause {
            fn register(
                service: &::std::sync::Arc<Self>,
                batch: &mut #library::Batch<#library::#kind, #layers>,
            ) {
                #(#register)*
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::expand;

    #[test]
    fn a_service_expands_to_the_handwritten_code() {
        let written = quote! {
            impl Users {
                async fn create(&self, msg: CreateUser) -> Result<u64, UserError> {
                    self.store(msg)
                }
            }

            #[automatically_derived]
            impl ::arcbus::Handler<CreateUser> for Users {
                #[inline(always)]
                fn handle(
                    &self, msg: CreateUser, _cx: &::arcbus::Context<'_>
                ) -> impl ::core::future::Future<
                    Output = ::core::result::Result<
                        <CreateUser as ::arcbus::Message>::Reply,
                        <CreateUser as ::arcbus::Message>::Error,
                    >,
                > + ::core::marker::Send {
                    Self::create(self, msg)
                }
            }

            #[automatically_derived]
            impl<__Layers> ::arcbus::Service<::arcbus::Command, __Layers> for Users
            where
                __Layers: ::arcbus::Stack<CreateUser>
            {
                fn register(
                    service: &::std::sync::Arc<Self>,
                    batch: &mut ::arcbus::Batch<::arcbus::Command, __Layers>,
                ) {
                    batch.register::<CreateUser, _>(::std::sync::Arc::clone(service));
                }
            }
        };
        let expanded = expand(
            quote!(Command),
            quote! {
                impl Users {
                    #[handler]
                    async fn create(&self, msg: CreateUser) -> Result<u64, UserError> {
                        self.store(msg)
                    }
                }
            },
        );
        let expanded = expanded.expect("no mistake");
        assert_eq!(expanded.to_string(), written.to_string());
    }

    #[test]
    fn only_a_block_of_methods_has_handlers() {
        let refused = expand(
            quote!(Command),
            quote!(
                struct Users;
            ),
        );
        let text = refused.expect_err("it is a struct").to_string();
        assert!(text.contains("write `impl Service { .. }`"), "{text}");
    }
}
