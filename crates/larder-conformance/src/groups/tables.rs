//! Tables: every column of every table, by the tables' metadata, so that none can be forgotten.

use larder::{
    Assign, Column, ColumnType, Entity, ErrorKind, Filter, Insert, Key, Outcome, Row, Sql, Table, Update,
    Upsert, Value, Verb,
};

use crate::{
    entities::{Folder, NewFolder},
    expect::assert_invalid_for,
    samples::{broken, row_of_each, sample, with_search_copies},
};

cases! {
    /// The same for every table: a row of values made from the table's metadata, written by `Insert` and by
    /// `Upsert`, then changed in every column by `Update`, is read as it was written.
    #[covers(14)]
    async fn every_column_of_every_table_is_kept(world: World) {
        for (table, row) in row_of_each(world.tables(), 1) {
            world.store().execute(Verb::Insert(Insert { table, rows: vec![row.clone()] })).await?;
            assert!(world.rows(table).await?.contains(&visible(table, &row)), "{} inserted", table.name);
        }
        for (table, row) in row_of_each(world.tables(), 2) {
            let set = vec![(table.primary_key[0], Assign::Set(row[table.primary_key[0]].clone()))];
            let upsert = Upsert { table, row: row.clone(), conflict: table.primary_key, set };
            let answer = world.store().execute(Verb::Upsert(upsert)).await?;
            assert_eq!(answer, Outcome::Row(Some(visible(table, &row))), "{} upserted", table.name);
            assert!(world.rows(table).await?.contains(&visible(table, &row)), "{} upserted", table.name);
        }
        for (table, row) in row_of_each(world.tables(), 1) {
            let changed = changed_row(table, &row, 3);
            let free = (0..table.columns.len()).filter(|column| changed[*column] != row[*column]);
            let set = free.map(|column| (column, Assign::Set(changed[column].clone()))).collect();
            let (key, filter) = (Some(key_of(table, &row)), Filter::always());
            let update = Update { table, owner: None, key, filter, set, returning: true };
            let answer = world.store().execute(Verb::Update(update)).await?;
            assert_eq!(answer, Outcome::Rows(vec![visible(table, &changed)]), "{} updated", table.name);
            assert!(world.rows(table).await?.contains(&visible(table, &changed)), "{} updated", table.name);
        }
    }

    /// What larder wrote is what SQL reads, and what SQL wrote is what larder reads: every column of every
    /// table, search copies included, in the types that the columns say.
    #[covers(14)]
    #[needs(Sql)]
    async fn every_column_is_the_same_for_sql(world: World) {
        for (table, row) in row_of_each(world.tables(), 1) {
            world.store().execute(Verb::Insert(Insert { table, rows: vec![row.clone()] })).await?;
            let read = world.system().sql(sql_select(table, &row)).await?;
            assert_eq!(read.rows, [Row::new(row)], "{}", table.name);
        }
        for (table, row) in row_of_each(world.tables(), 2) {
            let written = world.system().sql(sql_insert(table, &row)).await?;
            assert_eq!(written.affected, 1, "{}", table.name);
            assert!(world.rows(table).await?.contains(&visible(table, &row)), "{}", table.name);
        }
    }

    /// Every rule of every column of every table is kept by the store itself, when core is passed by: a NULL,
    /// a value of another type, a text that is too long is `Invalid` with the column, for a new row and for
    /// one that is there, and nothing is written.
    #[covers(4)]
    async fn every_rule_of_every_column_is_kept_by_the_store(world: World) {
        for (table, row) in row_of_each(world.tables(), 1) {
            world.store().execute(Verb::Insert(Insert { table, rows: vec![row] })).await?;
        }
        let before = world.all_rows().await?;
        let there = row_of_each(world.tables(), 1);
        for (table, row) in &there {
            let new = other(table, row);
            for (position, column) in table.visible().iter().enumerate() {
                for value in broken(column) {
                    let what = format!("{}.{} = {}", table.name, column.name, brief(&value));
                    let mut broken = new.clone();
                    broken[position] = value.clone();
                    let insert = Verb::Insert(Insert { table, rows: vec![broken] });
                    assert_invalid_for(
                        world.store().execute(insert).await,
                        column.name,
                        format!("inserted {what}"),
                    );
                    let set = vec![(position, Assign::Set(value))];
                    let (key, filter) = (Some(key_of(table, row)), Filter::always());
                    let update =
                        Verb::Update(Update { table, owner: None, key, filter, set, returning: false });
                    assert_invalid_for(
                        world.store().execute(update).await,
                        column.name,
                        format!("set {what}"),
                    );
                }
            }
        }
        assert_eq!(world.all_rows().await?, before);
    }

    /// A row that is there cannot be moved to a parent that does not exist.
    #[covers(3)]
    async fn a_row_cannot_be_moved_to_a_missing_parent(world: World) {
        let ada = world.user("Ada").await?;
        let folder = ada.repo::<Folder>().create(NewFolder::new("mine")).await?;
        for (column, parent) in
            [(Folder::PARENT_ID.position(), "Folder"), (Folder::USER_ID.position(), "User")]
        {
            let (table, nowhere) = (Folder::TABLE, Value::Uuid(uuid::Uuid::from_u128(404)));
            let key = Some(Key { columns: table.primary_key, values: vec![Value::Uuid(folder.id.uuid())] });
            let set = vec![(column, Assign::Set(nowhere))];
            let update = Update { table, owner: None, key, filter: Filter::always(), set, returning: false };
            let refused = world.store().execute(Verb::Update(update)).await.unwrap_err();
            let kind = ErrorKind::MissingParent { entity: "Folder".into(), parent: parent.into() };
            assert_eq!(refused.kind(), &kind);
        }
        assert_eq!(ada.repo::<Folder>().get(folder.id).await?, Some(folder));
    }
}

/// The row as it is read: without its search copies.
fn visible(table: &'static Table, row: &[Value]) -> Row {
    Row::new(row[..table.visible].to_vec())
}

fn key_of(table: &'static Table, row: &[Value]) -> Key {
    let values = table.primary_key.iter().map(|&column| row[column].clone()).collect();
    Key { columns: table.primary_key, values }
}

/// Is the column free, neither part of a key nor a reference?
fn is_free(table: &'static Table, column: usize) -> bool {
    let references = table.foreign_keys.iter().map(|key| key.columns);
    !table.primary_key.contains(&column) && !references.flatten().any(|&part| part == column)
}

/// The row with other values in all columns but its key and its references.
fn changed_row(table: &'static Table, row: &[Value], number: u32) -> Vec<Value> {
    let values = table.columns.iter().enumerate().map(|(position, column)| match is_free(table, position) {
        true => sample(column, number),
        false => row[position].clone(),
    });
    with_search_copies(table, values.collect())
}

/// A row with another key, that refers to what this one refers to.
fn other(table: &'static Table, row: &[Value]) -> Vec<Value> {
    let mut other = changed_row(table, row, 50);
    for &column in table.primary_key {
        other[column] = sample(&table.columns[column], 50);
    }
    other
}

fn sql_select(table: &'static Table, row: &[Value]) -> Sql {
    let read = |column: &Column| match column.kind {
        ColumnType::Enum(_) => format!("CAST(\"{}\" AS TEXT)", column.name),
        _ => format!("\"{}\"", column.name),
    };
    let columns: Vec<_> = table.columns.iter().map(read).collect();
    let (key, columns) = (table.primary_key[0], columns.join(", "));
    let name = table.columns[key].name;
    let text = |mark: char| format!("SELECT {columns} FROM {} WHERE {name} = {mark}1", table.name);
    let kinds = table.columns.iter().map(|column| sql_type(column.kind));
    Sql::new(text('$'), text('?'))
        .bind(table.columns[key].kind, row[key].clone())
        .returning(kinds.collect::<Vec<_>>())
}

fn sql_insert(table: &'static Table, row: &[Value]) -> Sql {
    let names: Vec<_> = table.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    let marks = |mark: char, cast: bool| {
        let marks = table.columns.iter().enumerate().map(|(position, column)| match column.kind {
            ColumnType::Enum(kind) if cast => format!("CAST({mark}{} AS {})", position + 1, kind.name),
            _ => format!("{mark}{}", position + 1),
        });
        marks.collect::<Vec<_>>().join(", ")
    };
    let text = |marks: String| format!("INSERT INTO {} ({}) VALUES ({marks})", table.name, names.join(", "));
    let sql = Sql::new(text(marks('$', true)), text(marks('?', false)));
    let values = table.columns.iter().zip(row);
    values.fold(sql, |sql, (column, value)| sql.bind(sql_type(column.kind), value.clone()))
}

/// Enumerations are text to SQL.
fn sql_type(kind: ColumnType) -> ColumnType {
    if matches!(kind, ColumnType::Enum(_)) { ColumnType::Text } else { kind }
}

fn brief(value: &Value) -> String {
    let mut text = format!("{value:?}");
    if let Some((end, _)) = text.char_indices().nth(60) {
        text.truncate(end);
    }
    text
}
