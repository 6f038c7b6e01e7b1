//! The texts in the rows.

/// What the search looks for: in other letters than the rows have it, and in one of eight rows.
pub const SEARCH: &str = "THE WEATHER in o";

const SUBJECTS: [&str; 4] = ["the weather", "the cheapest train", "the news", "the best restaurant"];
const PLACES: [&str; 4] = ["Lisbon", "Oslo", "Turin", "Olbia"];

/// The text of job number `n` as it is loaded.
pub fn definition(n: usize) -> String {
    let (subject, place) = (SUBJECTS[n % 4], PLACES[n / 4 % 4]);
    format!("Tell me {subject} in {place} every morning at eight, request {n}")
}

/// A text to write.
pub fn new_definition() -> String {
    format!("Tell me what has changed since yesterday, request {}", fastrand::u32(..))
}

/// The content of message `n` of a job.
pub fn message(n: usize) -> String {
    format!("Message {n}: only when it rains, and in one sentence, please")
}

/// The pattern for LIKE that finds `search` in a column that holds text in lower case, with `\` as the escape.
pub fn pattern(search: &str) -> String {
    let escaped = search.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
