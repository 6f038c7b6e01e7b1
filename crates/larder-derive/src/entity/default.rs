//! `default = …` and `default_json = "…"`, and the constant of `only(…)`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Error, Expr, ExprLit, ExprPath, Lit, LitStr, Result, Type, spanned::Spanned};

/// A constant: as metadata and as a Rust value.
pub(crate) enum Constant {
    /// A literal, or arithmetic with literals.
    Literal { kind: LiteralKind, expr: Expr },
    /// A variant of an enumeration.
    Variant(ExprPath),
    /// JSON, as text.
    Json(LitStr),
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
        serde_json::from_str::<serde_json::Value>(&text.value())
            .map_err(|error| Error::new(text.span(), format!("not JSON: {error}")))?;
        Ok(Self::Json(text))
    }

    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Literal { expr, .. } => expr.span(),
            Self::Variant(path) => path.span(),
            Self::Json(text) => text.span(),
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
            Self::Json(text) => quote!(::larder::Literal::Json(#text)),
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
            // The text is known to be JSON; that it is of the field's type only the type itself can say.
            Self::Json(text) => quote! {
                match ::larder::__private::serde_json::from_str(#text)
                    .map_err(|error| ::larder::WrongType(::std::string::ToString::to_string(&error)))
                    .and_then(|json| <#ty as ::larder::ColumnValue>::from_value(::larder::Value::Json(json)))
                {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(wrong) => {
                        ::core::unreachable!("`default_json` is not of the field's type: {wrong}")
                    }
                }
            },
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
            Self::Json(_) => (quote!(::larder::ColumnType::Json), "`default_json` is for JSON fields"),
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
