//! `default = …` and `default_json = "…"`, and the constant after `where`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use serde_json::Value as Json;
use syn::{Error, Expr, ExprLit, ExprPath, Lit, LitStr, Result, Type, spanned::Spanned};

/// A constant: as metadata and as a Rust value.
pub(crate) enum Constant {
    /// A literal, or arithmetic with literals.
    Literal { kind: LiteralKind, expr: Expr },
    /// A variant of an enumeration.
    Variant(ExprPath),
    /// JSON, as text and as what it says.
    Json { text: LitStr, json: Json },
}

#[derive(Clone, Copy)]
pub(crate) enum LiteralKind {
    Bool,
    Int,
    Float,
    Text,
}

impl Constant {
    /// The constant that an expression stands for.
    pub(crate) fn of(expr: Expr) -> Result<Self> {
        match expr {
            Expr::Path(path) => Ok(Self::Variant(path)),
            expr => match literal_kind(&expr) {
                Some(kind) => Ok(Self::Literal { kind, expr }),
                None => Err(Error::new_spanned(
                    expr,
                    "only a boolean, a number, a text or a variant of an enumeration can stand here",
                )),
            },
        }
    }

    /// JSON whose text was checked.
    pub(crate) fn json(text: LitStr) -> Result<Self> {
        let json = serde_json::from_str(&text.value())
            .map_err(|error| Error::new(text.span(), format!("not JSON: {error}")))?;
        Ok(Self::Json { text, json })
    }

    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Literal { expr, .. } => expr.span(),
            Self::Variant(path) => path.span(),
            Self::Json { text, .. } => text.span(),
        }
    }

    /// A `::larder::Literal`.
    pub(crate) fn literal(&self) -> TokenStream {
        match self {
            Self::Literal { kind: LiteralKind::Bool, expr } => quote!(::larder::Literal::Bool(#expr)),
            Self::Literal { kind: LiteralKind::Int, expr } => quote!(::larder::Literal::Int(#expr)),
            Self::Literal { kind: LiteralKind::Float, expr } => quote!(::larder::Literal::Float(#expr)),
            Self::Literal { kind: LiteralKind::Text, expr } => quote!(::larder::Literal::Text(#expr)),
            Self::Variant(path) => quote!(::larder::Literal::Text(#path.as_str())),
            Self::Json { text, .. } => quote!(::larder::Literal::Json(#text)),
        }
    }

    /// A value of the type `ty`, which is not an `Option`.
    pub(crate) fn rust_value(&self, ty: &Type) -> TokenStream {
        match self {
            Self::Literal { kind: LiteralKind::Text, expr } => {
                quote_spanned!(expr.span()=> <#ty as ::core::convert::From<&'static str>>::from(#expr))
            }
            Self::Literal { expr, .. } => quote!(#expr),
            Self::Variant(path) => quote!(#path),
            Self::Json { text, json } => {
                let json = kind_of_json(json);
                quote_spanned! {text.span()=>
                    <#ty as ::larder::__private::DefaultJson<_>>::default_json(#json)
                }
            }
        }
    }

    /// A pattern of the column types that the constant is for, and the sentence for any other.
    pub(crate) fn fits(&self) -> (TokenStream, &'static str) {
        match self {
            Self::Literal { kind: LiteralKind::Bool, .. } => {
                (quote!(::larder::ColumnType::Bool), "a boolean constant is for boolean fields")
            }
            Self::Literal { kind: LiteralKind::Int, .. } => {
                (quote!(::larder::ColumnType::Int), "an integer constant is for integer fields")
            }
            Self::Literal { kind: LiteralKind::Float, .. } => {
                (quote!(::larder::ColumnType::Float), "a float constant is for float fields")
            }
            Self::Literal { kind: LiteralKind::Text, .. } => (
                quote!(::larder::ColumnType::Text),
                "a text constant is for text fields: for an enumeration write its variant, for JSON `default_json`",
            ),
            Self::Variant(_) => (
                quote!(::larder::ColumnType::Enum(_)),
                "a path stands for a variant of an enumeration that derives `EnumText`: for any other field write a literal",
            ),
            Self::Json { .. } => (quote!(::larder::ColumnType::Json), "`default_json` is for JSON fields"),
        }
    }

    /// The expression of an integer.
    pub(crate) fn integer(&self) -> Option<&Expr> {
        match self {
            Self::Literal { kind: LiteralKind::Int, expr } => Some(expr),
            _ => None,
        }
    }
}

fn literal_kind(expr: &Expr) -> Option<LiteralKind> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Bool(_) => Some(LiteralKind::Bool),
            Lit::Int(_) => Some(LiteralKind::Int),
            Lit::Float(_) => Some(LiteralKind::Float),
            Lit::Str(_) => Some(LiteralKind::Text),
            _ => None,
        },
        Expr::Unary(unary) => literal_kind(&unary.expr),
        Expr::Binary(binary) => literal_kind(&binary.left),
        Expr::Paren(paren) => literal_kind(&paren.expr),
        Expr::Group(group) => literal_kind(&group.expr),
        _ => None,
    }
}

/// The JSON as the most special kind that `DefaultJson` knows, for it alone says which types the JSON is of.
fn kind_of_json(json: &Json) -> TokenStream {
    match json {
        Json::Array(items) if items.is_empty() => quote!(::larder::__private::EmptyArray),
        Json::Object(entries) if entries.is_empty() => quote!(::larder::__private::EmptyObject),
        Json::Array(items) if items.iter().all(Json::is_string) => {
            let texts = items.iter().filter_map(Json::as_str);
            quote!([#(#texts),*])
        }
        json => json_value(json),
    }
}

/// The expression that makes this JSON, without reading it from a text.
fn json_value(json: &Json) -> TokenStream {
    let (variant, content) = match json {
        Json::Null => return quote!(::larder::__private::serde_json::Value::Null),
        Json::Bool(value) => (quote!(Bool), quote!(#value)),
        Json::Number(number) => {
            let number = match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => quote!(#integer),
                (None, Some(integer)) => quote!(#integer),
                (None, None) => number.as_f64().map_or_else(TokenStream::new, |float| quote!(#float)),
            };
            return quote!(::larder::__private::serde_json::Value::from(#number));
        }
        Json::String(text) => (quote!(String), quote!(::std::string::String::from(#text))),
        Json::Array(items) => {
            let items = items.iter().map(json_value);
            (quote!(Array), quote!(::std::vec![#(#items),*]))
        }
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let value = json_value(value);
                quote!((::std::string::String::from(#key), #value))
            });
            (quote!(Object), quote!(::core::iter::FromIterator::from_iter([#(#entries),*])))
        }
    };
    quote!(::larder::__private::serde_json::Value::#variant(#content))
}
