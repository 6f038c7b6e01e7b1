//! Names made from names.

/// The words of a Rust name, in lowercase: `ApiKey` and `api_key` are both `api`, `key`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut begins = true;
    for (position, &character) in characters.iter().enumerate() {
        if character == '_' {
            begins = true;
            continue;
        }
        let before = position.checked_sub(1).map(|before| characters[before]);
        let next_is_lowercase = characters.get(position + 1).is_some_and(|next| next.is_lowercase());
        // `APIKey` is two words: the last capital of a run begins a word when a lowercase letter follows.
        let capital = character.is_uppercase()
            && before.is_some_and(|before| !before.is_uppercase() || next_is_lowercase);
        if begins || capital {
            words.push(String::new());
            begins = false;
        }
        if let Some(word) = words.last_mut() {
            word.extend(character.to_lowercase());
        }
    }
    words
}

/// `api_key`.
pub(crate) fn snake(name: &str) -> String {
    words(name).join("_")
}

/// `API_KEY`.
pub(crate) fn screaming(name: &str) -> String {
    snake(name).to_uppercase()
}

/// `ApiKey`.
pub(crate) fn camel(name: &str) -> String {
    words(name).iter().map(|word| capitalized(word)).collect()
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// The English plural of a noun, by its ending: `job` → `jobs`, `entry` → `entries`, `key` → `keys`, `box` → `boxes`.
pub(crate) fn plural(noun: &str) -> String {
    if let Some(stem) = noun.strip_suffix('y')
        && !stem.ends_with(['a', 'e', 'i', 'o', 'u'])
    {
        return format!("{stem}ies");
    }
    if ["s", "x", "z", "ch", "sh"].iter().any(|ending| noun.ends_with(ending)) {
        return format!("{noun}es");
    }
    format!("{noun}s")
}

/// Why this cannot be the name of a table, a column or a type in both databases.
pub(crate) fn refused(name: &str) -> Option<String> {
    let is_snake = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|rest| rest.is_ascii_lowercase() || rest.is_ascii_digit() || rest == '_');
    if !is_snake {
        return Some(format!("`{name}` is no name in snake_case: letters a to z, digits and _ are allowed"));
    }
    too_long(name)
}

/// PostgreSQL cuts longer names off without an error.
pub(crate) fn too_long(name: &str) -> Option<String> {
    const MAX: usize = 63;
    (name.len() > MAX).then(|| format!("the name `{name}` has {} bytes; PostgreSQL keeps {MAX}", name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_where_a_reader_would() {
        assert_eq!(snake("ContextEntry"), "context_entry");
        assert_eq!(snake("APIKey"), "api_key");
        assert_eq!(snake("Utf8Text"), "utf8_text");
        assert_eq!(snake("created_at"), "created_at");
        assert_eq!(screaming("OnHold"), "ON_HOLD");
        assert_eq!(camel("next_run_at"), "NextRunAt");
    }

    #[test]
    fn plurals_follow_the_ending() {
        for (one, many) in [
            ("job", "jobs"),
            ("ContextEntry", "ContextEntries"),
            ("api_key", "api_keys"),
            ("status", "statuses"),
            ("box", "boxes"),
            ("branch", "branches"),
        ] {
            assert_eq!(plural(one), many);
        }
    }

    #[test]
    fn names_that_a_database_would_change_are_refused() {
        assert_eq!(refused("context_entries"), None);
        assert_eq!(refused("_x1"), None);
        for name in ["Jobs", "1st", "naïve", "a-b", ""] {
            assert!(refused(name).is_some_and(|reason| reason.contains("snake_case")), "{name}");
        }
        assert_eq!(refused(&"x".repeat(63)), None);
        assert!(refused(&"x".repeat(64)).is_some_and(|reason| reason.contains("64 bytes")));
    }
}
