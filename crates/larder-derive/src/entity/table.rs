//! The static `Table` of an entity.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    field::Field,
    keys::{ForeignKey, Index},
    model::Model,
    rules::search_column,
};

/// `static TABLE: Table = …;`
pub(crate) fn table(model: &Model) -> TokenStream {
    let (name, entity) = (&model.table, model.ident.to_string());
    let columns = model.fields.iter().map(column);
    let copies = model.searched().map(|(position, field)| search_copy(position, field));
    let visible = model.fields.len();
    let key = &model.key;
    let uniques = model.uniques.iter().map(|unique| {
        let columns = &unique.columns;
        quote!(::larder::Unique { columns: &[#(#columns),*] })
    });
    let foreign_keys = model.foreign_keys.iter().map(foreign_key);
    let indexes = model.indexes.iter().map(index);
    let owner = option(model.owner);
    let (created_at, updated_at) = (option(model.created_at), option(model.updated_at));
    quote! {
        static TABLE: ::larder::Table = ::larder::Table {
            name: #name,
            entity: #entity,
            columns: &[#(#columns,)* #(#copies,)*],
            visible: #visible,
            primary_key: &[#(#key),*],
            uniques: &[#(#uniques),*],
            foreign_keys: &[#(#foreign_keys),*],
            indexes: &[#(#indexes),*],
            owner: #owner,
            created_at: #created_at,
            updated_at: #updated_at,
        };
    }
}

fn column(field: &Field) -> TokenStream {
    let (name, ty) = (&field.column, &field.ty);
    let default = option(field.attributes.default.as_ref().map(|default| default.literal()));
    let rules = field.rules();
    quote! {
        ::larder::Column {
            name: #name,
            kind: <#ty as ::larder::ColumnValue>::TYPE,
            nullable: <#ty as ::larder::ColumnValue>::NULLABLE,
            default: #default,
            type_rules: <#ty as ::larder::ColumnValue>::RULES,
            rules: &[#(#rules),*],
            source: ::larder::Source::Field,
        }
    }
}

/// A text of its own may be missing from a value, so its copy may always be null.
fn search_copy(of: usize, field: &Field) -> TokenStream {
    let (name, ty) = (search_column(field), &field.ty);
    let text = field.attributes.search.as_ref().and_then(|search| search.text.as_ref());
    let (text, nullable) = match text {
        Some(text) => (quote!(#text), quote!(true)),
        None => (quote!(::larder::__private::plain_text), quote!(<#ty as ::larder::ColumnValue>::NULLABLE)),
    };
    quote! {
        ::larder::Column {
            name: #name,
            kind: ::larder::ColumnType::Text,
            nullable: #nullable,
            default: ::core::option::Option::None,
            type_rules: &[],
            rules: &[],
            source: ::larder::Source::Folded { of: #of, text: #text },
        }
    }
}

/// The parent's table is behind a function, so that tables can refer to each other and to themselves.
fn foreign_key(key: &ForeignKey) -> TokenStream {
    let (columns, parent_columns, table) = (&key.columns, &key.parent_columns, key.parent_table());
    quote! {
        ::larder::ForeignKey {
            columns: &[#(#columns),*],
            parent: {
                fn parent() -> &'static ::larder::Table {
                    #table
                }
                parent
            },
            parent_columns: &[#(#parent_columns),*],
        }
    }
}

fn index(index: &Index) -> TokenStream {
    let columns = &index.columns;
    let only = option(index.only.as_ref().map(|(column, constant)| {
        let equals = constant.literal();
        quote!(::larder::Condition { column: #column, equals: #equals })
    }));
    quote!(::larder::Index { columns: &[#(#columns),*], only: #only })
}

fn option(value: Option<impl quote::ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
