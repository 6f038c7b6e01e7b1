//! `List…` and `…Sort`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;

use super::{
    companions::derives,
    field::Field,
    model::{Model, positions},
};
use crate::names;

/// The enum `…Sort`.
pub(crate) fn sort_enum(model: &Model) -> TokenStream {
    let (ident, vis) = (model.sort_ident(), &model.vis);
    let columns = sort_columns(model);
    let default =
        columns.iter().copied().find(|column| model.created_at == Some(*column)).or(columns.first().copied());
    let variants = columns.iter().map(|&column| {
        let field = &model.fields[column];
        let (variant, name) = (variant(field), field.name());
        let docs = format!("By `{name}`.");
        let is_default = (default == Some(column)).then(|| quote!(#[default]));
        quote!(#[doc = #docs] #[serde(rename = #name)] #is_default #variant)
    });
    let arms = columns.iter().map(|&column| {
        let variant = variant(&model.fields[column]);
        quote!(Self::#variant => #column)
    });
    let docs = format!("What a list of [`{}`] can be sorted by.", model.ident);
    let derives = derives(&quote!(#[derive(Copy, Default, Eq, Hash)]));
    quote! {
        #[doc = #docs]
        #derives
        #vis enum #ident { #(#variants,)* }

        impl #ident {
            /// The position of the column.
            #vis const fn position(self) -> usize {
                match self { #(#arms,)* }
            }
        }
    }
}

fn variant(field: &Field) -> Ident {
    format_ident!("{}", names::camel(&field.name()), span = field.ident.span())
}

/// The fields marked `sort`; without any, the time of creation, or the key.
fn sort_columns(model: &Model) -> Vec<usize> {
    let sorts = positions(&model.fields, |field| field.attributes.sort.is_some());
    if sorts.is_empty() {
        model.created_at.or(model.key.first().copied()).into_iter().collect()
    } else {
        sorts
    }
}

/// The struct `List…`.
pub(crate) fn list_struct(model: &Model) -> TokenStream {
    let (ident, sort, vis) = (model.list_ident(), model.sort_ident(), &model.vis);
    let docs =
        format!("A list of [`{}`] as a caller asks for it: by default the first page of 10.", model.ident);
    let derives = derives(&quote!(#[serde(default, deny_unknown_fields)]));
    let search = is_searched(model).then(|| {
        let fields: Vec<_> = model.searched().map(|(_, field)| format!("`{}`", field.name())).collect();
        let docs = format!("Only those with this text in {}, without regard to case.", fields.join(" or "));
        quote!(#[doc = #docs] #vis search: ::core::option::Option<::std::string::String>,)
    });
    let filters = model.filters().map(|(_, field)| {
        let (vis, name, ty) = (&field.vis, &field.ident, field.value_type());
        let docs = format!("Only those with this `{}`.", field.name());
        quote!(#[doc = #docs] #vis #name: ::core::option::Option<#ty>)
    });
    let default = list_default(model);
    quote! {
        #[doc = #docs]
        #derives
        #vis struct #ident {
            /// The page's number, from 1.
            #vis page: u32,
            /// Items on a page, 1 to 100.
            #vis page_size: u32,
            /// What to sort by.
            #vis sort_by: #sort,
            /// Which way to sort.
            #vis sort_direction: ::larder::SortDirection,
            #search
            /// Where the page begins, instead of a page number: `next` of the page before.
            #vis cursor: ::core::option::Option<::larder::Cursor>,
            #(#filters,)*
        }

        #default
    }
}

fn list_default(model: &Model) -> TokenStream {
    let (ident, sort) = (model.list_ident(), model.sort_ident());
    let search = is_searched(model).then(|| quote!(search: ::core::option::Option::None,));
    let filters = model.filters().map(|(_, field)| {
        let name = &field.ident;
        quote!(#name: ::core::option::Option::None)
    });
    quote! {
        impl ::core::default::Default for #ident {
            fn default() -> Self {
                Self {
                    page: 1,
                    page_size: 10,
                    sort_by: <#sort as ::core::default::Default>::default(),
                    sort_direction: <::larder::SortDirection as ::core::default::Default>::default(),
                    #search
                    cursor: ::core::option::Option::None,
                    #(#filters,)*
                }
            }
        }
    }
}

/// `impl ListQuery`.
pub(crate) fn list_impl(model: &Model) -> TokenStream {
    let (ident, entity) = (model.list_ident(), &model.ident);
    let filters: Vec<_> = model
        .filters()
        .map(|(position, field)| {
            let name = &field.ident;
            let value = field.value_of(position, field.value_type(), &quote!(value));
            quote! {
                if let ::core::option::Option::Some(value) = self.#name {
                    conditions.push(::larder::Filter::Compare {
                        column: #position,
                        op: ::larder::Op::Eq,
                        value: #value,
                    });
                }
            }
        })
        .collect();
    let binding = if filters.is_empty() { quote!(let conditions) } else { quote!(let mut conditions) };
    let search = if is_searched(model) { quote!(self.search) } else { quote!(::core::option::Option::None) };
    quote! {
        #[automatically_derived]
        impl ::larder::ListQuery for #ident {
            type Entity = #entity;

            fn into_request(self) -> ::larder::Result<::larder::ListRequest> {
                #binding = ::std::vec::Vec::new();
                #(#filters)*
                ::core::result::Result::Ok(::larder::ListRequest {
                    page: self.page,
                    page_size: self.page_size,
                    sort: self.sort_by.position(),
                    direction: self.sort_direction,
                    search: #search,
                    cursor: self.cursor,
                    filter: ::larder::Filter::All(conditions),
                })
            }
        }
    }
}

fn is_searched(model: &Model) -> bool {
    model.searched().next().is_some()
}
