//! What SQL says, as far as that can be seen without a parser.

/// Words that begin a statement which opens or ends a transaction, or changes which databases there are.
const REFUSED: &[&str] = &["ATTACH", "BEGIN", "COMMIT", "DETACH", "END", "RELEASE", "ROLLBACK", "SAVEPOINT"];

/// Does one of the statements open or end a transaction, or attach a database? The body of a trigger is no statement of its
/// own: it is one with what stands before its `BEGIN`.
pub(crate) fn ends_transaction(sql: &str) -> bool {
    let mut at_start = true;
    let mut creates = false;
    // How many of BEGIN and CASE wait for their END, within a trigger.
    let mut open = 0_usize;
    let mut is_trigger = false;
    for word in Words(sql) {
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            ";" if open == 0 => {
                (at_start, creates, is_trigger) = (true, false, false);
                continue;
            }
            "CREATE" if at_start => creates = true,
            "TRIGGER" if creates => is_trigger = true,
            "BEGIN" | "CASE" if is_trigger => open += 1,
            "END" if is_trigger => open = open.saturating_sub(1),
            word if at_start && REFUSED.contains(&word) => return true,
            _ => {}
        }
        at_start = false;
    }
    false
}

/// Does it begin as a statement that may be a read?
#[cfg(feature = "replica")]
pub(crate) fn may_read(sql: &str) -> bool {
    const READ: &[&str] = &["EXPLAIN", "PRAGMA", "SELECT", "VALUES", "WITH"];
    Words(sql).next().is_some_and(|first| READ.iter().any(|word| first.eq_ignore_ascii_case(word)))
}

/// The words and semicolons of a text, without comments, literals and quoted names.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.0;
            let first = text.chars().next()?;
            let is_word = |character: char| character.is_alphanumeric() || character == '_';
            let (taken, is_item) = match first {
                '\'' | '"' | '`' => (quoted(text, first), false),
                '[' => (until(text, "]"), false),
                '-' if text.starts_with("--") => (until(text, "\n"), false),
                '/' if text.starts_with("/*") => (until(text, "*/"), false),
                ';' => (1, true),
                _ if is_word(first) => (text.find(|c| !is_word(c)).unwrap_or(text.len()), true),
                _ => (first.len_utf8(), false),
            };
            self.0 = &text[taken..];
            if is_item {
                return Some(&text[..taken]);
            }
        }
    }
}

/// The length of what is quoted; a quote that is doubled ends one and begins the next.
fn quoted(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |length| length + 2)
}

fn until(text: &str, end: &str) -> usize {
    text[1..].find(end).map_or(text.len(), |length| 1 + length + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_transaction_is_seen() {
        for sql in [
            "COMMIT",
            " begin immediate",
            "SELECT 1; -- and then\n rollback",
            "/* ; */ ;; Savepoint a",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; END; COMMIT",
            "attach 'file' as b",
        ] {
            assert!(ends_transaction(sql), "{sql}");
        }
        for sql in [
            "SELECT 'COMMIT'; SELECT \"; commit\"",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO b VALUES (1); DELETE FROM c; END; SELECT 1",
            "-- commit\nSELECT 1",
            "INSERT INTO a VALUES ('it''s; commit')",
            "SELECT [;] commit FROM a",
            "",
        ] {
            assert!(!ends_transaction(sql), "{sql}");
        }
    }
}
