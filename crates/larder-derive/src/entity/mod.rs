//! `#[derive(Entity)]`.

mod assertions;
mod companions;
mod default;
mod field;
mod keys;
mod list;
mod model;
mod rules;
mod table;

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, Result};

use crate::names;
use model::Model;

/// Everything that is written for an entity: companions beside it, implementations in a scope of their own.
pub(crate) fn derive(input: DeriveInput) -> Result<TokenStream> {
    let model = Model::new(input)?;
    let id = id_alias(&model);
    let fields = field_constants(&model);
    let (new, patch) = (companions::new_struct(&model), companions::patch_struct(&model));
    let (sort, list) = (list::sort_enum(&model), list::list_struct(&model));
    let assertions = assertions::assertions(&model);
    let table = table::table(&model);
    let entity = entity_impl(&model);
    let (new_impl, patch_impl) = (companions::new_impl(&model), companions::patch_impl(&model));
    let list_impl = list::list_impl(&model);
    Ok(quote! {
        #id
        #fields
        #new
        #patch
        #sort
        #list

        const _: () = {
            #table
            #entity
            #new_impl
            #patch_impl
            #list_impl
            #assertions
        };
    })
}

/// `type JobId = Id<Job>`.
fn id_alias(model: &Model) -> Option<TokenStream> {
    let (entity, vis) = (&model.ident, &model.vis);
    let alias = format_ident!("{}Id", model.ident);
    let docs = format!("The id of a [`{}`].", model.ident);
    model.has_id.then(|| {
        quote! {
            #[doc = #docs]
            // A program need not use all that is written for it.
            #[allow(dead_code)]
            #vis type #alias = ::larder::Id<#entity>;
        }
    })
}

/// `Job::STATUS`.
fn field_constants(model: &Model) -> TokenStream {
    let (entity, vis) = (&model.ident, &model.vis);
    let constants = model.fields.iter().enumerate().map(|(position, field)| {
        let name = format_ident!("{}", names::screaming(&field.name()), span = field.ident.span());
        let (ty, docs) = (&field.ty, format!("The column `{}`.", field.column));
        let refers = field.attributes.parent.is_some() || field.attributes.owner.is_some();
        let kind = if refers { quote!(Refers) } else { quote!(Plain) };
        quote! {
            #[doc = #docs]
            #vis const #name: ::larder::Field<#entity, #ty, ::larder::#kind> = ::larder::__private::field(#position);
        }
    });
    quote! {
        // A program need not use all that is written for it.
        #[allow(dead_code)]
        impl #entity { #(#constants)* }
    }
}

fn entity_impl(model: &Model) -> TokenStream {
    let entity = &model.ident;
    let (new, patch, list) = (model.new_ident(), model.patch_ident(), model.list_ident());
    let key: Vec<_> = model.key.iter().map(|&position| &model.fields[position]).collect();
    let key_types = key.iter().map(|field| &field.ty);
    let key_values = key.iter().map(|field| {
        let name = &field.ident;
        quote!(::core::clone::Clone::clone(&self.#name))
    });
    let (key_type, key_value) = match key.len() {
        1 if model.has_id => (quote!(::larder::Id<#entity>), quote!(#(#key_values)*)),
        1 => (quote!(#(#key_types)*), quote!(#(#key_values)*)),
        _ => (quote!((#(#key_types),*)), quote!((#(#key_values),*))),
    };
    let ownership = if model.owner.is_some() { quote!(::larder::Owned) } else { quote!(::larder::Unowned) };
    let fields = model.fields.iter().enumerate().map(|(position, field)| {
        let (name, ty) = (&field.ident, &field.ty);
        let value = quote_spanned!(field.type_span()=> row.take::<#ty>(&TABLE, #position)?);
        quote!(#name: #value)
    });
    quote! {
        #[automatically_derived]
        impl ::larder::Entity for #entity {
            const TABLE: &'static ::larder::Table = &TABLE;
            type Key = #key_type;
            type New = #new;
            type Patch = #patch;
            type List = #list;
            type Ownership = #ownership;

            fn from_row(mut row: ::larder::Row) -> ::larder::Result<Self> {
                ::core::result::Result::Ok(Self { #(#fields),* })
            }

            fn key(&self) -> Self::Key {
                #key_value
            }
        }
    }
}
