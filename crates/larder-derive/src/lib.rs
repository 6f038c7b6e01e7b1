//! larder's macros.

mod attributes;
mod entity;
mod enum_text;
mod migrations;
mod names;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Entity.
#[proc_macro_derive(Entity, attributes(entity))]
pub fn derive_entity(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    entity::derive(input).unwrap_or_else(Error::into_compile_error).into()
}

/// Enum.
#[proc_macro_derive(EnumText, attributes(entity))]
pub fn derive_enum_text(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    enum_text::derive(input).unwrap_or_else(Error::into_compile_error).into()
}

/// Migrations.
#[proc_macro]
pub fn migrations(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as migrations::Input);
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(std::path::PathBuf::from).unwrap_or_default();
    migrations::expand(&input, &root).unwrap_or_else(Error::into_compile_error).into()
}
