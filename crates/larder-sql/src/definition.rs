//! Reading the SQL in which a database describes its constraints and indexes, as far as larder writes it.

/// A constraint, as `CREATE TABLE` and `pg_get_constraintdef` write it.
#[derive(Debug, PartialEq)]
pub(crate) enum Constraint<'s> {
    PrimaryKey(Vec<String>),
    Unique(Vec<String>),
    ForeignKey {
        columns: Vec<String>,
        parent: String,
        parent_columns: Vec<String>,
        cascades: bool,
    },
    /// With its condition.
    Check(&'s str),
}

/// Reads what follows `CONSTRAINT name`; `None` for what larder does not write.
pub(crate) fn constraint(definition: &str) -> Option<Constraint<'_>> {
    let (head, inside, rest) = parenthesized(definition)?;
    match head.trim().to_ascii_uppercase().as_str() {
        "PRIMARY KEY" => Some(Constraint::PrimaryKey(names(inside))),
        "UNIQUE" => Some(Constraint::Unique(names(inside))),
        "CHECK" => Some(Constraint::Check(inside.trim())),
        "FOREIGN KEY" => {
            let (references, parent_columns, rest) = parenthesized(rest)?;
            let parent = references.trim().strip_prefix("REFERENCES")?;
            Some(Constraint::ForeignKey {
                columns: names(inside),
                parent: name(parent),
                parent_columns: names(parent_columns),
                cascades: rest.to_ascii_uppercase().contains("ON DELETE CASCADE"),
            })
        }
        _ => None,
    }
}

/// The named constraints of a `CREATE TABLE`: of the table, and those that stand behind a column.
pub(crate) fn constraints_of_table(sql: &str) -> Vec<(String, &str)> {
    let Some((_, inside, _)) = parenthesized(sql) else { return Vec::new() };
    let items = split(inside, ',').into_iter();
    let named = items.filter_map(|item| {
        let begin = find_word(item, "CONSTRAINT")? + "CONSTRAINT".len();
        let rest = item[begin..].trim_start();
        let end = rest.bytes().skip(1).position(|byte| byte == b'"')? + 2;
        Some((name(&rest[..end]), rest[end..].trim()))
    });
    named.collect()
}

/// An index, as `CREATE INDEX`, `pg_get_indexdef` and, of search on SQLite, `CREATE VIRTUAL TABLE` write it.
#[derive(Debug, PartialEq)]
pub(crate) struct Index {
    pub(crate) columns: Vec<String>,
    pub(crate) is_unique: bool,
    /// Has it a condition?
    pub(crate) is_partial: bool,
    /// Is it one of trigrams?
    pub(crate) is_of_search: bool,
}

/// Reads the statement that creates an index.
pub(crate) fn index(sql: &str) -> Option<Index> {
    let (head, inside, rest) = parenthesized(sql)?;
    let is_of_search = ["gin", "fts5"]
        .iter()
        .any(|kind| head.trim_end().to_ascii_lowercase().ends_with(&format!("using {kind}")));
    // An option of FTS5 has a value.
    let columns =
        split(inside, ',').into_iter().filter(|item| !outside_quotes(item).any(|(_, it, _)| it == '='));
    Some(Index {
        columns: columns.map(name).collect(),
        is_unique: head.to_ascii_uppercase().starts_with("CREATE UNIQUE"),
        is_partial: find_word(rest, "WHERE").is_some(),
        is_of_search,
    })
}

/// The texts of a list such as `'a', 'it''s'`.
pub(crate) fn texts(list: &str) -> Vec<String> {
    let text = |item: &str| Some(item.trim().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"));
    split(list, ',').into_iter().filter_map(text).collect()
}

/// What stands before the first parenthesis, in it, and behind it.
pub(crate) fn parenthesized(sql: &str) -> Option<(&str, &str, &str)> {
    let mut begin = None;
    for (index, character, depth) in outside_quotes(sql) {
        match (character, depth, begin) {
            ('(', 1, None) => begin = Some(index),
            (')', 0, Some(begin)) => return Some((&sql[..begin], &sql[begin + 1..index], &sql[index + 1..])),
            _ => {}
        }
    }
    None
}

/// The parts between separators that are in no quotes and no parentheses.
fn split(sql: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    for (index, character, depth) in outside_quotes(sql) {
        if character == separator && depth == 0 {
            parts.push(&sql[begin..index]);
            begin = index + 1;
        }
    }
    parts.push(&sql[begin..]);
    parts
}

/// Where a word begins that is in no quotes and no parentheses.
fn find_word(sql: &str, word: &str) -> Option<usize> {
    let begins =
        |index: usize| sql[index..].get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
    outside_quotes(sql).find(|(index, _, depth)| *depth == 0 && begins(*index)).map(|(index, ..)| index)
}

/// The characters that are in no quotes, with their places and the depth of parentheses behind each.
fn outside_quotes(sql: &str) -> impl Iterator<Item = (usize, char, usize)> + '_ {
    let (mut quote, mut depth) = (None, 0_usize);
    sql.char_indices().filter_map(move |(index, character)| {
        match (quote, character) {
            (Some(open), character) => {
                if open == character {
                    quote = None;
                }
                return None;
            }
            (None, '\'' | '"') => {
                quote = Some(character);
                return None;
            }
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        Some((index, character, depth))
    })
}

fn names(list: &str) -> Vec<String> {
    split(list, ',').into_iter().map(name).collect()
}

/// A name with or without quotes; a direction or a collation behind it is left out.
fn name(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
        None => text.split_ascii_whitespace().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints() {
        let strings = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let sql = r#"CREATE TABLE "t" (
            "a, (" TEXT NOT NULL DEFAULT 'x'',)',
            "b" TEXT CONSTRAINT "t_b_check" CHECK (length("b") > 1),
            CONSTRAINT "t_pkey" PRIMARY KEY ("a, (", "b"),
            CONSTRAINT "t_b_fkey" FOREIGN KEY ("b") REFERENCES "p" ("id") ON DELETE CASCADE
        ) STRICT"#;
        let found = constraints_of_table(sql);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["t_b_check", "t_pkey", "t_b_fkey"]);
        assert_eq!(constraint(found[0].1), Some(Constraint::Check(r#"length("b") > 1"#)));
        assert_eq!(constraint(found[1].1), Some(Constraint::PrimaryKey(strings(&["a, (", "b"]))));
        let foreign_key = |parent: &str, cascades| Constraint::ForeignKey {
            columns: strings(&["b"]),
            parent: parent.to_owned(),
            parent_columns: strings(&["id"]),
            cascades,
        };
        assert_eq!(constraint(found[2].1), Some(foreign_key("p", true)));
        assert_eq!(constraint("FOREIGN KEY (b) REFERENCES users(id)"), Some(foreign_key("users", false)));
        assert_eq!(constraint("EXCLUDE USING gist (b)"), None);
    }

    #[test]
    fn indexes() {
        let of = |columns: &[&str]| Index {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            is_unique: false,
            is_partial: false,
            is_of_search: false,
        };
        let plain = "CREATE INDEX i ON public.t USING btree (a, b DESC)";
        assert_eq!(index(plain), Some(of(&["a", "b"])));
        let partial = r#"CREATE UNIQUE INDEX "i" ON "t" ("where") WHERE "x" = 'y'"#;
        assert_eq!(index(partial), Some(Index { is_unique: true, is_partial: true, ..of(&["where"]) }));
        let searched = Some(Index { is_of_search: true, ..of(&["a_search", "b_search"]) });
        let gin = "CREATE INDEX t_trgm ON t USING gin (a_search gin_trgm_ops, b_search public.gin_trgm_ops)";
        assert_eq!(index(gin), searched);
        let fts =
            r#"CREATE VIRTUAL TABLE "t_trgm" USING fts5("a_search", "b_search", content='', detail=none)"#;
        assert_eq!(index(fts), searched);
    }

    #[test]
    fn lists_of_texts() {
        assert_eq!(texts("'a', 'it''s', 'b,c'"), ["a", "it's", "b,c"]);
    }
}
