//! Unique keys, foreign keys and indexes: those that are declared, and those that follow.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{Error, Ident, Result, Type, spanned::Spanned};

use super::{
    default::Constant,
    model::{Columns, Model, StructAttributes, positions},
};
use crate::{
    attributes::{all_of, listed},
    names,
};

/// A unique key.
pub(crate) struct Unique {
    pub(crate) span: Span,
    pub(crate) columns: Vec<usize>,
}

/// An index.
pub(crate) struct Index {
    pub(crate) span: Span,
    pub(crate) columns: Vec<usize>,
    pub(crate) only: Option<(usize, Constant)>,
}

/// A reference to a parent, or to the owner.
pub(crate) struct ForeignKey {
    pub(crate) span: Span,
    pub(crate) columns: Vec<usize>,
    /// The type of the referring field, an `Id<…>` of the parent.
    pub(crate) parent: Type,
    pub(crate) parent_columns: Vec<String>,
    /// The field is a `parent`, not the `owner`.
    pub(crate) is_parent: bool,
}

impl ForeignKey {
    /// The parent's table; the compiler finds it by the type.
    pub(crate) fn parent_table(&self) -> TokenStream {
        table_of(&self.parent)
    }
}

/// The table of the entity that `ty`, an `Id<…>`, is for.
pub(crate) fn table_of(ty: &Type) -> TokenStream {
    let span = ty.span().resolved_at(Span::call_site());
    quote_spanned!(span=> ::larder::__private::table_of(::core::marker::PhantomData::<#ty>))
}

/// Fills in the model's keys and indexes.
pub(crate) fn resolve(model: &mut Model, attributes: StructAttributes) -> Result<()> {
    let mut errors = Vec::new();
    let mut collect = |resolved: Result<Index>| resolved.map_err(|error| errors.push(error)).ok();
    let uniques: Vec<_> =
        attributes.uniques.into_iter().filter_map(|columns| collect(declared(model, columns))).collect();
    let indexes: Vec<_> =
        attributes.indexes.into_iter().filter_map(|columns| collect(declared(model, columns))).collect();
    let single = model.fields.iter().enumerate().filter_map(|(position, field)| {
        field.attributes.unique.map(|span| Unique { span, columns: vec![position] })
    });
    let declared_uniques = uniques.into_iter().map(|Index { span, columns, .. }| Unique { span, columns });
    model.uniques = single.chain(declared_uniques).collect();
    model.indexes = indexes;
    model.foreign_keys = foreign_keys(model);
    for key in 0..model.foreign_keys.len() {
        let index = index_for(model, &model.foreign_keys[key]);
        model.indexes.extend(index);
    }
    check_names(model, &mut errors);
    all_of(errors)
}

fn declared(model: &Model, columns: Columns) -> Result<Index> {
    let mut resolved = Vec::with_capacity(columns.names.len());
    for name in &columns.names {
        let position = position(model, name)?;
        if resolved.contains(&position) {
            return Err(Error::new(name.span(), format!("`{name}` is named twice")));
        }
        resolved.push(position);
    }
    let only = match columns.only {
        Some((name, constant)) => Some((position(model, &name)?, constant)),
        None => None,
    };
    Ok(Index { span: columns.span, columns: resolved, only })
}

fn position(model: &Model, name: &Ident) -> Result<usize> {
    model.fields.iter().position(|field| field.ident == *name).ok_or_else(|| {
        let fields: Vec<_> = model.fields.iter().map(|field| field.name()).collect();
        let fields = listed(fields.iter().map(String::as_str));
        Error::new(name.span(), format!("{} has no field `{name}`: it has {fields}", model.ident))
    })
}

/// One key for each parent: with the owner, when there is one, so that no row points into another user's data. The
/// owner has one of its own when no parent vouches for it: there is none, or each may be null.
fn foreign_keys(model: &Model) -> Vec<ForeignKey> {
    let parents = positions(&model.fields, |field| field.attributes.parent.is_some());
    let vouched = parents.iter().any(|&parent| !model.fields[parent].is_nullable());
    let owner = model.owner.filter(|_| !vouched).map(|owner| foreign_key(model, owner, None));
    let parents = parents.into_iter().map(|parent| foreign_key(model, parent, model.owner));
    owner.into_iter().chain(parents).collect()
}

fn foreign_key(model: &Model, referring: usize, owner: Option<usize>) -> ForeignKey {
    let field = &model.fields[referring];
    let owner_column = owner.map(|owner| model.fields[owner].column.clone());
    ForeignKey {
        span: field.ident.span(),
        columns: owner.into_iter().chain([referring]).collect(),
        parent: field.value_type().clone(),
        parent_columns: owner_column.into_iter().chain(["id".to_owned()]).collect(),
        is_parent: field.attributes.parent.is_some(),
    }
}

/// The index that a foreign key needs, so that neither a list of what belongs to a parent nor the parent's deletion reads
/// the whole table: the referring column, then the order that lists have by default. `None` when a key or an index begins
/// with the referring columns and the time of creation already, or a key consists of them: then there is one row.
fn index_for(model: &Model, key: &ForeignKey) -> Option<Index> {
    let referring = *key.columns.last()?;
    let rest = |columns: &[usize]| {
        let rest = columns.strip_prefix(&key.columns[..]).or_else(|| columns.strip_prefix(&[referring]));
        rest.map(<[usize]>::to_vec)
    };
    let in_order = |rest: &Vec<usize>| rest.starts_with(model.created_at.as_slice());
    let mut keys = model.uniques.iter().map(|unique| &unique.columns).chain([&model.key]);
    let mut indexes = model.indexes.iter().filter(|index| index.only.is_none());
    let covered = keys.any(|key| rest(key).is_some_and(|rest| rest.is_empty() || in_order(&rest)))
        || indexes.any(|index| rest(&index.columns).is_some_and(|rest| in_order(&rest)));
    if covered {
        return None;
    }
    let mut columns = vec![referring];
    let order = model.created_at.iter().chain(&model.key).copied();
    for column in order {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    Some(Index { span: key.span, columns, only: None })
}

/// Keys and indexes are named after their columns: no two of a kind alike, none longer than a database keeps.
fn check_names(model: &Model, errors: &mut Vec<Error>) {
    let name = |columns: &[usize], suffix: &str| {
        let columns: Vec<_> = columns.iter().map(|&column| model.fields[column].column.as_str()).collect();
        format!("{}_{}_{suffix}", model.table, columns.join("_"))
    };
    let uniques = model.uniques.iter().map(|unique| (unique.span, name(&unique.columns, "key")));
    let indexes = model.indexes.iter().map(|index| (index.span, name(&index.columns, "idx")));
    let keys = model.foreign_keys.iter().map(|key| (key.span, name(&key.columns, "fkey")));
    let checks = model
        .fields
        .iter()
        .enumerate()
        .map(|(position, field)| (field.ident.span(), name(&[position], "check")));
    let mut seen: Vec<String> = Vec::new();
    for (span, name) in uniques.chain(indexes).chain(keys).chain(checks) {
        if let Some(reason) = names::too_long(&name) {
            errors.push(Error::new(span, reason));
        }
        if seen.contains(&name) {
            errors.push(Error::new(span, format!("`{name}` is there already: it is declared twice")));
        }
        seen.push(name);
    }
    for unique in model.uniques.iter().filter(|unique| unique.columns == model.key) {
        errors.push(Error::new(unique.span, "the key is unique already"));
    }
}
