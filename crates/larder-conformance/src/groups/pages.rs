//! Pages: put together they are the list, however they are cut, and whatever happens in between.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use larder::{Cursor, Entity, MAX_PAGE_SIZE, Page, Repo, Result, SortDirection, Value, model::*};
use serde_json::json;

use crate::{
    beginning,
    entities::{
        Colour, ListNotes, ListSpecimens, NewNote, NewSpecimen, Note, NoteSort, Specimen, SpecimenPatch,
        SpecimenSort,
    },
    expect::assert_invalid_for,
};

cases! {
    /// For every page size from 1 to one more than there are rows, the pages by number and those by cursor
    /// are the whole list; each says rightly whether one follows.
    #[covers(18)]
    async fn the_pages_of_every_size_are_the_whole_list(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let made = specimens.create_many(mixed(13)).await?;
        let expected = sorted(&made, SpecimenSort::NumberMaybe, SortDirection::Asc);
        for page_size in 1..=made.len() as u32 + 1 {
            let list = ListSpecimens {
                page_size,
                sort_by: SpecimenSort::NumberMaybe,
                sort_direction: SortDirection::Asc,
                ..Default::default()
            };
            assert_eq!(by_number(&specimens, &list).await?, expected, "pages of {page_size} by number");
            assert_eq!(by_cursor(&specimens, &list).await?, expected, "pages of {page_size} by cursor");
        }
    }

    /// The same for every sort key in both directions: rows come in the key's order, those that are equal in
    /// the order of their ids, those that have NULL last, and no page overlaps another or leaves a row out.
    #[covers(18, 19, 26)]
    async fn every_sort_key_orders_and_pages_alike(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let mut made = specimens.create_many(mixed(6)).await?;
        world.clock().advance(TimeDelta::microseconds(1));
        made.extend(specimens.create_many(mixed(13).split_off(6)).await?);
        let keys: Vec<SpecimenSort> = Specimen::TABLE
            .visible()
            .iter()
            .filter_map(|column| serde_json::from_value(json!(column.name)).ok())
            .collect();
        assert!(keys.len() >= 13, "there are more sort keys than {keys:?}");
        for sort_by in keys {
            for sort_direction in [SortDirection::Asc, SortDirection::Desc] {
                let expected = sorted(&made, sort_by, sort_direction);
                for page_size in [2, 5, 13] {
                    let list = ListSpecimens { page_size, sort_by, sort_direction, ..Default::default() };
                    let what = format!("{sort_by:?} {sort_direction:?} by {page_size}");
                    assert_eq!(by_number(&specimens, &list).await?, expected, "{what}, by number");
                    assert_eq!(by_cursor(&specimens, &list).await?, expected, "{what}, by cursor");
                }
            }
        }
    }

    /// NULLs are last in both directions, and a walk goes on across the border to them, and among them.
    #[covers(26)]
    async fn nulls_come_last_in_both_directions(world: World) {
        let mine = world.user("Ada").await?;
        let new = |(number, days): (usize, &Option<i64>)| NewJob {
            next_run_at: days.map(|days| beginning() + TimeDelta::days(days)),
            ..NewJob::new(format!("job {number}"))
        };
        let days = [None, Some(3), Some(1), None, Some(-9), None, Some(2)];
        mine.jobs().create_many(days.iter().enumerate().map(new).collect::<Vec<_>>()).await?;
        for (sort_direction, expected) in [
            (SortDirection::Asc, [Some(-9), Some(1), Some(2), Some(3), None, None, None]),
            (SortDirection::Desc, [Some(3), Some(2), Some(1), Some(-9), None, None, None]),
        ] {
            for page_size in 1..=7 {
                let mut list =
                    ListJobs { page_size, sort_by: JobSort::NextRunAt, sort_direction, ..Default::default() };
                let mut found = Vec::new();
                loop {
                    let page = mine.jobs().list(list.clone()).await?;
                    found.extend(
                        page.items.iter().map(|job| job.next_run_at.map(|at| (at - beginning()).num_days())),
                    );
                    let Some(next) = page.next else { break };
                    list.cursor = Some(next);
                }
                assert_eq!(found, expected, "{sort_direction:?} by {page_size}");
            }
        }
    }

    /// A cursor stands exactly where it stood: between neighbours a microsecond, or the last bit of a float,
    /// apart, between the extremes of integers, and between texts that look alike.
    #[covers(18)]
    async fn a_cursor_keeps_its_place_to_the_last_bit(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let mut random = fastrand::Rng::with_seed(11);
        let ends = [i64::MIN, i64::MAX, 1 << 53, -(1 << 53)];
        let texts = ["é", "e\u{301}", "E", "\"", "\\", "'", "\u{10ffff}", " ", "", "\n", "😀", "%"];
        let new = |number: usize| {
            let float = if number.is_multiple_of(2) { random.f64() } else { f64::from_bits(random.u64(..) >> 2) };
            let time =
                DateTime::from_timestamp_micros(ends_of_time(number) + number as i64).unwrap_or_default();
            NewSpecimen {
                number: ends[number % 4].saturating_add(number as i64 / 4),
                number_maybe: Some(ends[number % 4].saturating_sub(number as i64 / 4)),
                ratio: float,
                ratio_maybe: Some(if number.is_multiple_of(3) { float.next_up() } else { -float }),
                text: texts[number % texts.len()].to_owned(),
                text_maybe: Some(texts[number % texts.len()].repeat(number)),
                time,
                time_maybe: Some(time),
                ..Specimen::plain(format!("{number}"))
            }
        };
        let made = specimens.create_many((0..60).map(new).collect::<Vec<_>>()).await?;
        for sort_by in [
            SpecimenSort::Number,
            SpecimenSort::NumberMaybe,
            SpecimenSort::Ratio,
            SpecimenSort::RatioMaybe,
            SpecimenSort::Text,
            SpecimenSort::TextMaybe,
            SpecimenSort::Time,
            SpecimenSort::TimeMaybe,
        ] {
            for sort_direction in [SortDirection::Asc, SortDirection::Desc] {
                let list = ListSpecimens { page_size: 1, sort_by, sort_direction, ..Default::default() };
                let expected = sorted(&made, sort_by, sort_direction);
                assert_eq!(by_cursor(&specimens, &list).await?, expected, "{sort_by:?} {sort_direction:?}");
            }
        }
    }

    /// While others insert, delete and change keys in the middle of a walk by cursor, what existed throughout
    /// with the same key comes exactly once, in order, also when the row on which the cursor stands is
    /// deleted or moved.
    #[covers(20)]
    async fn a_walk_finds_once_what_stays_throughout(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let mut random = fastrand::Rng::with_seed(20);
        for (walk, page_size) in [1, 2, 3, 7].into_iter().enumerate() {
            let sort_direction = if walk % 2 == 0 { SortDirection::Asc } else { SortDirection::Desc };
            let number = |random: &mut fastrand::Rng| {
                if random.u8(0..5) == 0 { None } else { Some(random.i64(0..20)) }
            };
            let new = |index: usize| NewSpecimen {
                number_maybe: number(&mut random),
                ..Specimen::plain(format!("walk {walk}: {index}"))
            };
            let mut there = specimens.create_many((0..60).map(new).collect::<Vec<_>>()).await?;
            let mut stayed = there.clone();
            let mut list = ListSpecimens {
                page_size,
                sort_by: SpecimenSort::NumberMaybe,
                sort_direction,
                ..Default::default()
            };
            let mut seen = Vec::new();
            loop {
                let page = specimens.list(list.clone()).await?;
                seen.extend(page.items.iter().cloned());
                let Some(next) = page.next else { break };
                list.cursor = Some(next);
                if page_size == 1 && random.bool() {
                    continue; // or nothing would stay
                }
                // The last one of the page is where the cursor stands.
                let standing = page.items.last().filter(|_| random.u8(0..3) == 0).map(|last| last.id);
                let at = there.iter().position(|row| Some(row.id) == standing);
                let gone = there.swap_remove(at.unwrap_or_else(|| random.usize(0..there.len())));
                specimens.delete(gone.id).await?;
                let moved = random.usize(0..there.len());
                let patch =
                    SpecimenPatch { number_maybe: number(&mut random).into(), ..SpecimenPatch::default() };
                let moved = specimens.update(there[moved].id, patch).await?;
                stayed.retain(|row| row.id != gone.id && row.id != moved.id);
                let inserted = Specimen::plain(format!("walk {walk}: in the middle of it, {}", seen.len()));
                let number_maybe = number(&mut random);
                there.push(specimens.create(NewSpecimen { number_maybe, ..inserted }).await?);
            }
            let ids: BTreeSet<_> = stayed.iter().map(|row| row.id).collect();
            seen.retain(|row| ids.contains(&row.id));
            assert!(stayed.len() >= 10, "too little stayed to show anything: {}", stayed.len());
            assert_eq!(
                labels(&seen),
                sorted(&stayed, SpecimenSort::NumberMaybe, sort_direction),
                "pages of {page_size}"
            );
            for row in &there {
                specimens.delete(row.id).await?;
            }
        }
    }

    /// A cursor that was tampered with, cut off, made up, or is of no use at all is `Invalid`, never an empty
    /// page and never a panic.
    #[covers(21)]
    async fn a_forged_cursor_is_invalid(world: World) {
        let specimens = world.system().repo::<Specimen>();
        specimens.create_many(mixed(5)).await?;
        let list = ListSpecimens { page_size: 2, sort_by: SpecimenSort::Label, ..Default::default() };
        let good = specimens.list(list.clone()).await?.next.unwrap();
        let text = good.as_str();
        let mut forged: Vec<String> = vec![
            String::new(),
            " ".into(),
            "0".into(),
            "null".into(),
            "nonsense".into(),
            "é😀".into(),
            "\0".into(),
            "AAAA".repeat(1000),
            "A".repeat(1_000_000),
            "..".into(),
            "[]".into(),
            "W10".into(),
            "'; --".into(),
            format!("{text}="),
            format!(" {text}"),
            format!("{text}AAAA"),
            text.repeat(2),
            text.to_uppercase(),
            text.chars().rev().collect(),
        ];
        for index in 0..text.len() {
            let other = if text.as_bytes()[index] == b'A' { 'B' } else { 'A' };
            forged.push(text[..index].to_owned());
            forged
                .push(text.chars().enumerate().map(|(at, c)| if at == index { other } else { c }).collect());
        }
        for cursor in forged {
            let cursor = Some(Cursor::new(cursor));
            assert_invalid_for(
                specimens.list(ListSpecimens { cursor: cursor.clone(), ..list.clone() }).await,
                "cursor",
                &cursor,
            );
        }
        assert_eq!(specimens.list(ListSpecimens { cursor: Some(good), ..list }).await?.items.len(), 2);
    }

    /// A cursor is good for its own list alone: not for another sort, direction, search, filter, entity or
    /// user. The page size may change on the way.
    #[covers(21)]
    async fn a_cursor_of_another_list_is_invalid(world: World) {
        let specimens = world.system().repo::<Specimen>();
        specimens.create_many(mixed(9)).await?;
        let list = ListSpecimens { page_size: 2, sort_by: SpecimenSort::Number, ..Default::default() };
        let cursor = specimens.list(list.clone()).await?.next;
        assert!(cursor.is_some());
        let mine = ListSpecimens { cursor: cursor.clone(), ..list };
        let others = [
            ListSpecimens { sort_by: SpecimenSort::Level, ..mine.clone() },
            ListSpecimens { sort_by: SpecimenSort::NumberMaybe, ..mine.clone() },
            ListSpecimens { sort_by: SpecimenSort::Label, ..mine.clone() },
            ListSpecimens { sort_direction: SortDirection::Asc, ..mine.clone() },
            ListSpecimens { search: Some("x".into()), ..mine.clone() },
            ListSpecimens { flag: Some(true), ..mine.clone() },
            ListSpecimens { colour: Some(Colour::Red), ..mine.clone() },
        ];
        for other in others {
            assert_invalid_for(specimens.list(other.clone()).await, "cursor", &other);
        }
        let rest = specimens.list(ListSpecimens { page_size: 100, ..mine }).await?;
        assert_eq!((rest.items.len(), rest.has_next), (7, false));

        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        for user in [&ada, &bob] {
            user.repo::<Note>().create_many(["one", "two", "three"].map(NewNote::new)).await?;
        }
        let list = ListNotes { page_size: 1, sort_by: NoteSort::Title, ..Default::default() };
        let of_ada = ada.repo::<Note>().list(list.clone()).await?.next;
        assert!(of_ada.is_some());
        for (cursor, what) in [(of_ada, "Ada's"), (cursor, "of specimens")] {
            let refused = bob.repo::<Note>().list(ListNotes { cursor, ..list.clone() }).await;
            assert_invalid_for(refused, "cursor", what);
        }
    }

    /// Page 0, a page of 0 or of 101, and a page number beside a cursor are `Invalid` with the field; a page
    /// far behind the end is empty.
    #[covers(22)]
    async fn pages_out_of_range_are_invalid_or_empty(world: World) {
        let specimens = world.system().repo::<Specimen>();
        specimens.create_many(mixed(13)).await?;
        let cursor = specimens.list(ListSpecimens::default()).await?.next;
        let list = ListSpecimens::default;
        for (field, refused) in [
            ("page", ListSpecimens { page: 0, ..list() }),
            ("page_size", ListSpecimens { page_size: 0, ..list() }),
            ("page_size", ListSpecimens { page_size: MAX_PAGE_SIZE + 1, ..list() }),
            ("page_size", ListSpecimens { page_size: u32::MAX, ..list() }),
            ("page", ListSpecimens { page: 2, cursor, ..list() }),
        ] {
            assert_invalid_for(specimens.list(refused.clone()).await, field, &refused);
        }
        for page in [3, 1000, i32::MAX as u32, u32::MAX] {
            for page_size in [10, MAX_PAGE_SIZE] {
                let empty = specimens.list(ListSpecimens { page, page_size, ..list() }).await?;
                assert_eq!(
                    (empty.items.len(), empty.has_next, empty.next),
                    (0, false, None),
                    "page {page} of {page_size}"
                );
            }
        }
        let largest = specimens.list(ListSpecimens { page_size: MAX_PAGE_SIZE, ..list() }).await?;
        assert_eq!((largest.items.len(), largest.has_next), (13, false));
        assert_eq!(specimens.list(list()).await?.items.len(), 10, "ten, when nothing is said");
    }

    /// A list of nothing is one empty page; a filter that nothing meets too.
    #[covers(22)]
    async fn a_list_of_nothing_is_one_empty_page(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let nothing = Page { items: Vec::new(), has_next: false, next: None };
        assert_eq!(specimens.list(ListSpecimens::default()).await?, nothing);
        specimens.create(Specimen::plain("red")).await?;
        let green = ListSpecimens { colour: Some(Colour::Green), ..Default::default() };
        assert_eq!(specimens.list(green).await?, nothing);
    }
}

/// Specimens with tied keys, NULLs, and keys that sort in other orders than they were created in.
fn mixed(count: usize) -> Vec<NewSpecimen> {
    let texts = ["b", "B", "é", "", "a", "_", "-"];
    let colours = [Colour::Red, Colour::Amber, Colour::Green];
    let new = |number: usize| {
        let n = number as i64;
        NewSpecimen {
            flag: number.is_multiple_of(2),
            number: n * 7 % 5,
            number_maybe: (n % 3 > 0).then_some(n * 5 % 4),
            level: n * 3 % 4,
            ratio: (n * 11 % 6) as f64 / 10.0,
            ratio_maybe: (n % 4 > 1).then_some(0.1 * n as f64),
            text: texts[number * 3 % 7].to_owned(),
            text_maybe: (n % 4 > 0).then(|| texts[number % 4].to_owned()),
            time: beginning() + TimeDelta::microseconds(n * 7 % 4 - 2),
            time_maybe: (n % 5 > 1).then(|| beginning() - TimeDelta::microseconds(n % 3)),
            colour: colours[number % 3],
            ..Specimen::plain(format!("{}{number}", texts[number % 7]))
        }
    };
    (0..count).map(new).collect()
}

/// The labels in the order that a list has: by the key, then by the id in the same direction; NULLs last.
fn sorted(specimens: &[Specimen], sort_by: SpecimenSort, direction: SortDirection) -> Vec<String> {
    let mut keyed: Vec<_> =
        specimens.iter().map(|specimen| (sort_key(specimen, sort_by), specimen)).collect();
    keyed.sort_by(|(a, first), (b, second)| {
        let ids = first.id.cmp(&second.id);
        let (nulls, order) = (a.is_null().cmp(&b.is_null()), a.compare(b));
        match direction {
            SortDirection::Asc => nulls.then(order.unwrap_or(nulls)).then(ids),
            SortDirection::Desc => nulls.then(order.unwrap_or(nulls).reverse()).then(ids.reverse()),
        }
    });
    keyed.into_iter().map(|(_, specimen)| specimen.label.clone()).collect()
}

fn sort_key(specimen: &Specimen, sort_by: SpecimenSort) -> Value {
    let time = |time: Option<DateTime<Utc>>| time.map_or(Value::Null, Value::Time);
    match sort_by {
        SpecimenSort::Label => Value::Text(specimen.label.clone()),
        SpecimenSort::Number => Value::Int(specimen.number),
        SpecimenSort::NumberMaybe => specimen.number_maybe.map_or(Value::Null, Value::Int),
        SpecimenSort::Level => Value::Int(specimen.level),
        SpecimenSort::Ratio => Value::Float(specimen.ratio),
        SpecimenSort::RatioMaybe => specimen.ratio_maybe.map_or(Value::Null, Value::Float),
        SpecimenSort::Text => Value::Text(specimen.text.clone()),
        SpecimenSort::TextMaybe => specimen.text_maybe.clone().map_or(Value::Null, Value::Text),
        SpecimenSort::Time => time(Some(specimen.time)),
        SpecimenSort::TimeMaybe => time(specimen.time_maybe),
        SpecimenSort::Colour => Value::Text(format!("{:?}", specimen.colour).to_lowercase()),
        SpecimenSort::CreatedAt => time(Some(specimen.created_at)),
        SpecimenSort::UpdatedAt => time(Some(specimen.updated_at)),
    }
}

fn labels(specimens: &[Specimen]) -> Vec<String> {
    specimens.iter().map(|specimen| specimen.label.clone()).collect()
}

/// Microseconds since 1970 at the beginning, in the middle, and near the end of time.
fn ends_of_time(number: usize) -> i64 {
    [-62_135_596_800_000_000, -1_000_030, 1_767_323_045_678_901, 253_402_300_799_999_000][number % 4]
}

/// The labels of all pages, by page number.
async fn by_number(specimens: &Repo<Specimen>, list: &ListSpecimens) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for number in 1.. {
        let page = specimens.list(ListSpecimens { page: number, ..list.clone() }).await?;
        all.extend(labels(&page.items));
        if !follows(&page, list.page_size) {
            break;
        }
    }
    Ok(all)
}

/// The labels of all pages, by cursor.
async fn by_cursor(specimens: &Repo<Specimen>, list: &ListSpecimens) -> Result<Vec<String>> {
    let (mut all, mut list) = (Vec::new(), list.clone());
    for walked in 0.. {
        assert!(walked < 1000, "the walk does not end");
        let page = specimens.list(list.clone()).await?;
        all.extend(labels(&page.items));
        if !follows(&page, list.page_size) {
            break;
        }
        list.cursor = page.next;
    }
    Ok(all)
}

/// Does a page follow? Checks that this one says so in each of its ways.
fn follows(page: &Page<Specimen>, page_size: u32) -> bool {
    assert_eq!(page.next.is_some(), page.has_next, "there is a cursor exactly when there is a next page");
    let full = page.items.len() == page_size as usize;
    assert!(
        full || (!page.has_next && page.items.len() < page_size as usize),
        "a page of {}",
        page.items.len()
    );
    page.has_next
}
