//! `#[derive(EnumText)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Ident, LitStr, Result, Variant, ext::IdentExt};

use crate::{
    attributes::{self, Allowed, all_of},
    names,
};

const ON_ENUM: Allowed = Allowed { place: "an enumeration", names: &["name = …", "rename_all = …"] };
const ON_VARIANT: Allowed = Allowed { place: "a variant", names: &["rename = …"] };
const CASES: [&str; 4] = ["snake_case", "SCREAMING_SNAKE_CASE", "kebab-case", "lowercase"];

/// An enumeration whose values are texts.
struct EnumText {
    ident: Ident,
    name: String,
    variants: Vec<Ident>,
    texts: Vec<String>,
}

/// Everything that is written for an enumeration.
pub(crate) fn derive(input: DeriveInput) -> Result<TokenStream> {
    let values = EnumText::new(input)?;
    let (inherent, core) = (values.inherent(), values.core_impls());
    let (serde, text) = (values.serde_impls(), values.text_impls());
    Ok(quote! {
        #inherent
        const _: () = {
            #core
            #serde
            #text
        };
    })
}

impl EnumText {
    fn new(input: DeriveInput) -> Result<Self> {
        let Data::Enum(data) = &input.data else {
            return Err(Error::new(
                input.ident.span(),
                "`EnumText` is for an enum (a struct derives `Entity`)",
            ));
        };
        if !input.generics.params.is_empty() {
            return Err(Error::new_spanned(&input.generics, "an enumeration cannot have generic parameters"));
        }
        if data.variants.is_empty() {
            return Err(Error::new(input.ident.span(), "an enumeration needs a variant"));
        }
        let (name, case) = read_enum(&input.attrs, &input.ident)?;
        let (mut texts, mut errors) = (Vec::new(), Vec::new());
        for variant in &data.variants {
            match text_of(variant, &case, &texts) {
                Ok(text) => texts.push(text),
                Err(error) => errors.push(error),
            }
        }
        all_of(errors)?;
        let variants = data.variants.iter().map(|variant| variant.ident.clone()).collect();
        Ok(Self { ident: input.ident, name, variants, texts })
    }

    fn inherent(&self) -> TokenStream {
        let Self { ident, variants, texts, .. } = self;
        quote! {
            // A program need not use all that is written for it.
            #[allow(dead_code)]
            impl #ident {
                /// The text that is stored.
                pub const fn as_str(&self) -> &'static str {
                    match self { #(Self::#variants => #texts,)* }
                }
            }
        }
    }

    fn core_impls(&self) -> TokenStream {
        let Self { ident, name, variants, texts } = self;
        let expected = format!("expected one of {}", texts.join(", "));
        quote! {
            static ENUM: ::larder::EnumType = ::larder::EnumType { name: #name, variants: &[#(#texts),*] };

            #[automatically_derived]
            impl ::larder::EnumText for #ident {
                const ENUM: &'static ::larder::EnumType = &ENUM;

                fn text(&self) -> &'static str {
                    self.as_str()
                }

                fn from_text(text: &str) -> ::core::option::Option<Self> {
                    match text {
                        #(#texts => ::core::option::Option::Some(Self::#variants),)*
                        _ => ::core::option::Option::None,
                    }
                }
            }

            #[automatically_derived]
            impl ::larder::ColumnValue for #ident {
                const TYPE: ::larder::ColumnType = ::larder::ColumnType::Enum(&ENUM);

                fn into_value(self) -> ::core::result::Result<::larder::Value, ::larder::WrongType> {
                    ::core::result::Result::Ok(::larder::Value::Text(self.as_str().to_owned()))
                }

                fn from_value(value: ::larder::Value) -> ::core::result::Result<Self, ::larder::WrongType> {
                    let value = match value {
                        ::larder::Value::Text(text) => <Self as ::larder::EnumText>::from_text(&text),
                        _ => ::core::option::Option::None,
                    };
                    value.ok_or_else(|| ::larder::WrongType(#expected.to_owned()))
                }
            }
        }
    }

    fn serde_impls(&self) -> TokenStream {
        let ident = &self.ident;
        quote! {
            #[automatically_derived]
            impl ::larder::__private::serde::Serialize for #ident {
                fn serialize<S: ::larder::__private::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }

            #[automatically_derived]
            impl<'de> ::larder::__private::serde::Deserialize<'de> for #ident {
                fn deserialize<D: ::larder::__private::serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::core::result::Result<Self, D::Error> {
                    let text = <::std::string::String as ::larder::__private::serde::Deserialize>::deserialize(
                        deserializer,
                    )?;
                    <Self as ::larder::EnumText>::from_text(&text).ok_or_else(|| {
                        ::larder::__private::serde::de::Error::unknown_variant(&text, ENUM.variants)
                    })
                }
            }
        }
    }

    fn text_impls(&self) -> TokenStream {
        let (ident, entity) = (&self.ident, self.ident.to_string());
        let expected = format!("must be one of {}", self.texts.join(", "));
        quote! {
            #[automatically_derived]
            impl ::core::fmt::Display for #ident {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.pad(self.as_str())
                }
            }

            #[automatically_derived]
            impl ::core::str::FromStr for #ident {
                type Err = ::larder::Error;

                fn from_str(text: &str) -> ::larder::Result<Self> {
                    <Self as ::larder::EnumText>::from_text(text)
                        .ok_or_else(|| ::larder::Error::invalid(#entity, "text", #expected))
                }
            }
        }
    }
}

/// The type's name in the database, and the case of the texts.
fn read_enum(attributes: &[Attribute], ident: &Ident) -> Result<(String, String)> {
    let (mut name, mut case): (Option<LitStr>, Option<LitStr>) = (None, None);
    attributes::read(attributes, |attribute, meta| match attribute {
        "name" => attributes::once(meta, &mut name, attributes::value(meta, "name = \"job_status\"")?),
        "rename_all" => {
            attributes::once(meta, &mut case, attributes::value(meta, "rename_all = \"snake_case\"")?)
        }
        _ => Err(ON_ENUM.unknown(meta)),
    })?;
    let (name, span) = match name {
        Some(name) => (name.value(), name.span()),
        None => (names::snake(&ident.to_string()), ident.span()),
    };
    if let Some(reason) = names::refused(&name) {
        return Err(Error::new(span, reason));
    }
    match case {
        None => Ok((name, CASES[0].to_owned())),
        Some(case) if CASES.contains(&case.value().as_str()) => Ok((name, case.value())),
        Some(case) => {
            let allowed = attributes::listed(CASES);
            Err(Error::new(case.span(), format!("unknown case `{}`: allowed are {allowed}", case.value())))
        }
    }
}

fn text_of(variant: &Variant, case: &str, taken: &[String]) -> Result<String> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new_spanned(&variant.fields, "a variant of an enumeration has no fields"));
    }
    let mut rename: Option<LitStr> = None;
    attributes::read(&variant.attrs, |attribute, meta| match attribute {
        "rename" => attributes::once(meta, &mut rename, attributes::value(meta, "rename = \"text\"")?),
        _ => Err(ON_VARIANT.unknown(meta)),
    })?;
    let (text, span) = match rename {
        Some(text) => (text.value(), text.span()),
        None => (in_case(&variant.ident.unraw().to_string(), case), variant.ident.span()),
    };
    let refused = if text.is_empty() || text.contains('\0') {
        Some("the text of a variant is neither empty nor does it hold NUL".to_owned())
    } else if taken.contains(&text) {
        Some(format!("there are two variants with the text `{text}`"))
    } else {
        names::too_long(&text)
    };
    refused.map_or(Ok(text), |reason| Err(Error::new(span, reason)))
}

fn in_case(name: &str, case: &str) -> String {
    let words = names::words(name);
    match case {
        "SCREAMING_SNAKE_CASE" => words.join("_").to_uppercase(),
        "kebab-case" => words.join("-"),
        "lowercase" => words.concat(),
        _ => words.join("_"),
    }
}
