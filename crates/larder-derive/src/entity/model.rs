//! An entity as its attributes describe it: checked, with names resolved to positions.

use proc_macro2::Span;
use quote::format_ident;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Fields, Ident, LitStr, Result, Token, Visibility,
    meta::ParseNestedMeta,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned,
};

use super::{
    default::Constant,
    field::Field,
    keys::{self, ForeignKey, Index, Unique},
};
use crate::{
    attributes::{self, Allowed, all_of},
    names,
};

const ALLOWED: Allowed =
    Allowed { place: "an entity", names: &["table = …", "unique = […]", "index = […]"] };

/// An entity.
pub(crate) struct Model {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) table: String,
    pub(crate) fields: Vec<Field>,
    /// The positions of the primary key.
    pub(crate) key: Vec<usize>,
    /// Is the primary key the field `id`, that larder makes?
    pub(crate) has_id: bool,
    pub(crate) owner: Option<usize>,
    pub(crate) created_at: Option<usize>,
    pub(crate) updated_at: Option<usize>,
    pub(crate) uniques: Vec<Unique>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
}

/// Who decides what a field of a new row holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// The caller: it is in the `New…` companion.
    Caller,
    /// Larder: the id.
    Id,
    /// Larder: the owner.
    Owner,
    /// Larder: the present instant.
    Clock,
    /// Larder: the default, or null. The entity's own operations change it.
    Managed,
    /// The entity's own operation that creates it.
    Issued,
}

/// `#[entity(…)]` on the struct.
#[derive(Default)]
pub(crate) struct StructAttributes {
    table: Option<LitStr>,
    pub(crate) uniques: Vec<Columns>,
    pub(crate) indexes: Vec<Columns>,
}

/// `unique = [a, b]` or `index = [a, b] where c = 1`.
pub(crate) struct Columns {
    pub(crate) span: Span,
    pub(crate) names: Vec<Ident>,
    pub(crate) only: Option<(Ident, Constant)>,
}

impl Model {
    /// Reads an entity and checks it.
    pub(crate) fn new(input: DeriveInput) -> Result<Self> {
        let attributes = StructAttributes::read(&input.attrs)?;
        let fields = fields(&input)?;
        let table = match &attributes.table {
            Some(name) => (name.value(), name.span()),
            None => (names::plural(&names::snake(&input.ident.to_string())), input.ident.span()),
        };
        if let Some(reason) = names::refused(&table.0) {
            return Err(Error::new(table.1, reason));
        }
        let position = |name: &str| fields.iter().position(|field| field.name() == name);
        let id = position("id").into_iter().collect();
        let marked = positions(&fields, |field| field.attributes.key.is_some());
        let has_id = marked.is_empty() || marked == id;
        let key = if has_id { id } else { marked };
        let owner = positions(&fields, |field| field.attributes.owner.is_some()).first().copied();
        let (created_at, updated_at) = (position("created_at"), position("updated_at"));
        let mut model = Self {
            ident: input.ident,
            vis: input.vis,
            table: table.0,
            fields,
            key,
            has_id,
            owner,
            created_at,
            updated_at,
            uniques: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
        };
        super::rules::check(&model)?;
        keys::resolve(&mut model, attributes)?;
        Ok(model)
    }

    /// Who decides what the field at this position holds in a new row.
    pub(crate) fn writer(&self, position: usize) -> Writer {
        let at = Some(position);
        if self.has_id && self.key.contains(&position) {
            Writer::Id
        } else if self.owner == at {
            Writer::Owner
        } else if self.created_at == at || self.updated_at == at {
            Writer::Clock
        } else if self.fields[position].attributes.issued.is_some() {
            Writer::Issued
        } else if self.fields[position].attributes.managed.is_some() {
            Writer::Managed
        } else {
            Writer::Caller
        }
    }

    /// The fields of the `New…` companion, with their positions.
    pub(crate) fn given(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields.iter().enumerate().filter(|(position, _)| self.writer(*position) == Writer::Caller)
    }

    /// The fields of the `…Patch` companion, with their positions.
    pub(crate) fn changeable(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.given().filter(|(position, field)| {
            field.attributes.create_only.is_none()
                && field.attributes.parent.is_none()
                && !self.key.contains(position)
        })
    }

    /// The fields that search looks into, with their positions.
    pub(crate) fn searched(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields.iter().enumerate().filter(|(_, field)| field.attributes.search.is_some())
    }

    /// The fields that lists can be filtered by, with their positions.
    pub(crate) fn filters(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.attributes.filter.is_some() || field.attributes.parent.is_some())
    }

    /// `NewJob`.
    pub(crate) fn new_ident(&self) -> Ident {
        format_ident!("New{}", self.ident)
    }

    /// `JobPatch`.
    pub(crate) fn patch_ident(&self) -> Ident {
        format_ident!("{}Patch", self.ident)
    }

    /// `JobSort`.
    pub(crate) fn sort_ident(&self) -> Ident {
        format_ident!("{}Sort", self.ident)
    }

    /// `ListJobs`.
    pub(crate) fn list_ident(&self) -> Ident {
        format_ident!("List{}", names::plural(&self.ident.to_string()))
    }
}

/// The positions of the fields that a condition holds for.
pub(crate) fn positions(fields: &[Field], condition: impl Fn(&Field) -> bool) -> Vec<usize> {
    fields.iter().enumerate().filter(|(_, field)| condition(field)).map(|(position, _)| position).collect()
}

fn fields(input: &DeriveInput) -> Result<Vec<Field>> {
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "an entity is one table: it cannot have generic parameters",
        ));
    }
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(
            input.ident.span(),
            "an entity is a struct with named fields (an enum derives `EnumText`)",
        ));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(Error::new(
            input.ident.span(),
            "an entity is a struct with named fields, one for each column",
        ));
    };
    let (mut fields, mut errors) = (Vec::new(), Vec::new());
    for field in &named.named {
        match Field::new(field.clone(), &input.ident) {
            Ok(field) => fields.push(field),
            Err(error) => errors.push(error),
        }
    }
    all_of(errors)?;
    Ok(fields)
}

impl StructAttributes {
    fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        attributes::read(attributes, |name, meta| match name {
            "table" => {
                let table = attributes::value(meta, "table = \"jobs\"")?;
                attributes::once(meta, &mut read.table, table)
            }
            "unique" => {
                let columns = Columns::read(meta, "unique = [user_id, name]")?;
                match &columns.only {
                    Some((column, _)) => Err(Error::new(column.span(), "a unique key has no condition")),
                    None => {
                        read.uniques.push(columns);
                        Ok(())
                    }
                }
            }
            "index" => {
                read.indexes.push(Columns::read(meta, "index = [user_id, created_at]")?);
                Ok(())
            }
            _ => Err(ALLOWED.unknown(meta)),
        })?;
        Ok(read)
    }
}

impl Columns {
    fn read(meta: &ParseNestedMeta<'_>, example: &str) -> Result<Self> {
        let Names(names) = attributes::value(meta, example)?;
        let only = meta.input.peek(Token![where]).then(|| condition(meta.input)).transpose()?;
        Ok(Self { span: meta.path.span(), names, only })
    }
}

/// `[a, b]`.
struct Names(Vec<Ident>);

impl Parse for Names {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let content;
        let bracket = syn::bracketed!(content in input);
        let names = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
        if names.is_empty() {
            return Err(Error::new(bracket.span.join(), "no field is named"));
        }
        Ok(Self(names.into_iter().collect()))
    }
}

/// `where c = 1`.
fn condition(input: ParseStream<'_>) -> Result<(Ident, Constant)> {
    let parse = || {
        input.parse::<Token![where]>()?;
        let column = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok((column, Constant::of(input.parse::<Expr>()?)?))
    };
    let example = "index = [user_id, created_at] where active = true";
    parse().map_err(|error: Error| Error::new(error.span(), format!("{error}; write `{example}`")))
}
