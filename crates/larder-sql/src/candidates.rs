//! Asking SQLite's search index for the rows that may contain a text.
//!
//! What is found is decided by the filter as ever: the index only says which rows are worth a look. That is not always a help: an
//! ordered page of what is in every second row is found sooner by walking in that order. PostgreSQL's planner knows. SQLite's
//! does not, so a question is asked first: how many candidates there are.

use larder_core::{ColumnType, Count, Filter, Op, Order, Select, Table, Value};
use uuid::Uuid;

use crate::{
    Dialect, Returns, Statement,
    ddl::names,
    dialect::quote,
    search::{keys_name, last_written},
    writer::Writer,
};

/// A trigram is so many characters; what is shorter is looked for in every row.
const TRIGRAM: usize = 3;

/// Of a longer text not every trigram is looked up: so many narrow it down enough.
const MAX_TRIGRAMS: usize = 16;

/// When there are more candidates, a page is looked for in its order: some milliseconds either way.
const MAX_FOR_PAGE: u64 = 4096;

/// When there are more, all rows of the owner are read.
const MAX_FOR_ALL: u64 = 65_535;

/// To fetch a candidate costs as much as to read so many rows.
const COST: u64 = 4;

/// The question whether a select on SQLite goes by the table's search index; `None` when it does not. The answer is one row with
/// one `Int`, 1 when it does.
pub fn select_goes_by_search(select: &Select) -> Option<Statement> {
    let in_order = select.limit.is_some() && is_in_order(select.table, select.owner, &select.order);
    question(select.table, select.owner, &select.filter, in_order)
}

/// As [`select_goes_by_search`], of a count.
pub fn count_goes_by_search(count: &Count) -> Option<Statement> {
    question(count.table, count.owner, &count.filter, false)
}

fn question(
    table: &'static Table,
    owner: Option<Uuid>,
    filter: &Filter,
    in_order: bool,
) -> Option<Statement> {
    let text = searched(table, filter).filter(|_| !leads_to_few(table, filter))?;
    let mut writer = Writer::new(Dialect::Sqlite, table);
    let max = if in_order { MAX_FOR_PAGE } else { MAX_FOR_ALL };
    count_of_candidates(&mut writer, text, max + 1);
    match owner.zip(table.owner).filter(|_| !in_order) {
        None => {
            writer.push(" <= ");
            writer.number(max);
        }
        Some((owner, column)) => {
            writer.push(" * ");
            writer.number(COST);
            writer.push(" < (SELECT count(*) FROM (SELECT 1 FROM ");
            writer.table_name();
            writer.push(" WHERE ");
            writer.compare(column, Op::Eq, &Value::Uuid(owner));
            writer.push(" LIMIT ");
            writer.number((max + 1) * COST);
            writer.push("))");
        }
    }
    Some(writer.finish(Returns::Types(vec![ColumnType::Int])))
}

fn count_of_candidates(writer: &mut Writer, text: &str, limit: u64) {
    let index = quote(&writer.table.search_index_name());
    writer.push(&format!("SELECT (SELECT count(*) FROM (SELECT 1 FROM {index} WHERE {index} MATCH "));
    writer.bind(ColumnType::Text, Value::Text(expression(text)));
    writer.push(" LIMIT ");
    writer.number(limit);
    writer.push("))");
}

/// Has an index the rows in this order?
fn is_in_order(table: &Table, owner: Option<Uuid>, order: &[Order]) -> bool {
    let owner = owner.and(table.owner);
    let columns: Vec<_> = owner.into_iter().chain(order.iter().map(|by| by.column)).collect();
    let one_way = order.windows(2).all(|pair| pair[0].direction == pair[1].direction)
        && !order.iter().any(|by| table.columns[by.column].nullable);
    one_way && table.indexes.iter().any(|index| index.only.is_none() && index.columns.starts_with(&columns))
}

/// Does the filter name the parent, or another value that an index leads to?
fn leads_to_few(table: &Table, filter: &Filter) -> bool {
    match filter {
        Filter::All(all) => all.iter().any(|filter| leads_to_few(table, filter)),
        Filter::Compare { column, op: Op::Eq, .. } => {
            let firsts = table.indexes.iter().filter_map(|index| index.columns.first());
            Some(*column) != table.owner
                && firsts.chain(table.keys().filter_map(<[_]>::first)).any(|first| first == column)
        }
        _ => false,
    }
}

/// The longest text that every row which meets the filter contains in a search column, if it is long enough to be looked up.
pub(crate) fn searched<'f>(table: &Table, filter: &'f Filter) -> Option<&'f str> {
    match filter {
        Filter::Contains { column, text } => {
            let is_indexed = table.search_columns().any(|searched| searched == *column);
            let can_be_looked_up = text.chars().nth(TRIGRAM - 1).is_some() && !text.contains('\0');
            (is_indexed && can_be_looked_up).then_some(text)
        }
        Filter::All(all) => {
            all.iter().filter_map(|filter| searched(table, filter)).max_by_key(|text| text.len())
        }
        Filter::Any(any) => {
            let mut texts = any.iter().map(|filter| searched(table, filter));
            let first = texts.next()??;
            texts.all(|text| text == Some(first)).then_some(first)
        }
        Filter::Compare { .. } | Filter::In { .. } | Filter::IsNull(_) | Filter::IsNotNull(_) => None,
    }
}

/// `key IN (…)`: those of the rows that may contain the text.
pub(crate) fn is_candidate(writer: &mut Writer, text: &str) {
    let table = writer.table;
    let (index, keys) = (quote(&table.search_index_name()), quote(&keys_name(table)));
    let key = names(table, table.primary_key);
    writer.push(&format!(
        "({key}) IN (SELECT {key} FROM {index} CROSS JOIN {keys} ON \"trgm\" = {index}.rowid WHERE {index} MATCH "
    ));
    writer.bind(ColumnType::Text, Value::Text(expression(text)));
    writer.push(&format!(" UNION ALL SELECT {key} FROM {keys} WHERE \"trgm\" > ({}))", last_written(table)));
}

/// What FTS5 looks up for a text: trigrams that are in it, from its beginning to its end.
fn expression(text: &str) -> String {
    let characters: Vec<_> = text.chars().collect();
    let last = characters.len().saturating_sub(TRIGRAM);
    let steps = last.min(MAX_TRIGRAMS - 1);
    let mut trigrams: Vec<String> = Vec::with_capacity(steps + 1);
    for step in 0..=steps {
        let begin = step * last / steps.max(1);
        let trigram = quote(&characters.iter().skip(begin).take(TRIGRAM).collect::<String>());
        if !trigrams.contains(&trigram) {
            trigrams.push(trigram);
        }
    }
    trigrams.join(" AND ")
}

#[cfg(test)]
mod tests {
    use larder_core::SortDirection;

    use super::*;
    use crate::{
        count_by_search,
        fixtures::{JOBS, text, uuid, values},
        select_by_search,
    };

    /// The column that the fixture is searched by.
    const SEARCH: usize = 5;

    fn contains(text: &str) -> Filter {
        Filter::Contains { column: SEARCH, text: text.to_owned() }
    }

    fn equal(column: usize, value: Value) -> Filter {
        Filter::Compare { column, op: Op::Eq, value }
    }

    fn page(owner: Option<Uuid>, filter: Filter, order: &[usize]) -> Select {
        let order = order.iter().map(|&column| Order { column, direction: SortDirection::Desc }).collect();
        Select { table: &JOBS, owner, filter, order, after: None, offset: 0, limit: Some(11) }
    }

    #[test]
    fn a_text_is_looked_up_by_its_trigrams() {
        assert_eq!(expression("abc"), r#""abc""#);
        assert_eq!(expression("ab\"é日"), r#""ab""" AND "b""é" AND """é日""#);
        assert_eq!(expression("aaaaa"), r#""aaa""#);
        let long: String = (0..1000_u32).filter_map(|number| char::from_u32(0x4e00 + number)).collect();
        let trigrams: Vec<_> = long.chars().collect::<Vec<_>>().windows(3).map(String::from_iter).collect();
        let asked = expression(&long);
        let asked: Vec<_> = asked.split(" AND ").map(|quoted| quoted.trim_matches('"')).collect();
        assert_eq!(asked.len(), MAX_TRIGRAMS);
        assert!(asked.iter().all(|trigram| trigrams.iter().any(|other| other == trigram)));
        assert_eq!((asked[0], asked[15]), (trigrams[0].as_str(), trigrams[997].as_str()));
    }

    #[test]
    fn what_every_row_contains_can_be_looked_up() {
        let of = |filter: &Filter| searched(&JOBS, filter).map(str::to_owned);
        assert_eq!(of(&contains("日本語")).as_deref(), Some("日本語"));
        let both = Filter::Any(vec![contains("abc"), contains("abc")]);
        assert_eq!(of(&equal(4, Value::Int(1)).and(both)).as_deref(), Some("abc"));
        assert_eq!(of(&contains("abc").and(contains("abcd"))).as_deref(), Some("abcd"));
        for neither in [
            contains("日本"),
            contains("ab\0c"),
            Filter::Contains { column: 2, text: "abc".to_owned() },
            Filter::Any(vec![]),
            Filter::Any(vec![contains("abc"), contains("abd")]),
            Filter::Any(vec![contains("abc"), Filter::IsNull(3)]),
        ] {
            assert_eq!(of(&neither), None, "{neither:?}");
        }
    }

    #[test]
    fn candidates_are_asked_for_and_what_they_are_is_checked() {
        let owner = Some(Uuid::from_u128(1));
        let statement = count_by_search(&Count { table: &JOBS, owner, filter: contains("abcd") });
        let expected = r#"SELECT count(*) FROM "jobs" WHERE ("id") IN (SELECT "id" FROM "jobs_trgm" CROSS JOIN "jobs_trgm_keys" ON "trgm" = "jobs_trgm".rowid WHERE "jobs_trgm" MATCH ?1 UNION ALL SELECT "id" FROM "jobs_trgm_keys" WHERE "trgm" > (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'jobs_trgm_keys')) AND +"user_id" = ?2 AND instr("name_search", ?3) > 0"#;
        assert_eq!(statement.text, expected);
        assert_eq!(values(&statement), [text(r#""abc" AND "bcd""#), uuid(1), text("abcd")]);
        let short = page(owner, contains("ab"), &[]);
        assert_eq!(select_by_search(&short), crate::select(Dialect::Sqlite, &short));
    }

    #[test]
    fn the_shorter_way_is_asked_for_where_it_is_not_known() {
        let owner = Some(Uuid::from_u128(1));
        let asked = |select: &Select| select_goes_by_search(select).map_or_else(String::new, |it| it.text);
        let found =
            r#"SELECT (SELECT count(*) FROM (SELECT 1 FROM "jobs_trgm" WHERE "jobs_trgm" MATCH ?1 LIMIT"#;
        assert_eq!(asked(&page(owner, contains("abc"), &[0])), format!("{found} 4097)) <= 4096"));
        let owners = r#"(SELECT count(*) FROM (SELECT 1 FROM "jobs" WHERE "user_id" = ?2 LIMIT 262144))"#;
        let by_comparison = format!("{found} 65536)) * 4 < {owners}");
        assert_eq!(asked(&page(owner, contains("abc"), &[4])), by_comparison, "no index has this order");
        let all = Select { limit: None, ..page(owner, contains("abc"), &[0]) };
        assert_eq!(asked(&all), by_comparison, "all are wanted");
        assert_eq!(asked(&page(None, contains("abc"), &[4])), format!("{found} 65536)) <= 65535"));
        assert_eq!(asked(&page(owner, contains("ab"), &[0])), "");
        assert_eq!(asked(&page(owner, contains("abc").and(equal(0, uuid(1))), &[0])), "");
    }
}
