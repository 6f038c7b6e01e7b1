//! Reading `#[entity(…)]`: what is common to structs, fields, enums and variants.

use proc_macro2::Span;
use syn::{
    Attribute, Error, Result,
    meta::ParseNestedMeta,
    parenthesized,
    parse::{Parse, ParseStream},
    spanned::Spanned,
    token,
};

/// What can stand in `#[entity(…)]` at one kind of place.
pub(crate) struct Allowed {
    /// The place, for messages: `a field`.
    pub(crate) place: &'static str,
    /// The attributes, as one would write them.
    pub(crate) names: &'static [&'static str],
}

impl Allowed {
    /// The error for an attribute that is not among them.
    pub(crate) fn unknown(&self, meta: &ParseNestedMeta<'_>) -> Error {
        let name = meta.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        meta.error(format!(
            "unknown attribute `{name}`: allowed on {} are {}",
            self.place,
            listed(self.names.iter().copied())
        ))
    }
}

/// Calls `read` with the name of each attribute in each `#[entity(…)]`.
pub(crate) fn read(
    attributes: &[Attribute],
    mut read: impl FnMut(&str, &ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("entity")) {
        attribute.parse_nested_meta(|meta| {
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            read(&name, &meta)
        })?;
    }
    Ok(())
}

/// An attribute that is just a word: its span.
pub(crate) fn flag(meta: &ParseNestedMeta<'_>, slot: &mut Option<Span>) -> Result<()> {
    if !meta.input.is_empty() && !meta.input.peek(syn::Token![,]) {
        return Err(meta.error(format!("`{}` takes no value", name(meta))));
    }
    once(meta, slot, meta.path.span())
}

/// What follows `=`.
pub(crate) fn value<T: Parse>(meta: &ParseNestedMeta<'_>, example: &str) -> Result<T> {
    if !meta.input.peek(syn::Token![=]) {
        return Err(wrong_form(meta, example));
    }
    meta.value()?
        .parse()
        .map_err(|error: Error| Error::new(error.span(), format!("{error}; write `{example}`")))
}

/// What stands in parentheses.
pub(crate) fn arguments<T>(
    meta: &ParseNestedMeta<'_>,
    example: &str,
    parse: impl FnOnce(ParseStream<'_>) -> Result<T>,
) -> Result<T> {
    if !meta.input.peek(token::Paren) {
        return Err(wrong_form(meta, example));
    }
    let content;
    parenthesized!(content in meta.input);
    let parsed =
        parse(&content).map_err(|error| Error::new(error.span(), format!("{error}; write `{example}`")))?;
    if !content.is_empty() {
        return Err(content.error(format!("nothing more is expected here; write `{example}`")));
    }
    Ok(parsed)
}

/// Fills a slot that can be filled only once.
pub(crate) fn once<T>(meta: &ParseNestedMeta<'_>, slot: &mut Option<T>, value: T) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(meta.error(format!("`{}` is given twice", name(meta))));
    }
    Ok(())
}

/// `` `a`, `b` ``.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Everything that is wrong, in one error; `Ok` when nothing is.
pub(crate) fn all_of(errors: impl IntoIterator<Item = Error>) -> Result<()> {
    let combined = errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    });
    combined.map_or(Ok(()), Err)
}

fn wrong_form(meta: &ParseNestedMeta<'_>, example: &str) -> Error {
    meta.error(format!("write `{example}`"))
}

fn name(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(ToString::to_string).unwrap_or_default()
}
