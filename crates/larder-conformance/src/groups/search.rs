//! Search: the same texts are found on every database, whatever is in them and whatever is looked for.

use larder::{Filter, MAX_SEARCH_BYTES, Repo, Result, SortDirection, UserScope, fold, model::*};

use crate::{
    random::seed,
    entities::{
        Colour, ListNotes, ListSpecimens, NewNote, NewSpecimen, Note, Specimen, SpecimenPatch, SpecimenSort,
    },
    expect::assert_invalid_for,
};

cases! {
    /// `%`, `_`, `\` and whatever else is special to LIKE, GLOB or regular expressions mean themselves, at
    /// the beginning, in the middle and at the end of what is looked for.
    #[covers(15)]
    async fn wildcards_mean_themselves(world: World) {
        let specimens = stored(&world.system().repo(), LITERAL).await?;
        for (search, expected) in LITERAL_FOUND {
            assert_eq!(&found(&specimens, search).await?, expected, "looking for {search:?}");
        }
    }

    /// Whatever single character or pair of characters is looked for, those texts are found that contain it,
    /// and no other.
    #[covers(15)]
    async fn what_is_found_contains_what_was_looked_for(world: World) {
        let specimens = stored(&world.system().repo(), LITERAL).await?;
        let special =
            ["%", "_", "\\", "[", "]", "*", "?", "'", "\"", "^", "$", ".", "(", "|", "+", "a", "A", " "];
        let pairs =
            special.iter().flat_map(|first| special.iter().map(move |second| format!("{first}{second}")));
        let searches: Vec<_> = special.iter().map(|search| search.to_string()).chain(pairs).collect();
        for search in searches {
            let mut expected: Vec<_> =
                LITERAL.iter().filter(|text| fold(text).contains(&fold(&search))).collect();
            expected.sort();
            assert_eq!(
                found(&specimens, &search).await?.iter().collect::<Vec<_>>(),
                expected,
                "looking for {search:?}"
            );
        }
    }

    /// An index that search uses finds what the texts contain, neither more nor less: any part of them of three characters and
    /// more, whatever these are, also of rows that were changed, and none of what is gone.
    #[covers(15, 16)]
    async fn an_index_misses_nothing(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let mut random = fastrand::Rng::with_seed(seed()?);
        let new = |(number, text): (usize, String)| NewSpecimen {
            text_maybe: Some(text),
            ..Specimen::plain(format!("{number:03}"))
        };
        let texts: Vec<_> = (0..90).map(|_| any_text(&mut random)).collect();
        let mut made = specimens.create_many(texts.into_iter().enumerate().map(new)).await?;
        for _ in 0..3 {
            for _ in 0..60 {
                let search = part_of_any(&made, &mut random);
                let contained = |text: &str| fold(text).contains(&fold(&search));
                let expected = made.iter().filter(|specimen| {
                    contained(&specimen.label) || specimen.text_maybe.as_deref().is_some_and(contained)
                });
                let expected: Vec<_> = expected.map(|specimen| specimen.label.clone()).collect();
                assert_eq!(found(&specimens, &search).await?, expected, "looking for {search:?}");
            }
            for specimen in made.iter_mut().step_by(3) {
                let text = random.bool().then(|| any_text(&mut random));
                let patch = SpecimenPatch { text_maybe: text.into(), ..Default::default() };
                *specimen = specimens.update(specimen.id, patch).await?;
            }
            for _ in 0..10 {
                let gone = made.remove(random.usize(0..made.len()));
                specimens.delete(gone.id).await?;
            }
        }
    }

    /// Case means nothing, by one rule for all of Unicode (full case folding, without normalization) on every
    /// database.
    #[covers(16)]
    async fn case_means_nothing_by_one_rule(world: World) {
        let specimens = stored(&world.system().repo(), FOLDED).await?;
        for (search, expected) in FOLDED_FOUND {
            assert_eq!(&found(&specimens, search).await?, expected, "looking for {search:?}");
        }
    }

    /// Looking for nothing is no search: everything is found, also what has no text.
    #[covers(17)]
    async fn the_empty_search_finds_everything(world: World) {
        let specimens = stored(&world.system().repo(), &["a", "b"]).await?;
        let users = world.system().users();
        users.create(NewUser::default()).await?;
        for search in [None, Some(String::new())] {
            assert_eq!(
                specimens
                    .list(ListSpecimens { search: search.clone(), ..Default::default() })
                    .await?
                    .items
                    .len(),
                2
            );
            assert_eq!(users.list(ListUsers { search, ..Default::default() }).await?.items.len(), 1);
        }
        assert_eq!(found(&specimens, " ").await?, [""; 0], "a space is not nothing");
    }

    /// A search as long as may be is looked for, also when each of its characters must be escaped or grows
    /// when it is folded; one that is longer, of 50,001 bytes too, or holds NUL, is `Invalid`.
    #[covers(17)]
    async fn a_search_is_as_long_as_may_be(world: World) {
        let of = |unit: &str| unit.repeat(MAX_SEARCH_BYTES / unit.len());
        let units = ["%", "_", "\\", "x", "İ", "ﬃ", "😀", "''"];
        let new =
            |unit: &str| NewSpecimen { text_maybe: Some(format!("<{}>", of(unit))), ..Specimen::plain(unit) };
        let specimens = world.system().repo::<Specimen>();
        specimens.create_many(units.map(new)).await?;
        for unit in units {
            assert_eq!(found(&specimens, &of(unit)).await?, [unit], "looking for {unit:?}, again and again");
        }
        let too_long =
            [format!("{}x", of("x")), format!("x{}", of("é")), "%".repeat(50_001), "x".repeat(10_000_000)];
        for search in too_long.into_iter().chain(["nul \0".to_owned()]) {
            let length = search.len();
            let refused = specimens.list(ListSpecimens { search: Some(search), ..Default::default() }).await;
            assert_invalid_for(refused, "search", length);
        }
    }

    /// What looks like SQL is text: it is found where it stands, finds nothing else, and does nothing.
    #[covers(17)]
    async fn what_looks_like_sql_is_text(world: World) {
        let specimens = stored(&world.system().repo(), INJECTIONS).await?;
        let before = world.all_rows().await?;
        for search in INJECTIONS {
            assert_eq!(found(&specimens, search).await?, [*search]);
        }
        assert_eq!(found(&specimens, "' OR 1=1 --").await?, [""; 0]);
        assert_eq!(world.all_rows().await?, before);
    }

    /// Search looks into every field that is marked for it: a row is found by any of them, and NULL in one
    /// does not hide it.
    #[covers(15)]
    async fn a_row_is_found_by_any_of_its_fields(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let new = |label: &str, text: Option<&str>| NewSpecimen {
            text_maybe: text.map(str::to_owned),
            // Search does not look into this one.
            text: "needle elsewhere".into(),
            ..Specimen::plain(label)
        };
        specimens
            .create_many([
                new("a needle", None),
                new("b", Some("the NEEDLE")),
                new("c needle", Some("needle")),
                new("d", None),
                new("e", Some("")),
            ])
            .await?;
        assert_eq!(found(&specimens, "Needle").await?, ["a needle", "b", "c needle"]);
        assert_eq!(found(&specimens, "needlethe").await?, [""; 0], "fields are looked into one by one");
        let users = world.system().users();
        let (name, email) = (Some("Grace".to_owned()), Some("GH@navy.example".to_owned()));
        let grace = users.create(NewUser { name, email, ..NewUser::default() }).await?;
        for search in ["gRACE", "gh@NAVY"] {
            let page = users.list(ListUsers { search: Some(search.into()), ..ListUsers::default() }).await?;
            assert_eq!(page.items, std::slice::from_ref(&grace), "{search}");
        }
    }

    /// What is found is what the text is now: after a patch, an upsert, and a patch to NULL.
    #[covers(15, 23)]
    async fn search_follows_every_change(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let new = |text: Option<&str>| NewSpecimen {
            text_maybe: text.map(str::to_owned),
            ..Specimen::plain("one")
        };
        let made = specimens.create(new(Some("FIRST"))).await?;
        let patch = |text: Option<&str>| SpecimenPatch {
            text_maybe: text.map(str::to_owned).into(),
            ..Default::default()
        };
        assert_eq!(counts(&specimens).await?, [1, 0, 0]);
        specimens.update(made.id, patch(Some("SECOND"))).await?;
        assert_eq!(counts(&specimens).await?, [0, 1, 0]);
        specimens.put(new(Some("Third")), BY_LABEL).await?;
        assert_eq!(counts(&specimens).await?, [0, 0, 1]);
        specimens.update(made.id, SpecimenPatch { number: 5.into(), ..Default::default() }).await?;
        assert_eq!(
            counts(&specimens).await?,
            [0, 0, 1],
            "a patch of another field leaves the text to be found"
        );
        specimens.update(made.id, patch(None)).await?;
        assert_eq!(counts(&specimens).await?, [0, 0, 0]);
        let set = vec![Specimen::TEXT_MAYBE.set(Some("FIRST again".to_owned()))?];
        specimens.update_if(made.id, Filter::always(), set).await?;
        assert_eq!(counts(&specimens).await?, [1, 0, 0]);
    }

    /// A search and filters narrow each other, and the pages of what is found are whole.
    #[covers(15, 18)]
    async fn a_search_is_narrowed_by_filters_and_cut_into_pages(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let new = |number: i64| NewSpecimen {
            number,
            colour: if number % 3 == 0 { Colour::Green } else { Colour::Amber },
            flag: number % 2 == 0,
            ..Specimen::plain(if number % 5 == 0 {
                format!("hay {number}")
            } else {
                format!("Needle {number}")
            })
        };
        specimens.create_many((0..60).map(new)).await?;
        let expected: Vec<_> = (0..60).filter(|number| number % 6 == 0 && number % 5 != 0).collect();
        for page_size in [1, 3, 8, 100] {
            let mut list = ListSpecimens {
                page_size,
                search: Some("NEEDLE".into()),
                colour: Some(Colour::Green),
                flag: Some(true),
                sort_by: SpecimenSort::Number,
                sort_direction: SortDirection::Asc,
                ..Default::default()
            };
            let mut numbers = Vec::new();
            loop {
                let page = specimens.list(list.clone()).await?;
                numbers.extend(page.items.iter().map(|specimen| specimen.number));
                match page.next {
                    Some(next) => list.cursor = Some(next),
                    None => break,
                }
            }
            assert_eq!(numbers, expected, "by {page_size}");
        }
    }

    /// Messages are found by the text in all of their parts, and by nothing else in them; each user finds
    /// their own.
    #[covers(15, 27)]
    async fn messages_are_found_by_the_text_of_their_parts(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        for mine in [&ada, &bob] {
            let job = mine.jobs().create(NewJob::new("a job to talk about")).await?.id;
            let parts: MessageContent = serde_json::from_str(
                r#"[{"type": "text", "text": "Über 100%"}, {"type": "image", "image": "needle.png"},
                    {"type": "reasoning", "text": "because"}, {"type": "tool-call", "args": {"text": "hidden"}}]"#,
            )?;
            mine.messages().append(NewMessage::new(job, MessageRole::Assistant, parts)).await?;
            mine.messages().append(NewMessage::new(job, MessageRole::User, "plain \"quoted\" text")).await?;
        }
        for (search, expected) in [
            ("über", 1),
            ("100%", 1),
            ("100_", 0),
            ("BECAUSE", 1),
            ("needle", 0),
            ("hidden", 0),
            ("image", 0),
            ("type", 0),
            ("plain", 1),
            ("\"quoted\"", 1),
            ("\\\"", 0),
            ("e", 2),
        ] {
            assert_eq!(messages_with(&ada, search).await?, expected, "looking for {search:?}");
        }
    }

    /// A note without a body is found by its title, and a search of one user finds nothing of another's.
    #[covers(27)]
    async fn a_search_finds_ones_own_rows_alone(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        ada.repo::<Note>().create(NewNote::new("the needle of Ada")).await?;
        let his = NewNote { body: Some("a needle".into()), ..NewNote::new("of Bob") };
        let his = bob.repo::<Note>().create(his).await?;
        let page = bob
            .repo::<Note>()
            .list(ListNotes { search: Some("needle".into()), ..Default::default() })
            .await?;
        assert_eq!(page.items, [his]);
    }
}

/// Texts full of what is special somewhere.
const LITERAL: &[&str] = &[
    "100%", "100", "1000", "%", "a%b", "axb", "ab", "a_b", "_", "__", "\\", "a\\b", "a\\%b", "\\_", "\\\\",
    "50% off", "[a]", "a*", "a?", "'", "\"", "''", "A%B", "^a$", "a.b", "(a|b)", "a+", "%_\\",
];

/// What is found in [`LITERAL`], by bytes.
const LITERAL_FOUND: &[(&str, &[&str])] = &[
    ("%", &["%", "%_\\", "100%", "50% off", "A%B", "a%b", "a\\%b"]),
    ("0%", &["100%", "50% off"]),
    ("100%", &["100%"]),
    ("100", &["100", "100%", "1000"]),
    ("a%b", &["A%B", "a%b"]),
    ("a_b", &["a_b"]),
    ("_", &["%_\\", "\\_", "_", "__", "a_b"]),
    ("__", &["__"]),
    ("\\", &["%_\\", "\\", "\\\\", "\\_", "a\\%b", "a\\b"]),
    ("a\\", &["a\\%b", "a\\b"]),
    ("\\\\", &["\\\\"]),
    ("\\%", &["a\\%b"]),
    ("\\_", &["\\_"]),
    ("_\\", &["%_\\"]),
    ("[a]", &["[a]"]),
    ("*", &["a*"]),
    ("?", &["a?"]),
    ("'", &["'", "''"]),
    ("\"", &["\""]),
    ("a.b", &["a.b"]),
    ("%%", &[]),
];

/// Texts that differ from others in case, in some language.
const FOLDED: &[&str] = &[
    "É",
    "é",
    "E\u{301}",
    "Straße",
    "STRASSE",
    "ẞ",
    "ΣΊΣΥΦΟΣ",
    "σίσυφος",
    "İstanbul",
    "istanbul",
    "ISTANBUL",
    "ısparta",
    "ﬁn",
    "FIN",
    "ДОМ",
    "дом",
    "Ǆ",
    "ǆ",
    "𐐀",
    "𐐨",
    "K",
    "k",
];

/// What is found in [`FOLDED`], by bytes. `Σ` and the final `ς` are one letter; a dotted `İ` is an `i` and a
/// dot above; the dotless `ı` is a letter of its own; the last `K` is the Kelvin sign.
const FOLDED_FOUND: &[(&str, &[&str])] = &[
    ("é", &["É", "é"]),
    ("É", &["É", "é"]),
    ("e\u{301}", &["E\u{301}"]),
    ("e", &["E\u{301}", "STRASSE", "Straße"]),
    ("strasse", &["STRASSE", "Straße"]),
    ("STRAẞE", &["STRASSE", "Straße"]),
    ("SS", &["STRASSE", "Straße", "ẞ"]),
    ("ß", &["STRASSE", "Straße", "ẞ"]),
    ("Σ", &["ΣΊΣΥΦΟΣ", "σίσυφος"]),
    ("ς", &["ΣΊΣΥΦΟΣ", "σίσυφος"]),
    ("ΦΟΣ", &["ΣΊΣΥΦΟΣ", "σίσυφος"]),
    ("i", &["FIN", "ISTANBUL", "istanbul", "İstanbul", "ﬁn"]),
    ("I", &["FIN", "ISTANBUL", "istanbul", "İstanbul", "ﬁn"]),
    ("istanbul", &["ISTANBUL", "istanbul"]),
    ("İ", &["İstanbul"]),
    ("stanbul", &["ISTANBUL", "istanbul", "İstanbul"]),
    ("ı", &["ısparta"]),
    ("fi", &["FIN", "ﬁn"]),
    ("ДоМ", &["ДОМ", "дом"]),
    ("ǅ", &["Ǆ", "ǆ"]),
    ("𐐀", &["𐐀", "𐐨"]),
    ("\u{212a}", &["K", "k"]),
];

const INJECTIONS: &[&str] = &[
    "'; DROP TABLE specimens; --",
    "\" OR \"\"=\"",
    "1) OR (1=1",
    "x' ESCAPE '",
    "$1",
    "?1",
    "/* */",
    "\\'; DELETE FROM specimens; --",
    "{{7*7}}",
    "%s%s%n",
];

/// What tokenizers, foldings and query languages make something of.
const ANY: &[&str] = &[
    "a", "A", "b", "é", "É", "e\u{301}", "\u{301}", "ß", "ẞ", "SS", "Σ", "ς", "İ", "ı", "i", "I", "ﬁ", "日", "本", "語", "한",
    "ש", "👩\u{200d}👧", "😀", "\u{10ffff}", "\u{feff}", "\u{1}", "\t", "\n", " ", "\"", "'", "%", "_", "\\", "*", "^", "-", ":",
    "(", ")", "{", "+", "AND", "NOT", "0", "𐐀", "ǅ", "\u{212a}",
];

/// A text of up to thirty of [`ANY`].
fn any_text(random: &mut fastrand::Rng) -> String {
    let length = random.usize(0..=30);
    (0..length).map(|_| ANY[random.usize(0..ANY.len())]).collect()
}

/// What may be looked for: up to twenty characters of a text that is there, or was never.
fn part_of_any(specimens: &[Specimen], random: &mut fastrand::Rng) -> String {
    let text = match specimens[random.usize(0..specimens.len())].text_maybe.clone() {
        Some(text) if random.u8(0..10) > 0 => text,
        _ => any_text(random),
    };
    let (begin, length) = (random.usize(0..=text.chars().count()), random.usize(1..=20));
    let part: String = text.chars().skip(begin).take(length).collect();
    if part.is_empty() { "日本語".to_owned() } else { part }
}

/// The unique key of a specimen.
const BY_LABEL: &[usize] = &[Specimen::LABEL.position()];

/// Stores specimens with these labels.
async fn stored(specimens: &Repo<Specimen>, labels: &[&str]) -> Result<Repo<Specimen>> {
    specimens.create_many(labels.iter().map(|label| Specimen::plain(*label)).collect::<Vec<_>>()).await?;
    Ok(specimens.clone())
}

/// The labels of what is found, by bytes.
async fn found(specimens: &Repo<Specimen>, search: &str) -> Result<Vec<String>> {
    let list = ListSpecimens {
        page_size: 100,
        sort_by: SpecimenSort::Label,
        sort_direction: SortDirection::Asc,
        search: Some(search.to_owned()),
        ..Default::default()
    };
    Ok(specimens.list(list).await?.items.into_iter().map(|specimen| specimen.label).collect())
}

/// How many have the text `first`, how many `second`, how many `third`.
async fn counts(specimens: &Repo<Specimen>) -> Result<[usize; 3]> {
    let mut counts = [0; 3];
    for (count, search) in counts.iter_mut().zip(["first", "second", "third"]) {
        *count = found(specimens, search).await?.len();
    }
    Ok(counts)
}

async fn messages_with(mine: &UserScope, search: &str) -> Result<usize> {
    let list = ListMessages { search: Some(search.to_owned()), ..ListMessages::default() };
    Ok(mine.messages().list(list).await?.items.len())
}
