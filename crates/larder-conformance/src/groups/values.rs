//! Values: what was written is read again, equal to the last bit; what cannot be kept is refused before it is
//! written.

use chrono::{DateTime, TimeDelta, Utc};
use larder::{
    Entity, ErrorKind, Filter, MAX_JSON_DEPTH, MAX_VALUE_BYTES, NewEntity, Outcome, Repo, Row, SortDirection,
    Stamp, model::*,
};
use serde_json::{Value as Json, json};

use crate::{
    entities::{Colour, NewSpecimen, Specimen, SpecimenId, SpecimenPatch},
    expect::assert_invalid,
};

cases! {
    /// A row in which every column holds something else than NULL, its default or nothing is read as it was
    /// written: as it was created, by its key, by a list, by an upsert, and by another handle.
    #[covers(14)]
    async fn every_column_is_read_as_it_was_written(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let plain = specimens.create(Specimen::plain("plain")).await?;
        let full = specimens.create(full_specimen("full")).await?;
        let rows = world.rows(Specimen::TABLE).await?;
        for (column, (of_plain, of_full)) in rows[0].values().iter().zip(rows[1].values()).enumerate() {
            let (name, stamped) = (Specimen::TABLE.columns[column].name, ["created_at", "updated_at"]);
            assert!(
                of_plain != of_full || stamped.contains(&name),
                "this case must give {name} another value"
            );
            assert!(!of_full.is_null(), "this case must give {name} a value");
        }
        let stamp = Stamp { id: full.id.uuid(), owner: None, now: world.now() };
        let given = Row::new(full_specimen("full").into_values(&stamp)?);
        assert_eq!((&rows[1], &full), (&given, &Specimen::from_row(given.clone())?));
        assert_eq!(specimens.get(full.id).await?.as_ref(), Some(&full));
        assert_eq!(specimens.get_by(Specimen::LABEL, "full".into()).await?.as_ref(), Some(&full));
        let all =
            specimens.select(Filter::always(), vec![Specimen::ID.order(SortDirection::Asc)], None).await?;
        assert_eq!(all, [plain.clone(), full.clone()]);
        let again = world.reopen().await?.system().repo::<Specimen>();
        assert_eq!(again.get(full.id).await?.as_ref(), Some(&full));

        let put = specimens.put(full_specimen("plain"), BY_LABEL).await?;
        let (id, updated_at) = (plain.id, put.updated_at);
        let replaced = Specimen { id, label: "plain".into(), updated_at, ..full.clone() };
        assert_eq!(put, replaced);
        assert!(put.updated_at > plain.updated_at);
        assert_eq!(again.get(plain.id).await?, Some(replaced));
    }

    /// NULL, the empty text and JSON's own null are three things: when they are read, looked for, and
    /// counted.
    #[covers(5)]
    async fn null_and_empty_text_stay_different(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let null = specimens.create(Specimen::plain("null")).await?;
        let empty = NewSpecimen {
            text_maybe: Some(String::new()),
            bytes_maybe: Some(Vec::new()),
            json_maybe: Some(Json::Null),
            ..Specimen::plain("empty")
        };
        let empty = specimens.create(empty).await?;
        assert_eq!(specimens.get(null.id).await?.as_ref(), Some(&null));
        assert_eq!(specimens.get(empty.id).await?.as_ref(), Some(&empty));
        assert_eq!((null.text_maybe, null.bytes_maybe, null.json_maybe), (None, None, None));
        assert_eq!(empty.text_maybe, Some(String::new()));
        assert_eq!(empty.bytes_maybe, Some(Vec::new()));
        assert_eq!(empty.json_maybe, Some(Json::Null));
        let conditions = [
            (Specimen::TEXT_MAYBE.is_null(), "null"),
            (Specimen::TEXT_MAYBE.is_not_null(), "empty"),
            (Specimen::TEXT_MAYBE.eq(Some(String::new()))?, "empty"),
            (Specimen::TEXT_MAYBE.is_in([Some(String::new()), None])?, "empty"),
            (Specimen::TEXT_MAYBE.le(Some(String::new()))?, "empty"),
            (Specimen::BYTES_MAYBE.is_null(), "null"),
            (Specimen::BYTES_MAYBE.eq(Some(Vec::new()))?, "empty"),
            (Specimen::JSON_MAYBE.is_null(), "null"),
            (Specimen::JSON_MAYBE.eq(Some(Json::Null))?, "empty"),
        ];
        for (condition, expected) in conditions {
            assert_eq!(labels(&specimens, condition.clone()).await?, [expected], "{condition:?}");
        }
        for never in
            [Specimen::TEXT_MAYBE.eq(None)?, Specimen::TEXT_MAYBE.ne(None)?, Specimen::JSON_MAYBE.eq(None)?]
        {
            assert_eq!(
                labels(&specimens, never.clone()).await?,
                [""; 0],
                "{never:?}: nothing compares with NULL"
            );
        }
    }

    /// In JSON an absent field of a patch is left as it is, `null` sets it to NULL, and "" to the empty text.
    #[covers(5)]
    async fn absent_null_and_empty_are_three_things_in_a_patch(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let made = specimens
            .create(NewSpecimen { text_maybe: Some("some".into()), ..Specimen::plain("one") })
            .await?;
        let expected = [
            (r#"{"number": 1}"#, Some("some")),
            (r#"{"text_maybe": ""}"#, Some("")),
            (r#"{"number": 2}"#, Some("")),
            (r#"{"text_maybe": null}"#, None),
            (r#"{"number": 3}"#, None),
        ];
        for (patch, text) in expected {
            let patched = specimens.update(made.id, serde_json::from_str(patch)?).await?;
            assert_eq!(patched.text_maybe.as_deref(), text, "{patch}");
            assert_eq!(specimens.get(made.id).await?, Some(patched), "{patch}");
        }
    }

    /// Text is kept byte for byte: composed and decomposed, emoji, right to left, control characters, the
    /// last code point; texts that look alike are different keys.
    #[covers(6)]
    async fn text_is_kept_byte_for_byte(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let new = TEXTS.iter().map(|text| {
            let text_maybe = Some(text.to_string());
            NewSpecimen { text: text.to_string(), text_maybe, ..Specimen::plain(*text) }
        });
        let made = specimens.create_many(new.collect::<Vec<_>>()).await?;
        for (made, text) in made.iter().zip(TEXTS) {
            let read = specimens.get_by(Specimen::LABEL, text.to_string()).await?;
            assert_eq!(read.as_ref(), Some(made), "{text:?}");
            assert_eq!(read.unwrap().text.as_bytes(), text.as_bytes(), "{text:?}");
            let same = labels(&specimens, Specimen::TEXT.eq(text.to_string())?).await?;
            assert_eq!(same, [text.to_string()], "{text:?} equals itself alone");
        }
    }

    /// The NUL character is refused wherever text is taken: to be written, to be looked up, to be compared
    /// with.
    #[covers(6)]
    async fn nul_is_refused_wherever_text_is_taken(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let there = specimens.create(Specimen::plain("a")).await?;
        let nul = || "a\0".to_owned();
        let changed = |patch| specimens.update(there.id, patch);
        let refused = [
            ("label", specimens.create(Specimen::plain(nul())).await.map(drop)),
            ("text", specimens.create(NewSpecimen { text: nul(), ..Specimen::plain("b") }).await.map(drop)),
            (
                "text_maybe",
                changed(SpecimenPatch { text_maybe: Some(nul()).into(), ..Default::default() })
                    .await
                    .map(drop),
            ),
            (
                "json",
                specimens
                    .create(NewSpecimen { json: json!([nul()]), ..Specimen::plain("b") })
                    .await
                    .map(drop),
            ),
            (
                "json",
                changed(SpecimenPatch { json: json!({ nul(): 1 }).into(), ..Default::default() })
                    .await
                    .map(drop),
            ),
            ("label", specimens.get_by(Specimen::LABEL, nul()).await.map(drop)),
        ];
        for (field, result) in refused {
            assert_invalid(result, field);
        }
        assert_eq!(specimens.count(Specimen::LABEL.eq(nul())?).await?, 0, "no text equals one with NUL");
        assert_eq!(specimens.select(Filter::always(), Vec::new(), None).await?, [there]);
    }

    /// Times keep their microseconds, from the year 1 to the year 9999, before 1970 as after: neighbours one
    /// microsecond apart are different, in order, and found apart.
    #[covers(7)]
    async fn times_keep_their_microseconds(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let times: Vec<_> = MICROSECONDS.iter().flat_map(|&at| [at, at + 1]).map(time).collect();
        let shuffled = (0..times.len()).map(|index| times[index * 7 % times.len()]);
        specimens
            .create_many(shuffled.map(|time| at_time(&time.to_string(), time)).collect::<Vec<_>>())
            .await?;
        for direction in [SortDirection::Asc, SortDirection::Desc] {
            let sorted =
                specimens.select(Filter::always(), vec![Specimen::TIME.order(direction)], None).await?;
            let mut read: Vec<_> = sorted.iter().map(|specimen| specimen.time).collect();
            if direction == SortDirection::Desc {
                read.reverse();
            }
            assert_eq!(read, times);
            assert!(sorted.iter().all(|specimen| specimen.time_maybe == Some(specimen.time)));
        }
        for (index, &time) in times.iter().enumerate() {
            let label = time.to_string();
            assert_eq!(labels(&specimens, Specimen::TIME.eq(time)?).await?, [label]);
            assert_eq!(specimens.count(Specimen::TIME.lt(time)?).await?, index as u64, "before {time}");
            assert_eq!(
                specimens.count(Specimen::TIME_MAYBE.ge(Some(time))?).await?,
                (times.len() - index) as u64
            );
        }
    }

    /// What is finer than a microsecond is cut off towards the past, in what `create` answers as in what is
    /// read.
    #[covers(7)]
    async fn what_is_finer_than_a_microsecond_is_cut_off(world: World) {
        let specimens = world.system().repo::<Specimen>();
        for at in MICROSECONDS {
            let fine = time(*at) + TimeDelta::nanoseconds(999);
            let made = specimens.create(at_time(&at.to_string(), fine)).await?;
            assert_eq!((made.time, made.time_maybe), (time(*at), Some(time(*at))));
            assert_eq!(specimens.get(made.id).await?.as_ref(), Some(&made));
            let patch = SpecimenPatch {
                time: (fine + TimeDelta::microseconds(1)).into(),
                ..SpecimenPatch::default()
            };
            assert_eq!(specimens.update(made.id, patch).await?.time, time(*at + 1));
            let found = labels(&specimens, Specimen::TIME.eq(fine + TimeDelta::microseconds(1))?).await?;
            assert_eq!(found, [made.label], "a condition is cut off like a value");
        }
    }

    /// A leap second (23:59:60), which RFC 3339 allows and databases do not keep, is read as `create`
    /// answered it.
    #[covers(7)]
    async fn a_leap_second_is_read_as_create_answered_it(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let leap = DateTime::parse_from_rfc3339("2016-12-31T23:59:60.5Z")?.with_timezone(&Utc);
        let made = specimens.create(at_time("leap", leap)).await?;
        assert_eq!(specimens.get(made.id).await?, Some(made));
    }

    /// A time given in another zone is the same instant; one outside the years 1 to 9999 is refused.
    #[covers(7)]
    async fn times_are_instants_within_the_years_1_to_9999(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let text = r#"{"label": "zoned", "bytes": [], "uuid": "00000000-0000-0000-0000-000000000000",
            "time": "2026-07-01T05:00:00.000001+05:30", "time_maybe": "1969-12-31T19:00:00-05:00"}"#;
        let made = specimens.create(serde_json::from_str(text)?).await?;
        assert_eq!(made.time, time(1_782_862_200_000_001));
        assert_eq!(made.time_maybe, Some(time(0)));
        assert_eq!(specimens.get(made.id).await?.as_ref(), Some(&made));
        for (field, outside) in [("time", TOO_EARLY), ("time", TOO_LATE)] {
            let refused = specimens.create(at_time("outside", time(outside))).await;
            assert_invalid(refused, field);
        }
        assert_eq!(specimens.select(Filter::always(), Vec::new(), None).await?, [made]);
    }

    /// JSON is kept by value: the order of keys means nothing, integers are exact up to 64 bits, `1.0` and
    /// `1e2` are the integers that they equal, and all else comes back as it was.
    #[covers(8)]
    async fn json_is_kept_by_value(world: World) {
        let specimens = world.system().repo::<Specimen>();
        for (number, text) in JSON.iter().enumerate() {
            let (written, expected): (Json, Json) = match text.split_once(" => ") {
                Some((written, expected)) => {
                    (serde_json::from_str(written)?, serde_json::from_str(expected)?)
                }
                None => (serde_json::from_str(text)?, serde_json::from_str(text)?),
            };
            let new = NewSpecimen { json: written, ..Specimen::plain(format!("json {number}")) };
            let made = specimens.create(new).await?;
            assert_eq!(made.json, expected, "{text} as create answers it");
            assert_eq!(
                specimens.get(made.id).await?.map(|read| read.json).as_ref(),
                Some(&expected),
                "{text}"
            );
            let same =
                labels(&specimens, Specimen::JSON.eq(expected)?.and(Specimen::ID.eq(made.id)?)).await?;
            assert_eq!(same, [made.label], "{text} equals itself in the database");
        }
    }

    /// Floats in JSON and in columns of their own are kept to the last bit: a thousand random ones, and the
    /// extremes.
    #[covers(8, 10)]
    async fn floats_are_kept_to_the_last_bit(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let mut random = fastrand::Rng::with_seed(7);
        let mut floats: Vec<f64> =
            (0..1000).map(|_| f64::from_bits(random.u64(..))).filter(|f| f.is_finite()).collect();
        floats.extend((0..500).map(|_| random.f64() * 100.0));
        floats.extend([
            0.0,
            -0.0,
            0.1 + 0.2,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            9_007_199_254_740_993.0,
        ]);
        let new = NewSpecimen { json: json!(floats), ..Specimen::plain("json") };
        let made = specimens.create(new).await?;
        assert_eq!(specimens.get(made.id).await?.map(|read| read.json), Some(made.json));

        let new = |(number, ratio): (usize, &f64)| NewSpecimen {
            ratio: *ratio,
            ..Specimen::plain(number.to_string())
        };
        let made = specimens.create_many(floats.iter().enumerate().map(new).collect::<Vec<_>>()).await?;
        let read = specimens.select(
            Specimen::LABEL.ne("json".into())?,
            vec![Specimen::ID.order(SortDirection::Asc)],
            None,
        );
        let read = read.await?;
        assert_eq!(read.len(), made.len());
        for ((read, made), float) in read.iter().zip(&made).zip(&floats) {
            // There is no minus zero.
            assert_eq!(read.ratio.to_bits(), (float + 0.0).to_bits(), "{float:e}");
            assert_eq!(made.ratio.to_bits(), read.ratio.to_bits(), "{float:e} as create answers it");
        }
    }

    /// A message's parts are read as they were written, whichever SDK wrote them: with fields and of types that are not known
    /// here, and of known types in another shape.
    #[covers(8, 14)]
    async fn the_parts_of_a_message_are_read_as_they_were_written(world: World) {
        let mine = world.user("Ada").await?;
        let job = mine.jobs().create(NewJob::new("a job to talk about")).await?.id;
        let call = json!({"type": "tool-call", "toolCallId": "1", "toolName": "weather"});
        let with = |name: &str, value: Json| {
            let mut call = call.clone();
            call[name] = value;
            call
        };
        let parts = json!([
            {"type": "text", "text": "É\u{1F600}", "providerOptions": {"any": {"n": 9_007_199_254_740_993_i64}}},
            with("args", json!({"city": "Oslo", "days": [1, 2.5, null]})),
            with("input", Json::Null),
            call,
            {"type": "file", "data": "JVBERi0=", "mimeType": "application/pdf", "mediaType": 5},
            {"type": "hologram", "depth": {"type": "text", "text": ""}},
        ]);
        let content = MessageContent::try_from(parts.clone())?;
        let MessageContent::Parts(known) = &content else { panic!("{content:?}") };
        assert!(matches!(known[1..4], [Part::ToolCall { .. }, Part::ToolCall { .. }, Part::Other { .. }]));
        let made = mine.messages().append(NewMessage::new(job, MessageRole::Assistant, content.clone())).await?;
        let read = world.reopen().await?.user(made.user_id).messages().get(made.id).await?.unwrap();
        assert_eq!((&made.content, &read.content), (&content, &content));
        assert_eq!(serde_json::to_value(read.content)?, parts);
    }

    /// What one of the databases could not keep in JSON is refused on all: a lone surrogate, nesting beyond
    /// the limit (NUL has a case of its own). The limit itself is kept.
    #[covers(8)]
    async fn json_that_cannot_be_kept_is_refused(world: World) {
        let specimens = world.system().repo::<Specimen>();
        assert!(serde_json::from_str::<SpecimenPatch>(r#"{"json": "\ud800"}"#).is_err());
        let nested = |depth: usize| {
            (0..depth).fold(json!("core"), |inner, level| match level % 2 {
                0 => json!([inner]),
                _ => json!({"in": inner}),
            })
        };
        let deepest = NewSpecimen { json: nested(MAX_JSON_DEPTH), ..Specimen::plain("deepest") };
        let made = specimens.create(deepest).await?;
        assert_eq!(specimens.get(made.id).await?.as_ref(), Some(&made));
        let deeper = NewSpecimen { json: nested(MAX_JSON_DEPTH + 1), ..Specimen::plain("deeper") };
        assert_invalid(specimens.create(deeper).await, "json");
        assert_eq!(world.rows(Specimen::TABLE).await?.len(), 1);
    }

    /// 1 MiB of text that search looks into, 8 MiB of JSON and of bytes are kept.
    #[covers(9)]
    #[needs(LargeValues)]
    async fn large_values_are_kept(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let large = NewSpecimen {
            text_maybe: Some("é".repeat(512 * 1024)),
            bytes: vec![0xA5; 8 * 1024 * 1024],
            json: json!({ "long": "j".repeat(8 * 1024 * 1024) }),
            ..Specimen::plain("large")
        };
        let made = specimens.create(large).await?;
        let read = specimens.get(made.id).await?;
        // Not assert_eq: nobody wants to read it.
        assert!(read == Some(made), "a large row is read otherwise than it was written");
    }

    /// A value of exactly the limit is kept.
    #[covers(9)]
    #[needs(LargeValues)]
    async fn a_value_of_exactly_the_limit_is_kept(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let new = NewSpecimen { text: "x".repeat(MAX_VALUE_BYTES), ..Specimen::plain("full") };
        let made = specimens.create(new).await?;
        assert!(specimens.get(made.id).await? == Some(made), "it is read otherwise than it was written");
    }

    /// A value beyond the limit is `Invalid` with the field; there is no row, and a row that is there stays
    /// as it was.
    #[covers(9)]
    async fn a_value_beyond_the_limit_is_refused_whole(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let there = specimens.create(Specimen::plain("there")).await?;
        let over = || "x".repeat(MAX_VALUE_BYTES + 1);
        let new = || Specimen::plain("new");
        let refused = [
            ("text", NewSpecimen { text: over(), ..new() }),
            ("text_maybe", NewSpecimen { text_maybe: Some(over()), ..new() }),
            ("bytes", NewSpecimen { bytes: over().into_bytes(), ..new() }),
            ("json", NewSpecimen { json: Json::String(over()), ..new() }),
        ];
        for (field, new) in refused {
            assert_invalid(specimens.create(new).await, field);
        }
        let patch = SpecimenPatch { text: over().into(), number: 5.into(), ..SpecimenPatch::default() };
        assert_invalid(specimens.update(there.id, patch).await, "text");
        assert_eq!(specimens.select(Filter::always(), Vec::new(), None).await?, [there]);
    }

    /// The least and the greatest integer are kept, compared and sorted; a sum may reach them and not pass
    /// them.
    #[covers(10)]
    async fn integers_are_exact_to_their_extremes(world: World) {
        const EXTREMES: [i64; 9] =
            [i64::MIN, i64::MIN + 1, -(1 << 53) - 1, -1, 0, 1, (1 << 53) + 1, i64::MAX - 1, i64::MAX];
        let specimens = world.system().repo::<Specimen>();
        let new = |number: i64| NewSpecimen {
            number,
            number_maybe: Some(number),
            ..Specimen::plain(number.to_string())
        };
        specimens.create_many(EXTREMES.iter().rev().copied().map(new).collect::<Vec<_>>()).await?;
        let sorted = specimens
            .select(Filter::always(), vec![Specimen::NUMBER.order(SortDirection::Asc)], None)
            .await?;
        assert_eq!(sorted.iter().map(|specimen| specimen.number).collect::<Vec<_>>(), EXTREMES);
        for (index, number) in EXTREMES.into_iter().enumerate() {
            assert_eq!(labels(&specimens, Specimen::NUMBER.eq(number)?).await?, [number.to_string()]);
            assert_eq!(specimens.count(Specimen::NUMBER_MAYBE.lt(Some(number))?).await?, index as u64);
        }
        let (least, greatest) = (&sorted[0], &sorted[8]);
        for (specimen, over, back) in [(least, -1, i64::MAX), (greatest, 1, i64::MIN + 1)] {
            let add =
                |delta| specimens.update_if(specimen.id, Filter::always(), vec![Specimen::NUMBER.add(delta)]);
            assert_invalid(add(over).await, "number");
            assert_eq!(specimens.get(specimen.id).await?.as_ref(), Some(specimen));
            let moved = add(back).await?.map(|specimen| specimen.number);
            assert_eq!(moved, specimen.number.checked_add(back));
        }
    }

    /// Text is sorted and compared by its bytes, enumerations by their texts' bytes, ids and bytes by their
    /// bytes, `false` before `true`.
    #[covers(11)]
    async fn text_is_sorted_by_its_bytes(world: World) {
        const SORTED: [&str; 8] = ["Apt", "alt", "doc-3", "doc6", "doc_3", "e\u{301}a", "zz", "éa"];
        let specimens = world.system().repo::<Specimen>();
        let colours = [Colour::Red, Colour::Green, Colour::Amber];
        let new = |(number, label): (usize, &&str)| NewSpecimen {
            text: label.to_string(),
            colour: colours[number % 3],
            flag: number % 2 == 0,
            bytes: label.as_bytes().to_vec(),
            uuid: uuid::Uuid::from_u128(u128::from_be_bytes([0x80 >> (number % 8); 16])),
            ..Specimen::plain(*label)
        };
        specimens.create_many(SORTED.iter().rev().enumerate().map(new).collect::<Vec<_>>()).await?;
        for column in [
            Specimen::LABEL.position(),
            Specimen::TEXT.position(),
            Specimen::COLOUR.position(),
            Specimen::FLAG.position(),
            Specimen::BYTES.position(),
            Specimen::UUID.position(),
            Specimen::ID.position(),
        ] {
            let name = Specimen::TABLE.columns[column].name;
            let order = vec![larder::Order { column, direction: SortDirection::Asc }];
            let verb = specimens.selection(Filter::always(), order, None);
            let Outcome::Rows(rows) = world.store().execute(verb).await? else { panic!("no rows") };
            let found: Vec<_> = rows.iter().map(|row| row.values()[column].clone()).collect();
            assert!(found.is_sorted_by(|a, b| a.compare(b).unwrap().is_le()), "{name}: {found:?}");
        }
        let texts =
            specimens.select(Filter::always(), vec![Specimen::TEXT.order(SortDirection::Asc)], None).await?;
        assert_eq!(texts.iter().map(|specimen| specimen.text.as_str()).collect::<Vec<_>>(), SORTED);
        for (index, text) in SORTED.iter().enumerate() {
            assert_eq!(
                specimens.count(Specimen::TEXT.lt(text.to_string())?).await?,
                index as u64,
                "below {text}"
            );
        }
        assert_eq!(
            specimens.count(Specimen::COLOUR.lt(Colour::Green)?).await?,
            2,
            "amber comes before green"
        );
        assert_eq!(specimens.count(Specimen::COLOUR.gt(Colour::Green)?).await?, 3, "red comes after green");
    }

    /// Keys that differ in case alone are different; an id is the same in whatever case it is written.
    #[covers(12)]
    async fn keys_that_differ_in_case_are_different(world: World) {
        let specimens = world.system().repo::<Specimen>();
        for label in ["key", "KEY", "Key", "kéy", "KÉY", "key "] {
            let made = specimens.create(Specimen::plain(label)).await?;
            assert_eq!(specimens.get_by(Specimen::LABEL, label.into()).await?.as_ref(), Some(&made));
            let upper: SpecimenId = made.id.to_string().to_uppercase().parse()?;
            assert_eq!(specimens.get(upper).await?.map(|specimen| specimen.label).as_deref(), Some(label));
        }
        assert_eq!(specimens.get_by(Specimen::LABEL, "kEY".into()).await?, None);
        assert_eq!(specimens.count(Filter::always()).await?, 6);
    }

    /// E-mail addresses are kept folded: found, and unique, in whatever case they are written, beyond ASCII
    /// too.
    #[covers(12)]
    async fn an_email_address_is_one_in_whatever_case(world: World) {
        let users = world.system().users();
        let with = |email: &str| NewUser { email: Some(email.to_owned()), ..NewUser::default() };
        for (written, kept, again) in [
            ("Ada.Lovelace@Example.ORG", "ada.lovelace@example.org", "ADA.lovelace@example.org"),
            ("ÄDA@example.org", "äda@example.org", "äDA@EXAMPLE.org"),
        ] {
            let made = users.create(with(written)).await?;
            assert_eq!(made.email.as_deref(), Some(kept));
            assert_eq!(users.get(made.id).await?.as_ref(), Some(&made));
            assert_eq!(users.find_by_email(again).await?.as_ref(), Some(&made));
            let conflict = ErrorKind::Conflict { entity: "User".into(), field: "email".into() };
            assert_eq!(users.create(with(again)).await.unwrap_err().kind(), &conflict);
            let other = users.create(NewUser::default()).await?;
            let taking = UserPatch { email: Some(again.to_owned()).into(), ..UserPatch::default() };
            assert_eq!(users.update(other.id, taking.clone()).await.unwrap_err().kind(), &conflict);
            assert_eq!(users.update(made.id, taking).await?.email.as_deref(), Some(kept));
            let equal = User::EMAIL.eq(Some(again.to_owned()))?;
            assert_eq!(users.count(equal).await?, 1, "a condition is folded like a value");
        }
    }
}

/// The unique key of a specimen.
const BY_LABEL: &[usize] = &[Specimen::LABEL.position()];

/// Microseconds since 1970 of instants that are kept badly: the ends of what is allowed, midnights, the ends
/// of 32 bits.
const MICROSECONDS: &[i64] = &[
    -62_135_596_800_000_000,
    -2_208_988_800_000_001,
    -1_000_001,
    -2,
    0,
    999_999,
    951_782_399_999_999,
    1_767_323_045_678_901,
    2_147_483_647_999_999,
    253_402_300_799_999_998,
];

/// The last microsecond of the year 0, and the first of the year 10,000.
const TOO_EARLY: i64 = -62_135_596_800_000_001;

const TOO_LATE: i64 = 253_402_300_800_000_000;

/// Texts, each another one.
const TEXTS: &[&str] = &[
    "é",
    "e\u{301}",
    "É",
    "E\u{301}",
    "ß",
    "ss",
    "ẞ",
    "😀",
    "👩\u{200d}👩\u{200d}👧",
    "שלום",
    "\u{202e}dlrow",
    "\u{feff}bom",
    "bom",
    "𝒳",
    "\u{10ffff}",
    "\u{ffff}",
    "\u{1}\u{1f}\u{7f}",
    "line\nbreak",
    "line\r\nbreak",
    "tab\t",
    " ",
    "  ",
    " x",
    "x ",
    "x",
    "\\",
    "\\x41",
    "'",
    "''",
    "\"",
    "%",
    "_",
    "NULL",
    "null",
    "0",
    "00",
    "1e3",
    "1000",
    "true",
    "{}",
    "[]",
    "\\N",
    "$1",
    "?1",
    ":a",
    "ﬁ",
];

/// JSON texts; after ` => ` what they are kept as, when it is not the same value.
const JSON: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-1",
    r#""""#,
    "[]",
    "{}",
    r#"{"": {"": []}}"#,
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "0.1",
    "1.5",
    "-1e-7",
    "1e300",
    "5e-324",
    "1.7976931348623157e308",
    "1.0 => 1",
    "1e2 => 100",
    "-0.0 => 0",
    "[1.0, [2.0]] => [1, [2]]",
    "1e18 => 1000000000000000000",
    r#"{"b": 1, "a": 2, "é": 3, "B": 4}"#,
    r#"{"a": 1, "a": 2} => {"a": 2}"#,
    r#"{"a": {"x": 1, "x": 1.0}} => {"a": {"x": 1}}"#,
    r#""é😀\u2028\\\"\/""#,
    r#""\ud83d\ude00 \u0001 \u007f""#,
    r#"["a", ["b", {"c": [null, {}, []]}]]"#,
    r#"" lead and trail ""#,
    r#"{"$ref": "?1", "'; --": "%_"}"#,
    r#""{\"not\": \"an object\"}""#,
];

fn time(microseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(microseconds).unwrap()
}

fn at_time(label: &str, time: DateTime<Utc>) -> NewSpecimen {
    NewSpecimen { time, time_maybe: Some(time), ..Specimen::plain(label) }
}

/// Nothing in it is NULL, a default, or what a type holds when nothing is said.
fn full_specimen(label: &str) -> NewSpecimen {
    NewSpecimen {
        label: label.to_owned(),
        flag: true,
        flag_maybe: Some(true),
        number: i64::MIN,
        number_maybe: Some(i64::MAX),
        level: 93,
        level_maybe: Some(-5),
        ratio: 0.1 + 0.2,
        ratio_maybe: Some(-1e-300),
        text: "Text é 😀".to_owned(),
        text_maybe: Some("\n%_\\".to_owned()),
        link: Some("https://example.org/?q=é#x".to_owned()),
        bytes: vec![0, 0xff, b'\''],
        bytes_maybe: Some((0..=255).collect()),
        json: json!({"b": [1, null, 0.1], "a": {"": "é"}}),
        json_maybe: Some(json!(["x"])),
        time: time(-1),
        time_maybe: Some(time(1_767_323_045_678_901)),
        uuid: uuid::Uuid::max(),
        uuid_maybe: Some(uuid::Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10)),
        colour: Colour::Green,
        colour_maybe: Some(Colour::Amber),
    }
}

/// The labels of those that meet the condition, sorted.
async fn labels(specimens: &Repo<Specimen>, condition: Filter) -> larder::Result<Vec<String>> {
    let order = vec![Specimen::LABEL.order(SortDirection::Asc)];
    let found = specimens.select(condition, order, None).await?;
    Ok(found.into_iter().map(|specimen| specimen.label).collect())
}
