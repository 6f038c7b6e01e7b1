//! `New…` and `…Patch`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Type;

use super::{
    field::Field,
    model::{Model, Writer},
};

/// `#[serde(crate = …)]` and the derives of a companion.
pub(crate) fn derives(more: &TokenStream) -> TokenStream {
    quote! {
        #[derive(
            Debug, Clone, PartialEq,
            ::larder::__private::serde::Serialize, ::larder::__private::serde::Deserialize,
        )]
        #[serde(crate = "::larder::__private::serde")]
        #more
    }
}

/// The struct `New…`, its constructor and its defaults.
pub(crate) fn new_struct(model: &Model) -> TokenStream {
    let (ident, vis) = (model.new_ident(), &model.vis);
    let docs = format!(
        "What a caller gives to create one [`{}`]: every field that is not written by larder itself.",
        model.ident
    );
    let derives = derives(&quote!(#[serde(deny_unknown_fields)]));
    let fields = model.given().map(|(_, field)| {
        let (docs, vis, name, ty) = (field.docs(), &field.vis, &field.ident, &field.ty);
        let default = field.default_value().map(|_| {
            let path = format!("{ident}::{}", field.default_fn());
            quote!(#[serde(default = #path)])
        });
        quote!(#docs #default #vis #name: #ty)
    });
    let constructor = constructor(model);
    quote! {
        #[doc = #docs]
        #derives
        #vis struct #ident { #(#fields,)* }

        #constructor
    }
}

fn constructor(model: &Model) -> TokenStream {
    let (ident, vis) = (model.new_ident(), &model.vis);
    let required: Vec<_> =
        model.given().map(|(_, field)| field).filter(|field| field.default_value().is_none()).collect();
    let parameters = required.iter().map(|field| parameter(field));
    let values = model.given().map(|(_, field)| {
        let (name, default) = (&field.ident, field.default_fn());
        if field.default_value().is_some() {
            quote!(#name: Self::#default())
        } else if is_primitive(&field.ty) {
            quote!(#name)
        } else {
            quote!(#name: ::core::convert::Into::into(#name))
        }
    });
    let defaults = model.given().filter_map(|(_, field)| {
        let (name, ty, value) = (field.default_fn(), &field.ty, field.default_value()?);
        Some(quote!(fn #name() -> #ty { #value }))
    });
    // One parameter for each required field, however many there are.
    let many = (required.len() > 7).then(|| quote!(#[allow(clippy::too_many_arguments)]));
    let default = required.is_empty().then(|| {
        quote! {
            impl ::core::default::Default for #ident {
                fn default() -> Self {
                    Self::new()
                }
            }
        }
    });
    quote! {
        // A program need not use all that is written for it.
        #[allow(dead_code)]
        impl #ident {
            /// With the fields that have no default, in the entity's order; all others at their defaults.
            #many
            #vis fn new(#(#parameters),*) -> Self {
                Self { #(#values),* }
            }

            #(#defaults)*
        }

        #default
    }
}

/// Numbers are taken as they are, because the type of a literal does not follow from `impl Into<u32>`.
fn parameter(field: &Field) -> TokenStream {
    let (name, ty) = (&field.ident, &field.ty);
    if is_primitive(ty) { quote!(#name: #ty) } else { quote!(#name: impl ::core::convert::Into<#ty>) }
}

fn is_primitive(ty: &Type) -> bool {
    const PRIMITIVES: [&str; 9] = ["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "f64"];
    let Type::Path(path) = ty else { return false };
    PRIMITIVES.iter().any(|primitive| path.path.is_ident(primitive))
}

/// `impl NewEntity`.
pub(crate) fn new_impl(model: &Model) -> TokenStream {
    let (ident, entity) = (model.new_ident(), &model.ident);
    let values: Vec<_> = (0..model.fields.len()).map(|position| new_value(model, position)).collect();
    let stamped = (0..model.fields.len())
        .any(|position| matches!(model.writer(position), Writer::Id | Writer::Owner | Writer::Clock));
    let stamp = if stamped { format_ident!("stamp") } else { format_ident!("_stamp") };
    quote! {
        #[automatically_derived]
        impl ::larder::NewEntity for #ident {
            type Entity = #entity;

            fn into_values(
                self,
                #stamp: &::larder::Stamp,
            ) -> ::larder::Result<::std::vec::Vec<::larder::Value>> {
                ::core::result::Result::Ok(::std::vec![#(#values),*])
            }
        }
    }
}

fn new_value(model: &Model, position: usize) -> TokenStream {
    let field = &model.fields[position];
    let (name, ty) = (&field.ident, &field.ty);
    match model.writer(position) {
        Writer::Id => quote!(::larder::Value::Uuid(stamp.id)),
        // Without an owner the row is refused: the column is never null.
        Writer::Owner => quote!(stamp.owner.map_or(::larder::Value::Null, ::larder::Value::Uuid)),
        Writer::Clock => quote!(::larder::Value::Time(stamp.now)),
        // Null is refused until the operation that issues it has put its value there.
        Writer::Issued => quote!(::larder::Value::Null),
        Writer::Managed => {
            let value = field.default_value();
            field.value_of(position, ty, &quote!(#value))
        }
        Writer::Caller => field.value_of(position, ty, &quote!(self.#name)),
    }
}

/// The struct `…Patch`.
pub(crate) fn patch_struct(model: &Model) -> TokenStream {
    let (ident, vis) = (model.patch_ident(), &model.vis);
    let docs = format!(
        "What a caller gives to change one [`{}`]: a `Change` for each field that may change. In \
         JSON an absent field is left as it is.",
        model.ident
    );
    let derives = derives(&quote!(#[derive(Default)] #[serde(default, deny_unknown_fields)]));
    let fields = model.changeable().map(|(_, field)| {
        let (docs, vis, name, ty) = (field.docs(), &field.vis, &field.ident, &field.ty);
        quote! {
            #docs
            #[serde(skip_serializing_if = "::larder::Change::is_leave")]
            #vis #name: ::larder::Change<#ty>
        }
    });
    quote! {
        #[doc = #docs]
        #derives
        #vis struct #ident { #(#fields,)* }
    }
}

/// `impl EntityPatch`.
pub(crate) fn patch_impl(model: &Model) -> TokenStream {
    let (ident, entity) = (model.patch_ident(), &model.ident);
    let changes = model.changeable().map(|(position, field)| {
        let name = &field.ident;
        let value = field.value_of(position, &field.ty, &quote!(value));
        quote! {
            if let ::larder::Change::Set(value) = self.#name {
                changes.push((#position, #value));
            }
        }
    });
    let binding =
        if model.changeable().next().is_some() { quote!(let mut changes) } else { quote!(let changes) };
    quote! {
        #[automatically_derived]
        impl ::larder::EntityPatch for #ident {
            type Entity = #entity;

            fn into_changes(
                self,
            ) -> ::larder::Result<::std::vec::Vec<(usize, ::larder::Value)>> {
                #binding = ::std::vec::Vec::new();
                #(#changes)*
                ::core::result::Result::Ok(changes)
            }
        }
    }
}
