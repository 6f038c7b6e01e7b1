//! What only the compiler can check, because it knows the types: constants whose evaluation fails with a sentence, at
//! the attribute that is wrong.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{
    default::{Constant, LiteralKind},
    field::Field,
    keys::{ForeignKey, table_of},
    model::{Model, Writer},
};

/// All assertions of an entity.
pub(crate) fn assertions(model: &Model) -> TokenStream {
    let mut all = TokenStream::new();
    for (position, field) in model.fields.iter().enumerate() {
        all.extend(rules(field));
        all.extend(field.attributes.default.as_ref().map(|default| constant_fits(&field.ty, default)));
        all.extend(nullability(field));
        if model.writer(position) == Writer::Clock {
            all.extend(kind(
                field.ty.span(),
                field,
                &quote!(Time),
                "larder writes a time here: the type is `DateTime<Utc>`",
            ));
        }
    }
    for index in &model.indexes {
        if let Some((column, constant)) = &index.only {
            all.extend(condition_fits(&model.fields[*column].ty, constant));
        }
    }
    all.extend(model.foreign_keys.iter().map(|key| reference(model, key)));
    all.extend(owner(model));
    all
}

fn assertion(span: Span, condition: &TokenStream, message: &str) -> TokenStream {
    quote_spanned!(span=> const _: () = ::core::assert!(#condition, #message);)
}

fn kind(span: Span, field: &Field, kind: &TokenStream, message: &str) -> TokenStream {
    let ty = &field.ty;
    let condition =
        quote!(::core::matches!(<#ty as ::larder::ColumnValue>::TYPE, ::larder::ColumnType::#kind));
    assertion(span, &condition, message)
}

fn rules(field: &Field) -> TokenStream {
    let attributes = &field.attributes;
    let text = |span: Option<Span>, message| span.map(|span| kind(span, field, &quote!(Text), message));
    let length = attributes.length.as_ref().map(|length| length.span);
    let plain_search =
        attributes.search.as_ref().filter(|search| search.text.is_none()).map(|search| search.span);
    let range = attributes.range.as_ref().map(|range| {
        let (min, max) = (&range.min, &range.max);
        let integer = kind(range.span, field, &quote!(Int), "`range` is for integer fields");
        let order =
            assertion(range.span, &quote!(::larder::__private::at_most(#min, #max)), "the range is empty");
        quote!(#integer #order)
    });
    let default_in_range =
        attributes.range.as_ref().zip(attributes.default.as_ref()).and_then(|(range, default)| {
            let (min, max, value) = (&range.min, &range.max, default.integer()?);
            let condition = quote!(::larder::__private::at_most(#min, #value) && ::larder::__private::at_most(#value, #max));
            Some(assertion(default.span(), &condition, "the default is not in the field's `range`"))
        });
    let sort = attributes.sort.map(|span| {
        let ty = &field.ty;
        let condition =
            quote!(!::core::matches!(<#ty as ::larder::ColumnValue>::TYPE, ::larder::ColumnType::Json));
        assertion(span, &condition, "JSON has no order: `sort` is for any other field")
    });
    let all = [
        text(length, "`length` is for text fields"),
        text(attributes.url, "`url` is for text fields"),
        text(attributes.email, "`email` is for text fields"),
        text(
            plain_search,
            "`search` is for text fields: for any other write `search = path`, a `fn(&Value) -> Option<String>`",
        ),
        range,
        default_in_range,
        sort,
    ];
    all.into_iter().flatten().collect()
}

/// The companions go by the word `Option`, the table by the trait: they must agree.
fn nullability(field: &Field) -> TokenStream {
    let (ty, nullable) = (&field.ty, field.is_nullable());
    let condition = quote!(<#ty as ::larder::ColumnValue>::NULLABLE == #nullable);
    assertion(ty.span(), &condition, "write `Option<…>` itself, not an alias of it")
}

fn constant_fits(ty: &Type, constant: &Constant) -> TokenStream {
    let (pattern, message) = constant.fits();
    let condition = quote!(::core::matches!(<#ty as ::larder::ColumnValue>::TYPE, #pattern));
    assertion(constant.span(), &condition, message)
}

/// As for a default; the text of an enumeration's variant will do as well.
fn condition_fits(ty: &Type, constant: &Constant) -> TokenStream {
    let Constant::Literal { kind: LiteralKind::Text, expr } = constant else {
        return constant_fits(ty, constant);
    };
    let condition = quote! {
        match <#ty as ::larder::ColumnValue>::TYPE {
            ::larder::ColumnType::Text => true,
            ::larder::ColumnType::Enum(values) => ::larder::__private::contains(values.variants, #expr),
            _ => false,
        }
    };
    assertion(
        constant.span(),
        &condition,
        "the field never holds this: for an enumeration write the text of a variant",
    )
}

/// A parent has the key that its children refer to, and belongs to a user when they do, and only then.
fn reference(model: &Model, key: &ForeignKey) -> TokenStream {
    let ForeignKey { parent_columns, span, .. } = key;
    let table = key.parent_table();
    let has_key = quote!(::larder::__private::has_key(#table, &[#(#parent_columns),*]));
    let columns = parent_columns.join(", ");
    if !key.is_parent {
        return assertion(*span, &has_key, "the owner is the `Id` of an entity whose key is `id`");
    }
    let (owner, has_key_message) = match model.owner {
        Some(_) => (
            assertion(
                *span,
                &quote!(#table.owner.is_some()),
                "an entity with an owner has parents with an owner: give the parent an `owner` field",
            ),
            format!(
                "the parent needs a key for its children to refer to: add `#[entity(unique = [{columns}])]` to it"
            ),
        ),
        None => (
            assertion(
                *span,
                &quote!(#table.owner.is_none()),
                "the parent belongs to a user, so its children do: give this entity an `owner` field",
            ),
            "a parent is an entity whose key is `id`".to_owned(),
        ),
    };
    let has_key = assertion(*span, &has_key, &has_key_message);
    quote!(#owner #has_key)
}

/// The owner of an entity with a parent has no foreign key that would check its type.
fn owner(model: &Model) -> Option<TokenStream> {
    let field = &model.fields[model.owner?];
    let table = table_of(&field.ty);
    let condition = quote!(#table.owner.is_none());
    Some(assertion(field.ident.span(), &condition, "the owner is a user, who belongs to nobody"))
}
