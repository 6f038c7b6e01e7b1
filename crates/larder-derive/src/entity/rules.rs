//! What the attributes of an entity must not say: found here, before anything is written.

use proc_macro2::Span;
use syn::{Error, Result, spanned::Spanned};

use super::{
    field::Field,
    model::{Model, Writer, positions},
};
use crate::attributes::{all_of, listed};

/// The names that a list has already.
const LIST_FIELDS: [&str; 6] = ["page", "page_size", "sort_by", "sort_direction", "search", "cursor"];

/// Checks everything that concerns single fields and their number.
pub(crate) fn check(model: &Model) -> Result<()> {
    let mut errors = Vec::new();
    check_key(model, &mut errors);
    check_owner(model, &mut errors);
    check_columns(model, &mut errors);
    for (position, field) in model.fields.iter().enumerate() {
        check_writer(field, model.writer(position), &mut errors);
        check_field(field, &mut errors);
    }
    all_of(errors)
}

fn check_key(model: &Model, errors: &mut Vec<Error>) {
    match model.key[..] {
        [] => errors.push(Error::new(
            model.ident.span(),
            format!(
                "{} has no key: give it a field `id`, or mark its key with `#[entity(key)]`",
                model.ident
            ),
        )),
        [_] | [_, _] => {}
        [_, _, third, ..] => {
            let field = &model.fields[third];
            let span = field.attributes.key.unwrap_or_else(|| field.ident.span());
            errors.push(Error::new(span, "a key has at most two fields"));
        }
    }
    for field in model.key.iter().map(|&position| &model.fields[position]) {
        if let Some(inner) = &field.inner {
            errors.push(Error::new_spanned(inner, "a field of the key cannot be an `Option`"));
        }
    }
}

fn check_owner(model: &Model, errors: &mut Vec<Error>) {
    let owners = positions(&model.fields, |field| field.attributes.owner.is_some());
    for field in owners.iter().map(|&position| &model.fields[position]) {
        if let Some(inner) = &field.inner {
            errors.push(Error::new_spanned(inner, "the owner cannot be an `Option`: every row has one"));
        }
        if let Some(span) = field.attributes.parent {
            errors.push(Error::new(span, "a field is the `owner` or a `parent`, not both"));
        }
    }
    if let Some(span) = owners.get(1).and_then(|&second| model.fields[second].attributes.owner) {
        errors.push(Error::new(span, "an entity has at most one `owner`"));
    }
}

fn check_columns(model: &Model, errors: &mut Vec<Error>) {
    let copies = model.searched().map(|(_, field)| (search_column(field), field));
    let columns = model.fields.iter().map(|field| (field.column.clone(), field)).chain(copies);
    let mut seen = Vec::new();
    for (column, field) in columns {
        if seen.contains(&column) {
            errors.push(Error::new(field.ident.span(), format!("there are two columns `{column}`")));
        }
        seen.push(column);
    }
}

/// The name of the hidden column that search looks into.
pub(crate) fn search_column(field: &Field) -> String {
    format!("{}_search", field.column)
}

/// Attributes that mean nothing on a field that larder writes.
fn check_writer(field: &Field, writer: Writer, errors: &mut Vec<Error>) {
    let attributes = &field.attributes;
    let default = attributes.default.as_ref().map(|default| default.span());
    let for_callers = [("create_only", attributes.create_only)];
    let never_on_stamps = [
        ("managed", attributes.managed),
        ("issued", attributes.issued),
        ("parent", attributes.parent),
        ("default", default),
    ];
    let refused: Vec<(&str, Option<Span>)> = match writer {
        Writer::Caller => Vec::new(),
        Writer::Managed => for_callers.to_vec(),
        Writer::Issued => {
            let at_first = [("managed", attributes.managed), ("default", default)];
            for_callers.into_iter().chain(at_first).collect()
        }
        Writer::Owner => {
            let filter = [("filter", attributes.filter)];
            for_callers.into_iter().chain(never_on_stamps).chain(filter).collect()
        }
        Writer::Id | Writer::Clock => for_callers.into_iter().chain(never_on_stamps).collect(),
    };
    for (name, span) in refused {
        if let Some(span) = span {
            let reason = format!("`{name}` means nothing here: larder itself writes `{}`", field.name());
            errors.push(Error::new(span, reason));
        }
    }
    if writer == Writer::Managed && field.default_value().is_none() {
        let reason = "a managed field needs a `default`, or an `Option` as its type: callers cannot give it. Mark what the entity's own operation gives at creation as `issued`";
        errors.push(Error::new(field.ident.span(), reason));
    }
    if writer == Writer::Issued && field.is_nullable() {
        let reason = "an issued field is never null, so that nothing is created without it: mark an `Option` as `managed`";
        errors.push(Error::new(field.ty.span(), reason));
    }
    if writer == Writer::Clock && field.is_nullable() {
        errors.push(Error::new(field.ty.span(), "larder writes this time into every row: it is no `Option`"));
    }
}

fn check_field(field: &Field, errors: &mut Vec<Error>) {
    let attributes = &field.attributes;
    if let (Some(_), Some(span)) = (attributes.url, attributes.email) {
        errors.push(Error::new(span, "a field is a `url` or an `email`, not both"));
    }
    let name = field.name();
    let is_filter = attributes.filter.or(attributes.parent);
    if let Some(span) = is_filter.filter(|_| LIST_FIELDS.contains(&name.as_str())) {
        let reason =
            format!("a filter cannot be called so: lists have the fields {} already", listed(LIST_FIELDS));
        errors.push(Error::new(span, reason));
    }
}
