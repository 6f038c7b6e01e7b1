//! Owners: what belongs to one user does not exist for another.

use std::collections::HashMap;

use larder::{
    Entity, ErrorKind, Filter, Insert, Result, Row, Sql, SystemScope, Table, UserScope, Value, Verb, model::*,
};

use crate::{
    World,
    entities::{Folder, NewFolder, NewNote, Note},
    methods::{Caller, SCOPED, Target},
    samples::{row_of_each, row_of_each_owned},
    together,
};

cases! {
    /// Every method that a user can call answers for another user's row exactly what it answers for one that does not
    /// exist, and changes nothing of the other user's.
    #[covers(27)]
    async fn another_users_row_is_as_if_it_did_not_exist(world: World) {
        let ada = world.user("Ada").await?;
        let hers = Target::of(&ada, "hers").await?;
        let before = world.rows_of(ada.owner()).await?;
        for (number, method) in SCOPED.iter().enumerate() {
            let of_hers = answer(&world, method.call, hers.clone()).await?;
            let of_nothing = answer(&world, method.call, Target::absent("hers", number as u128)).await?;
            assert_eq!(
                of_hers, of_nothing,
                "{} tells another user's row from one that does not exist",
                method.name
            );
            assert_eq!(
                world.rows_of(ada.owner()).await?,
                before,
                "{} changed another user's rows",
                method.name
            );
        }
    }

    /// A list, a count and a search hold the user's own rows and all of them.
    #[covers(27)]
    async fn a_list_holds_the_users_own_rows_alone(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        for (mine, titles) in [(&ada, ["a1", "shared", "a2"]), (&bob, ["b1", "shared", "b2"])] {
            mine.repo::<Note>().create_many(titles.map(NewNote::new)).await?;
        }
        for (mine, titles) in [(&ada, ["a1", "a2", "shared"]), (&bob, ["b1", "b2", "shared"])] {
            let notes = mine.repo::<Note>();
            let order = vec![Note::TITLE.order(larder::SortDirection::Asc)];
            let all = notes.select(Filter::always(), order, None).await?;
            assert_eq!(all.iter().map(|note| note.title.as_str()).collect::<Vec<_>>(), titles);
            assert_eq!(notes.count(Filter::always()).await?, 3);
            let search = crate::entities::ListNotes { search: Some("shar".into()), ..Default::default() };
            let found = notes.list(search).await?.items;
            assert_eq!(found.iter().map(|note| note.user_id.uuid()).collect::<Vec<_>>(), [mine.owner()]);
        }
    }

    /// A row that refers to another user's row is refused by the database itself, also when core is passed by.
    #[covers(28)]
    async fn a_reference_to_another_users_row_is_refused_by_the_database(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let hers = Target::of(&ada, "hers").await?;
        let folder = ada.repo::<Folder>().create(NewFolder::new("hers")).await?;
        let new = NewMessage::new(hers.job, MessageRole::User, "intruding");
        let (_, message) = bob.repo::<Message>().creation(new)?;
        let (_, inside) = bob
            .repo::<Folder>()
            .creation(NewFolder { parent_id: Some(folder.id), ..NewFolder::new("his") })?;
        for (verb, parent) in [(message, "Job"), (inside, "Folder")] {
            let entity = verb.table().entity.into();
            let refused = world.store().execute(verb).await.unwrap_err();
            assert_eq!(refused.kind(), &ErrorKind::MissingParent { entity, parent: parent.into() });
        }
        assert_eq!(world.rows(Message::TABLE).await?.len(), 1);
        assert_eq!(world.rows(Folder::TABLE).await?.len(), 1);
    }

    /// Handing a row to another user while a row that belongs to the first refers to it is refused by the database.
    #[covers(28)]
    #[needs(Sql)]
    async fn sql_cannot_give_away_a_row_that_others_refer_to(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let hers = Target::of(&ada, "hers").await?;
        let steal = Sql::new(
            "UPDATE jobs SET user_id = $1 WHERE id = $2",
            "UPDATE jobs SET user_id = ?1 WHERE id = ?2",
        )
        .bind(larder::ColumnType::Uuid, Value::Uuid(bob.owner()))
        .bind(larder::ColumnType::Uuid, Value::Uuid(hers.job.uuid()));
        world.system().sql(steal).await.unwrap_err();
        assert_eq!(ada.jobs().get(hers.job).await?.map(|job| job.id), Some(hers.job));
        assert_eq!(bob.jobs().get(hers.job).await?, None);
    }

    /// Deleting a user empties every table of that user, and leaves every row of every other user as it was.
    #[covers(29, 31)]
    async fn deleting_a_user_takes_all_that_is_the_users_and_nothing_else(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        for mine in [&ada, &bob] {
            one_of_everything(mine).await?;
        }
        let bobs = world.rows_of(bob.owner()).await?;
        for (table, rows) in &world.rows_of(ada.owner()).await? {
            assert!(!rows.is_empty(), "this case must give Ada a row in {table}");
        }
        ada.profile().delete().await?;
        for (table, rows) in &world.rows_of(ada.owner()).await? {
            assert!(rows.is_empty(), "{table} still holds {} rows of a user who is gone", rows.len());
        }
        assert_eq!(world.rows_of(bob.owner()).await?, bobs);
    }

    /// Ten thousand rows of a user, in all tables that have an owner, go with the user, and every row of anybody
    /// else and of nobody is afterwards as it was.
    #[covers(29, 31)]
    async fn deleting_a_user_with_ten_thousand_rows_takes_them_and_nothing_else(world: World) {
        let ada = many_rows(&world, 1, 10_000).await?;
        many_rows(&world, 2, 1_000).await?;
        let mut expected = world.all_rows().await?;
        let mut hers = 0;
        for ((_, rows), table) in expected.iter_mut().zip(world.tables()) {
            let before = rows.len();
            rows.retain(|row| !belongs_to(table, row, ada.owner()));
            assert!(table.owner.is_none() || rows.len() < before, "Ada must have rows in {}", table.name);
            assert!(!rows.is_empty(), "{} must have a row that is not Ada's", table.name);
            hers += before - rows.len();
        }
        assert!(hers > 10_000, "Ada has {hers} rows");
        ada.profile().delete().await?;
        for (left, expected) in world.all_rows().await?.iter().zip(&expected) {
            let counts = (left.1.len(), expected.1.len());
            assert!(left == expected, "{}: {counts:?} rows are left and were to be left, or one changed", left.0);
        }
    }

    /// A table that has a column `user_id` has an owner, and every row of it goes with the owner.
    #[covers(31)]
    async fn every_table_with_a_user_has_an_owner(world: World) {
        for table in world.tables().iter().filter(|table| table.position("user_id").is_some()) {
            assert_eq!(
                table.owner,
                table.position("user_id"),
                "{} has a user_id that is no owner",
                table.name
            );
            let owner = table.owner.unwrap();
            let goes_along = table.foreign_keys.iter().any(|key| key.columns.first() == Some(&owner));
            assert!(goes_along, "no foreign key of {} takes a row along with its user", table.name);
        }
    }

    /// A child that is written while its user is deleted is deleted too, or refused: none is left over.
    #[covers(30)]
    async fn a_row_written_while_its_user_is_deleted_is_no_orphan(world: World) {
        let again = world.reopen().await?;
        for round in 0..10 {
            let user = world.user(&format!("user {round}")).await?;
            let there = again.user(user.owner().into());
            let written = together(8, |index| {
                let (here, there) = (user.clone(), there.clone());
                async move {
                    match index {
                        3 => here.profile().delete().await.map(|()| 0),
                        _ => there.repo::<Note>().create_many(titles(index)).await.map(|notes| notes.len()),
                    }
                }
            });
            for result in written.await {
                if let Err(error) = result {
                    let refused = ErrorKind::MissingParent { entity: "Note".into(), parent: "User".into() };
                    assert_eq!(error.kind(), &refused, "{error:?}");
                }
            }
            assert_eq!(world.rows(Note::TABLE).await?, [], "round {round} left orphans");
        }
    }

    /// Every connection enforces foreign keys: of 64 children of nobody, written at once, each is refused.
    #[covers(32)]
    async fn every_connection_refuses_a_child_without_a_parent(world: World) {
        let again = world.reopen().await?;
        let nobody = UserId::from_uuid(uuid::Uuid::from_u128(404));
        let refused = together(64, |index| {
            let larder = if index % 2 == 0 { world.larder().clone() } else { again.clone() };
            async move { larder.user(nobody).repo::<Note>().create(NewNote::new(format!("note {index}"))).await }
        });
        for result in refused.await {
            let kind = ErrorKind::MissingParent { entity: "Note".into(), parent: "User".into() };
            assert_eq!(result.unwrap_err().kind(), &kind);
        }
    }

    /// The system creates rows for a user by the user's scope, in one transaction with what it does itself.
    #[covers(27, 33)]
    async fn the_system_can_act_for_a_user_in_one_transaction(world: World) {
        let system = world.system();
        let made = system.transaction(async |tx: SystemScope| {
            let user = tx.users().create(NewUser { name: Some("Ada".into()), ..NewUser::default() }).await?;
            tx.user(user.id).repo::<Note>().create(NewNote::new("welcome")).await?;
            Ok(user)
        });
        let user = made.await?;
        assert_eq!(world.larder().user(user.id).repo::<Note>().count(Filter::always()).await?, 1);
    }
}

impl World {
    /// The rows of one user in every table that has an owner, and the user's own.
    async fn rows_of(&self, owner: uuid::Uuid) -> Result<Vec<(&'static str, Vec<Row>)>> {
        let mut all = Vec::new();
        for table in self.tables().iter().filter(|table| owner_column(table).is_some()) {
            let mut rows = self.rows(table).await?;
            rows.retain(|row| belongs_to(table, row, owner));
            all.push((table.name, rows));
        }
        Ok(all)
    }
}

/// The column that says which user a row goes with.
fn owner_column(table: &Table) -> Option<usize> {
    if table.name == User::TABLE.name { Some(table.primary_key[0]) } else { table.owner }
}

fn belongs_to(table: &Table, row: &Row, owner: uuid::Uuid) -> bool {
    owner_column(table).is_some_and(|column| row.get(column) == Some(&Value::Uuid(owner)))
}

/// A user with at least this many rows, evenly in all tables that have an owner, and a row in every other table; users of
/// different numbers, from 1, have no key in common.
async fn many_rows(world: &World, number: u32, least: usize) -> Result<UserScope> {
    const BETWEEN_USERS: u32 = 100_000;
    let mut rows = row_of_each(world.tables(), number * BETWEEN_USERS);
    let user = rows.iter().find(|(table, _)| table.name == User::TABLE.name).unwrap().1.clone();
    for number in number * BETWEEN_USERS + 1.. {
        rows.extend(row_of_each_owned(world.tables(), &user, number));
        if rows.len() > least + world.tables().len() {
            break;
        }
    }
    let mut of_table: HashMap<_, Vec<_>> = HashMap::new();
    rows.into_iter().for_each(|(table, row)| of_table.entry(table.name).or_default().push(row));
    for table in world.tables() {
        let rows = of_table.remove(table.name).unwrap();
        world.store().execute(Verb::Insert(Insert { table, rows })).await?;
    }
    let Value::Uuid(id) = user[User::TABLE.primary_key[0]] else { panic!("the id of a user is a UUID") };
    Ok(world.larder().user(id.into()))
}

/// A row in every table that has an owner.
async fn one_of_everything(mine: &UserScope) -> Result<()> {
    Target::of(mine, "one").await?;
    let folders = mine.repo::<Folder>();
    let outer = folders.create(NewFolder::new("outer")).await?;
    folders.create(NewFolder { parent_id: Some(outer.id), ..NewFolder::new("inner") }).await?;
    Ok(())
}

fn titles(writer: usize) -> impl Iterator<Item = NewNote> {
    (0..4).map(move |number| NewNote::new(format!("note {writer}.{number}")))
}

/// What a method answers to a fresh user with a job of their own, in a form that is the same for each such user.
async fn answer(world: &World, call: fn(Caller) -> crate::methods::Answer, target: Target) -> Result<String> {
    let mine = world.user("Intruder").await?;
    Target::of(&mine, "my own").await?;
    let answer = call(Caller { larder: world.larder().clone(), mine, target }).await;
    Ok(without_ids(&match answer {
        Ok(answer) => answer,
        Err(error) => format!("{:?}", error.kind()),
    }))
}

/// The text with every UUID in it made the same.
fn without_ids(text: &str) -> String {
    let mut rest = text;
    let mut without = String::new();
    while let Some(first) = rest.chars().next() {
        match rest.get(..36).filter(|start| uuid::Uuid::try_parse(start).is_ok()) {
            Some(_) => {
                without.push_str("<id>");
                rest = &rest[36..];
            }
            None => {
                without.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    without
}
