//! Entities of the suite's own, beside larder's model: what they have, any application's may have.

use chrono::{DateTime, Utc};
use larder::{Entity, EnumText, model::UserId};
use serde::Serialize;
use uuid::Uuid;

/// A thing that has a column of every type, and another of each that may be null. It belongs to nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(index = [level, id] where flag = true)]
pub struct Specimen {
    /// The id.
    pub id: SpecimenId,
    /// What it is called; no two are called the same.
    #[entity(length(1, 200), unique, sort, search)]
    pub label: String,
    /// A boolean.
    #[entity(default = false, filter)]
    pub flag: bool,
    /// A boolean, or null.
    pub flag_maybe: Option<bool>,
    /// Any integer.
    #[entity(default = 0, sort)]
    pub number: i64,
    /// Any integer, or null.
    #[entity(sort)]
    pub number_maybe: Option<i64>,
    /// An integer with a range.
    #[entity(default = 7, range(0..=100), sort)]
    pub level: i64,
    /// An integer with a range, or null.
    #[entity(range(-5..=5))]
    pub level_maybe: Option<i64>,
    /// A float.
    #[entity(default = 0.5, sort)]
    pub ratio: f64,
    /// A float, or null.
    #[entity(sort)]
    pub ratio_maybe: Option<f64>,
    /// Any text.
    #[entity(default = "", sort)]
    pub text: String,
    /// Any text, or null.
    #[entity(sort, search)]
    pub text_maybe: Option<String>,
    /// The address of a page, or null.
    #[entity(url)]
    pub link: Option<String>,
    /// Bytes.
    pub bytes: Vec<u8>,
    /// Bytes, or null.
    pub bytes_maybe: Option<Vec<u8>>,
    /// JSON.
    #[entity(default_json = "{}")]
    pub json: serde_json::Value,
    /// JSON, or null.
    pub json_maybe: Option<serde_json::Value>,
    /// An instant.
    #[entity(sort)]
    pub time: DateTime<Utc>,
    /// An instant, or null.
    #[entity(sort)]
    pub time_maybe: Option<DateTime<Utc>>,
    /// A UUID.
    pub uuid: Uuid,
    /// A UUID, or null.
    pub uuid_maybe: Option<Uuid>,
    /// One of three.
    #[entity(default = Colour::Red, sort, filter)]
    pub colour: Colour,
    /// One of three, or null.
    pub colour_maybe: Option<Colour>,
    /// When it was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

impl Specimen {
    /// What creates one that is called so, with nothing null that need not be, and null all else.
    pub fn plain(label: impl Into<String>) -> NewSpecimen {
        NewSpecimen::new(label.into(), Vec::new(), DateTime::UNIX_EPOCH, Uuid::nil())
    }
}

/// An enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumText)]
#[entity(name = "conformance_colour")]
pub enum Colour {
    /// The first.
    Red,
    /// The second; its text sorts before the first's.
    Amber,
    /// The third.
    Green,
}

/// A note of a user, who has no two with the same title.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(unique = [user_id, title])]
pub struct Note {
    /// The id.
    pub id: NoteId,
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// What it is called.
    #[entity(length(1, 200), sort, search)]
    pub title: String,
    /// What it says.
    #[entity(search)]
    pub body: Option<String>,
    /// How often it was read.
    #[entity(default = 0, range(0..), sort)]
    pub views: i64,
    /// Is it kept on top?
    #[entity(default = false, filter)]
    pub pinned: bool,
    /// When it was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

/// A folder of a user, which may lie in another one.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(unique = [user_id, id])]
pub struct Folder {
    /// The id.
    pub id: FolderId,
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// The folder that it lies in; none, when it is on top.
    #[entity(parent)]
    pub parent_id: Option<FolderId>,
    /// What it is called.
    #[entity(length(1, 100), sort, search)]
    pub name: String,
    /// When it was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

/// A number that was counted on a day: its key has two columns.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "tallies")]
pub struct Tally {
    /// The day.
    #[entity(key, length(1, 40))]
    pub day: String,
    /// Which of the day's.
    #[entity(key)]
    pub number: i64,
    /// How many.
    #[entity(default = 0)]
    pub count: i64,
}
