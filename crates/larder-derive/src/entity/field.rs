//! A field of an entity, with its attributes.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, Error, Expr, ExprRange, GenericArgument, Ident, LitInt, LitStr, Path, PathArguments,
    RangeLimits, Result, Token, Type, Visibility, ext::IdentExt, meta::ParseNestedMeta, parse::ParseStream,
    punctuated::Punctuated, spanned::Spanned,
};

use super::default::Constant;
use crate::{
    attributes::{self, Allowed},
    names,
};

const ALLOWED: Allowed = Allowed {
    place: "a field",
    names: &[
        "key",
        "owner",
        "parent",
        "managed",
        "issued",
        "create_only",
        "unique",
        "filter",
        "sort",
        "search",
        "length(…)",
        "range(…)",
        "url",
        "email",
        "default = …",
        "default_json = …",
        "column = …",
    ],
};

/// A field, and what its attributes say.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    docs: Vec<Attribute>,
    /// Its type, with the entity's name for `Self`.
    pub(crate) ty: Type,
    /// `T` when the type is `Option<T>`.
    pub(crate) inner: Option<Type>,
    /// The column's name.
    pub(crate) column: String,
    pub(crate) attributes: FieldAttributes,
}

/// What stands in a field's `#[entity(…)]`.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    pub(crate) key: Option<Span>,
    pub(crate) owner: Option<Span>,
    pub(crate) parent: Option<Span>,
    pub(crate) managed: Option<Span>,
    pub(crate) issued: Option<Span>,
    pub(crate) create_only: Option<Span>,
    pub(crate) unique: Option<Span>,
    pub(crate) filter: Option<Span>,
    pub(crate) sort: Option<Span>,
    pub(crate) search: Option<Search>,
    pub(crate) length: Option<Length>,
    pub(crate) range: Option<Range>,
    pub(crate) url: Option<Span>,
    pub(crate) email: Option<Span>,
    pub(crate) default: Option<Constant>,
    column: Option<LitStr>,
}

/// `search`, or `search = path`.
pub(crate) struct Search {
    pub(crate) span: Span,
    pub(crate) text: Option<Path>,
}

/// `length(5, 1000)`.
pub(crate) struct Length {
    pub(crate) span: Span,
    pub(crate) min: u32,
    pub(crate) max: u32,
}

/// `range(0..100)`.
pub(crate) struct Range {
    pub(crate) span: Span,
    pub(crate) min: TokenStream,
    pub(crate) max: TokenStream,
}

impl Field {
    /// Reads a field of the entity `entity`.
    pub(crate) fn new(field: syn::Field, entity: &Ident) -> Result<Self> {
        let attributes = FieldAttributes::read(&field.attrs)?;
        let ident = field.ident.clone().ok_or_else(|| Error::new_spanned(&field, "a field needs a name"))?;
        let (column, span) = match &attributes.column {
            Some(name) => (name.value(), name.span()),
            None => (ident.unraw().to_string(), ident.span()),
        };
        if let Some(reason) = names::refused(&column) {
            return Err(Error::new(span, reason));
        }
        let ty: Type = syn::parse2(with_name_for_self(field.ty.to_token_stream(), entity))?;
        let docs = field.attrs.into_iter().filter(|attribute| attribute.path().is_ident("doc")).collect();
        Ok(Self { inner: option_of(&ty), vis: field.vis, ident, docs, ty, column, attributes })
    }

    /// Its name, without `r#`.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// Its type without `Option`.
    pub(crate) fn value_type(&self) -> &Type {
        self.inner.as_ref().unwrap_or(&self.ty)
    }

    pub(crate) fn is_nullable(&self) -> bool {
        self.inner.is_some()
    }

    /// Its documentation, for the same field of a companion.
    pub(crate) fn docs(&self) -> TokenStream {
        if self.docs.is_empty() {
            let text = format!("The field `{}`.", self.name());
            return quote!(#[doc = #text]);
        }
        let docs = &self.docs;
        quote!(#(#docs)*)
    }

    /// Where messages about its type point; names are those of the code that is written.
    pub(crate) fn type_span(&self) -> Span {
        self.ty.span().resolved_at(Span::call_site())
    }

    /// The field's `Value`, of a value of the type `ty`.
    pub(crate) fn value_of(&self, position: usize, ty: &Type, value: &TokenStream) -> TokenStream {
        quote_spanned!(self.type_span()=> ::larder::__private::value_of::<#ty>(&TABLE, #position, #value)?)
    }

    /// Its rules, as `::larder::Rule`s.
    pub(crate) fn rules(&self) -> Vec<TokenStream> {
        let attributes = &self.attributes;
        let length = attributes
            .length
            .as_ref()
            .map(|Length { min, max, .. }| quote!(::larder::Rule::Length { min: #min, max: #max }));
        let range = attributes
            .range
            .as_ref()
            .map(|Range { min, max, .. }| quote!(::larder::Rule::Range { min: #min, max: #max }));
        let url = attributes.url.map(|_| quote!(::larder::Rule::Url));
        let email = attributes.email.map(|_| quote!(::larder::Rule::Email));
        [length, range, url, email].into_iter().flatten().collect()
    }

    /// The value that it has when nothing is said; `None` when something must be said.
    pub(crate) fn default_value(&self) -> Option<TokenStream> {
        let value = self.attributes.default.as_ref().map(|constant| constant.rust_value(self.value_type()));
        match (value, self.is_nullable()) {
            (Some(value), true) => Some(quote!(::core::option::Option::Some(#value))),
            (Some(value), false) => Some(value),
            (None, true) => Some(quote!(::core::option::Option::None)),
            (None, false) => None,
        }
    }

    /// The name of the companions' function that makes the default.
    pub(crate) fn default_fn(&self) -> Ident {
        format_ident!("default_{}", self.name())
    }
}

impl FieldAttributes {
    fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        attributes::read(attributes, |name, meta| read.set(name, meta))?;
        Ok(read)
    }

    fn set(&mut self, name: &str, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match name {
            "key" => attributes::flag(meta, &mut self.key),
            "owner" => attributes::flag(meta, &mut self.owner),
            "parent" => attributes::flag(meta, &mut self.parent),
            "managed" => attributes::flag(meta, &mut self.managed),
            "issued" => attributes::flag(meta, &mut self.issued),
            "create_only" => attributes::flag(meta, &mut self.create_only),
            "unique" => attributes::flag(meta, &mut self.unique),
            "filter" => attributes::flag(meta, &mut self.filter),
            "sort" => attributes::flag(meta, &mut self.sort),
            "url" => attributes::flag(meta, &mut self.url),
            "email" => attributes::flag(meta, &mut self.email),
            "search" => attributes::once(meta, &mut self.search, search(meta)?),
            "length" => attributes::once(meta, &mut self.length, length(meta)?),
            "range" => attributes::once(meta, &mut self.range, range(meta)?),
            "default" => {
                let expr = attributes::value(meta, "default = 5")?;
                attributes::once(meta, &mut self.default, Constant::of(expr)?)
            }
            "default_json" => {
                let text = attributes::value(meta, "default_json = \"{}\"")?;
                attributes::once(meta, &mut self.default, Constant::json(text)?)
            }
            "column" => {
                let name = attributes::value(meta, "column = \"name\"")?;
                attributes::once(meta, &mut self.column, name)
            }
            _ => Err(ALLOWED.unknown(meta)),
        }
    }
}

fn search(meta: &ParseNestedMeta<'_>) -> Result<Search> {
    let span = meta.path.span();
    if meta.input.is_empty() || meta.input.peek(Token![,]) {
        return Ok(Search { span, text: None });
    }
    let text = attributes::value(meta, "search = text_of_the_value")?;
    Ok(Search { span, text: Some(text) })
}

fn length(meta: &ParseNestedMeta<'_>) -> Result<Length> {
    let parse = |input: ParseStream<'_>| -> Result<Vec<u32>> {
        let numbers = Punctuated::<LitInt, Token![,]>::parse_terminated(input)?;
        numbers.iter().map(LitInt::base10_parse).collect()
    };
    let numbers = attributes::arguments(meta, "length(5, 1000)", parse)?;
    let span = meta.path.span();
    match numbers[..] {
        [min, max] if min <= max && max > 0 => Ok(Length { span, min, max }),
        _ => Err(Error::new(
            span,
            "`length` takes the fewest and the most characters, the fewest first: write `length(5, 1000)`",
        )),
    }
}

fn range(meta: &ParseNestedMeta<'_>) -> Result<Range> {
    const EXAMPLE: &str = "range(0..), range(..=5) or range(1..=100)";
    let span = meta.path.span();
    let expr = attributes::arguments(meta, EXAMPLE, |input| input.parse::<Expr>())?;
    let Expr::Range(ExprRange { start, limits, end, .. }) = expr else {
        return Err(Error::new_spanned(expr, format!("not a range; write `{EXAMPLE}`")));
    };
    if start.is_none() && end.is_none() {
        return Err(Error::new(
            span,
            format!("a range without a bound allows everything; write `{EXAMPLE}`"),
        ));
    }
    let min = start.map_or_else(|| quote!(i64::MIN), |start| quote!((#start)));
    let max = match (end, limits) {
        (None, _) => quote!(i64::MAX),
        (Some(end), RangeLimits::Closed(_)) => quote!((#end)),
        (Some(end), RangeLimits::HalfOpen(_)) => quote!((#end) - 1),
    };
    Ok(Range { span, min, max })
}

/// `T` of `Option<T>`, however its path is written.
fn option_of(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner.clone()),
        _ => None,
    }
}

/// Replaces `Self`, which would mean another type in a companion.
fn with_name_for_self(tokens: TokenStream, entity: &Ident) -> TokenStream {
    let replaced = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(ident) if ident == "Self" => {
            TokenTree::Ident(Ident::new(&entity.to_string(), ident.span()))
        }
        TokenTree::Group(group) => {
            let inner = with_name_for_self(group.stream(), entity);
            let mut replaced = proc_macro2::Group::new(group.delimiter(), inner);
            replaced.set_span(group.span());
            TokenTree::Group(replaced)
        }
        other => other,
    });
    replaced.collect()
}
