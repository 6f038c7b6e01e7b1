//! The suite's own entities.

use larder::{Change, Filter, SortDirection};

use super::{On, Performed, one_id};
use crate::{
    call::shown,
    entities::{
        Colour, Folder, ListNotes, ListSpecimens, NewFolder, NewNote, NewSpecimen, Note, NoteSort, Specimen,
        SpecimenPatch, SpecimenSort,
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::random) enum Do {
    Create,
    CreateMany,
    Put,
    Update,
    Add,
    Delete,
    Find,
    List,
    Select,
    Totals,
    DeleteMany,
    PutNote,
    ListNotes,
    CreateFolder,
    DeleteFolder,
}

const SORTS: &[SpecimenSort] = &[
    SpecimenSort::Label,
    SpecimenSort::Number,
    SpecimenSort::NumberMaybe,
    SpecimenSort::Level,
    SpecimenSort::Ratio,
    SpecimenSort::RatioMaybe,
    SpecimenSort::Text,
    SpecimenSort::TextMaybe,
    SpecimenSort::Time,
    SpecimenSort::TimeMaybe,
    SpecimenSort::Colour,
    SpecimenSort::CreatedAt,
    SpecimenSort::UpdatedAt,
];

impl On<'_> {
    pub(super) async fn own(&mut self, what: Do) -> Performed {
        match what {
            Do::PutNote | Do::ListNotes | Do::CreateFolder | Do::DeleteFolder => {
                self.notes_and_folders(what).await
            }
            Do::Find | Do::List | Do::Select => self.read_specimens(what).await,
            Do::Totals => self.totals().await,
            _ => self.write_specimens(what).await,
        }
    }

    async fn write_specimens(&mut self, what: Do) -> Performed {
        let specimens = self.system.repo::<Specimen>();
        let id = one_id(self.values.0, &self.known.specimens);
        let mut done = Performed { call: format!("specimens: {what:?} {id} "), ..Performed::default() };
        match what {
            Do::Create | Do::Put => {
                let new = self.new_specimen();
                done.call = format!("specimens: {what:?} {new:?}");
                let made = match what {
                    Do::Put => specimens.put(new, LABEL).await,
                    _ => specimens.create(new).await,
                };
                done.made.specimens.extend(made.iter().map(|specimen| specimen.id));
                done.answer = shown(&made);
            }
            Do::CreateMany => {
                let new: Vec<_> = (0..self.values.0.usize(0..4)).map(|_| self.new_specimen()).collect();
                done.call = format!("specimens: {what:?} {new:?}");
                let made = specimens.create_many(new).await;
                done.made.specimens.extend(made.iter().flatten().map(|specimen| specimen.id));
                done.answer = shown(&made);
            }
            Do::Update => {
                let patch = self.specimen_patch();
                done.call.push_str(&format!("{patch:?}"));
                done.answer = shown(&specimens.update(id, patch).await);
            }
            Do::Add => {
                let by = self.values.int();
                let add =
                    if self.values.chance(50) { Specimen::NUMBER.add(by) } else { Specimen::LEVEL.add(by) };
                let guard = self.filter();
                done.call.push_str(&format!("{add:?} if {guard:?}"));
                done.answer = shown(&specimens.update_if(id, guard, vec![add]).await);
            }
            Do::DeleteMany => {
                // Most of those that are there stay, so that there is something to do for what follows.
                let level = Specimen::LEVEL.eq(self.values.one_of(&[7, 100])).unwrap();
                let filter = self.filter().and(level);
                done.call = format!("specimens: {what:?} {filter:?}");
                done.answer = shown(&specimens.delete_many(filter).await);
            }
            _ => done.answer = shown(&specimens.delete(id).await),
        }
        done
    }

    async fn totals(&mut self) -> Performed {
        let specimens = self.system.repo::<Specimen>();
        let filter = self.filter();
        let fields = [Specimen::NUMBER, Specimen::LEVEL];
        let by = self.values.one_of(&["nothing", "colour", "text_maybe", "time", "ratio_maybe"]);
        let call = format!("specimens: totals by {by} of {filter:?}");
        let answer = match by {
            "colour" => shown(&specimens.sums_by(Specimen::COLOUR, filter, fields).await),
            "text_maybe" => shown(&specimens.sums_by(Specimen::TEXT_MAYBE, filter, fields).await),
            "time" => shown(&specimens.count_by(Specimen::TIME, filter).await),
            "ratio_maybe" => shown(&specimens.count_by(Specimen::RATIO_MAYBE, filter).await),
            _ => shown(&specimens.sums(filter, fields).await),
        };
        Performed { call, answer, ..Performed::default() }
    }

    async fn read_specimens(&mut self, what: Do) -> Performed {
        let specimens = self.system.repo::<Specimen>();
        let mut done = Performed::default();
        match what {
            Do::Find => {
                let (id, label) = (one_id(self.values.0, &self.known.specimens), self.label());
                done.call = format!("specimens.get({id}), get_by(label, {label:?})");
                let (by_id, by_label) =
                    (specimens.get(id).await, specimens.get_by(Specimen::LABEL, label).await);
                done.answer = format!("{}\n{}", shown(&by_id), shown(&by_label));
            }
            Do::List => {
                let list = self.list_specimens();
                done.call = format!("specimens.list({list:?}), two pages");
                let first = specimens.list(list.clone()).await;
                let next = first.as_ref().ok().and_then(|page| page.next.clone());
                let second = specimens.list(ListSpecimens { cursor: next, page: 1, ..list }).await;
                done.answer = format!("{}\n{}", shown(&first), shown(&second));
            }
            _ => {
                let filter = self.filter();
                let order = vec![Specimen::ID.order(SortDirection::Asc)];
                let limit = self.values.one_of(&[None, Some(0), Some(3)]);
                done.call = format!("specimens.select({filter:?}, limit {limit:?}), count");
                let selected = specimens.select(filter.clone(), order, limit).await;
                done.answer = format!("{}\n{}", shown(&selected), shown(&specimens.count(filter).await));
            }
        }
        done
    }

    async fn notes_and_folders(&mut self, what: Do) -> Performed {
        let user = self.someone();
        let (notes, folders) = (user.repo::<Note>(), user.repo::<Folder>());
        let mut done = Performed { call: format!("of {}: {what:?} ", user.owner()), ..Performed::default() };
        match what {
            Do::PutNote => {
                let body = self.values.maybe(|values| values.text());
                let new = NewNote { body, views: self.values.0.i64(0..3), ..NewNote::new(self.label()) };
                done.call.push_str(&format!("{new:?}"));
                let put = if self.values.chance(70) {
                    notes.put(new, TITLE).await
                } else {
                    notes.create(new).await
                };
                done.made.notes.extend(put.iter().map(|note| note.id));
                done.answer = shown(&put);
            }
            Do::ListNotes => {
                let list = ListNotes {
                    search: self.values.maybe(|values| values.text()),
                    sort_by: self.values.one_of(&[NoteSort::Title, NoteSort::Views]),
                    sort_direction: self.direction(),
                    ..ListNotes::default()
                };
                let note = one_id(self.values.0, &self.known.notes);
                done.call.push_str(&format!("{list:?}, get {note}"));
                done.answer =
                    format!("{}\n{}", shown(&notes.list(list).await), shown(&notes.get(note).await));
            }
            Do::CreateFolder => {
                let inside = one_id(self.values.0, &self.known.folders);
                let parent_id = self.values.maybe(|_| inside);
                let new = NewFolder { parent_id, ..NewFolder::new(self.values.text_within(1, 100)) };
                done.call.push_str(&format!("{new:?}"));
                let made = folders.create(new).await;
                done.made.folders.extend(made.iter().map(|folder| folder.id));
                done.answer = shown(&made);
            }
            _ => {
                let folder = one_id(self.values.0, &self.known.folders);
                done.call.push_str(&folder.to_string());
                let deleted = shown(&folders.delete(folder).await);
                done.answer = format!("{deleted}\n{}", shown(&folders.count(Filter::always()).await));
            }
        }
        done
    }

    /// One of few labels, so that they collide; now and then one that breaks the rule.
    fn label(&mut self) -> String {
        match self.values.0.u8(0..10) {
            0 => self.values.text_within(1, 200),
            _ => format!("label {}", self.values.0.u8(0..40)),
        }
    }

    pub(super) fn new_specimen(&mut self) -> NewSpecimen {
        let label = self.label();
        let values = &mut self.values;
        NewSpecimen {
            label,
            flag: values.chance(50),
            flag_maybe: values.maybe(|values| values.chance(50)),
            number: values.int(),
            number_maybe: values.maybe(|values| values.int()),
            level: values.one_of(&[0, 7, 50, 100, 100, 101]),
            level_maybe: values.maybe(|values| values.0.i64(-5..=5)),
            ratio: values.float(),
            ratio_maybe: values.maybe(|values| values.float()),
            text: values.text(),
            text_maybe: values.maybe(|values| values.text()),
            link: values.maybe(|_| "https://example.org/é?a=%20#x".to_owned()),
            bytes: values.bytes(),
            bytes_maybe: values.maybe(|values| values.bytes()),
            json: values.json(),
            json_maybe: values.maybe(|values| values.json()),
            time: values.time(),
            time_maybe: values.maybe(|values| values.time()),
            uuid: values.uuid(),
            uuid_maybe: values.maybe(|values| values.uuid()),
            colour: values.one_of(COLOURS),
            colour_maybe: values.maybe(|values| values.one_of(COLOURS)),
        }
    }

    fn specimen_patch(&mut self) -> SpecimenPatch {
        let new = self.new_specimen();
        let values = &mut self.values;
        SpecimenPatch {
            label: values.change(|_| new.label),
            flag: values.change(|_| new.flag),
            number: values.change(|_| new.number),
            number_maybe: values.change(|_| new.number_maybe),
            level: values.change(|_| new.level),
            ratio_maybe: values.change(|_| new.ratio_maybe),
            text: values.change(|_| new.text),
            text_maybe: values.change(|_| new.text_maybe),
            bytes_maybe: values.change(|_| new.bytes_maybe),
            json: values.change(|_| new.json),
            json_maybe: values.change(|_| new.json_maybe),
            time_maybe: values.change(|_| new.time_maybe),
            uuid_maybe: values.change(|_| new.uuid_maybe),
            colour: values.change(|_| new.colour),
            colour_maybe: Change::Leave,
            ..SpecimenPatch::default()
        }
    }

    fn list_specimens(&mut self) -> ListSpecimens {
        ListSpecimens {
            page: self.values.one_of(&[1, 1, 1, 3, u32::MAX]),
            page_size: self.values.one_of(&[1, 3, 10, 100]),
            sort_by: self.values.one_of(SORTS),
            sort_direction: self.direction(),
            search: if self.values.chance(40) { Some(self.values.text()) } else { None },
            flag: if self.values.chance(20) { Some(true) } else { None },
            colour: if self.values.chance(20) { Some(self.values.one_of(COLOURS)) } else { None },
            ..ListSpecimens::default()
        }
    }

    /// A condition of up to three parts; it is on what was written, so that some rows meet it.
    fn filter(&mut self) -> Filter {
        let parts: Vec<_> = (0..self.values.0.usize(0..3)).filter_map(|_| self.condition().ok()).collect();
        if self.values.chance(50) || parts.is_empty() { Filter::All(parts) } else { Filter::Any(parts) }
    }

    fn condition(&mut self) -> larder::Result<Filter> {
        let values = &mut self.values;
        match values.0.u8(0..12) {
            0 => Specimen::NUMBER.ge(values.int()),
            1 => Specimen::NUMBER_MAYBE.ne(Some(values.int())),
            2 => Specimen::RATIO.lt(values.float()),
            3 => Specimen::TEXT.le(values.text()),
            4 => Specimen::TEXT_MAYBE.eq(Some(values.text())),
            5 => Specimen::TIME.gt(values.time()),
            6 => Specimen::COLOUR.ge(values.one_of(COLOURS)),
            7 => Specimen::LEVEL.is_in([0, 7, 100]),
            8 => Ok(Specimen::TIME_MAYBE.is_null()),
            9 => Ok(Specimen::JSON_MAYBE.is_not_null()),
            10 => Specimen::JSON.eq(values.json()),
            _ => Specimen::FLAG_MAYBE.eq(Some(true)),
        }
    }
}

const COLOURS: &[Colour] = &[Colour::Red, Colour::Amber, Colour::Green];

/// The unique key of a specimen.
const LABEL: &[usize] = &[Specimen::LABEL.position()];

/// The unique key of a note.
const TITLE: &[usize] = &[Note::USER_ID.position(), Note::TITLE.position()];
