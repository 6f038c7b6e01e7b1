//! Relations: what belongs to an entity comes with it, in order, without a query for each.

use std::sync::Arc;

use chrono::TimeDelta;
use larder::{ErrorKind, Larder, Page, Result, SortDirection, UserScope, With, model::*};

use crate::{
    World,
    entities::{Folder, FolderId, FolderPatch, FolderSort, ListFolders, NewFolder},
    observed::{Observed, Seen},
};

cases! {
    /// The children of an entity come in the order in which they were made, also within one microsecond, and each
    /// with those of its own, alone and on a page; one without any has none.
    #[covers(19)]
    async fn children_come_with_their_parent_in_order(world: World) {
        let mine = world.user("Ada").await?;
        let folders = mine.repo::<Folder>();
        let [one, two, empty] = tops(&mine).await?;
        let mut made = [Vec::new(), Vec::new()];
        for round in 0..3 {
            for (parent, of_parent) in [&two, &one].into_iter().zip(&mut made) {
                let new = (0..4).rev().map(|number| inside(parent.id, &format!("{number} of round {round}")));
                of_parent.extend(folders.create_many(new).await?);
            }
            world.clock().advance(TimeDelta::microseconds(round % 2));
        }
        let [mut of_two, of_one] = made;
        // A row that is changed may lie elsewhere afterwards; it comes where it came.
        let renamed = FolderPatch { name: "0 of round 0".to_owned().into() };
        of_two[0] = folders.update(of_two[0].id, renamed).await?;
        let deep = folders.create(inside(of_one[0].id, "deep")).await?;

        for (folder, children) in
            [(&one, &of_one[..]), (&two, &of_two), (&empty, &[]), (&of_one[0], &[deep])]
        {
            let with = folders.get_with(folder.id, Folder::PARENT_ID.children()).await?;
            assert_eq!(with, Some(With { entity: folder.clone(), loaded: children.to_vec() }));
        }
        let page = folders.list_with(by_name(3), Folder::PARENT_ID.children()).await?;
        assert_eq!(names(&page), ["0 of round 0"; 3]);
        let page = folders.list_with(ListFolders { page: 5, ..by_name(6) }, Folder::PARENT_ID.children()).await?;
        assert_eq!(names(&page), ["deep", "empty", "one", "two"]);
        let loaded = page.items.into_iter().map(|folder| folder.loaded).collect::<Vec<_>>();
        assert_eq!(loaded, [vec![], vec![], of_one, of_two]);
    }

    /// A parent comes with its child, also one that several share; where there is none, none comes. An owner comes as a
    /// parent does, and a tuple loads all that is in it.
    #[covers(1)]
    async fn a_parent_comes_with_its_child(world: World) {
        let mine = world.user("Ada").await?;
        let (folders, owner) = (mine.repo::<Folder>(), mine.profile().get().await?);
        assert!(owner.is_some());
        let [one, two, empty] = tops(&mine).await?;
        let first = folders.create(inside(one.id, "a first")).await?;
        folders.create_many([inside(one.id, "b second"), inside(two.id, "c third")]).await?;

        let around = (Folder::PARENT_ID.parent(), Folder::USER_ID.parent(), Folder::PARENT_ID.children());
        let with = folders.get_with(first.id, around.clone()).await?.unwrap();
        assert_eq!(with.loaded, (Some(one.clone()), owner.clone(), Vec::new()));
        let with = folders.get_with(one.id, around.clone()).await?.unwrap();
        assert_eq!((&with.loaded.0, with.loaded.1, with.loaded.2.len()), (&None, owner, 2));
        assert_eq!(folders.get_with(FolderId::from_uuid(uuid::Uuid::nil()), around).await?, None);

        let page = folders.list_with(by_name(10), Folder::PARENT_ID.parent()).await?;
        assert_eq!(names(&page), ["a first", "b second", "c third", "empty", "one", "two"]);
        let parents = page.items.into_iter().map(|folder| folder.loaded).collect::<Vec<_>>();
        assert_eq!(parents, [Some(one.clone()), Some(one), Some(two), None, None, None]);
        let alone = folders.get_with(empty.id, Folder::PARENT_ID.parent()).await?.unwrap();
        assert_eq!((alone.entity, alone.loaded), (empty, None));
    }

    /// Jobs come with their messages and their owner under names; the system's users with their jobs.
    #[covers(19)]
    async fn jobs_come_with_what_belongs_to_them(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        for mine in [&ada, &bob] {
            jobs_with_messages(mine, 3).await?;
        }
        let page = ada.jobs().list_with(ListJobs::default(), JobRelations::all()).await?;
        assert_eq!(page.items.len(), 3);
        for job in page.items {
            assert_eq!(job.loaded.messages, ada.messages().of_job(job.id).await?);
            assert_eq!(job.loaded.messages.len(), 2);
            assert_eq!(job.loaded.owner, ada.profile().get().await?);
        }
        let users = world.system().users().list_with(ListUsers::default(), Job::USER_ID.children()).await?;
        assert_eq!(users.items.len(), 2);
        for user in users.items {
            let of_user = world.larder().user(user.id).jobs().list(oldest_first()).await?.items;
            assert_eq!((user.loaded.len(), user.loaded), (3, of_user));
        }
    }

    /// What belongs to another user's entity comes with nobody else's: neither by its key nor on a page.
    #[covers(27)]
    async fn another_users_relations_do_not_come(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let mut tops_of = Vec::new();
        for mine in [&ada, &bob] {
            let [top, ..] = tops(mine).await?;
            mine.repo::<Folder>().create(inside(top.id, "inside")).await?;
            tops_of.push(top);
        }
        let relations = (Folder::PARENT_ID.children(), Folder::PARENT_ID.parent(), Folder::USER_ID.parent());
        for (mine, other) in [(&ada, &tops_of[1]), (&bob, &tops_of[0])] {
            let folders = mine.repo::<Folder>();
            assert_eq!(folders.get_with(other.id, relations.clone()).await?, None);
            assert_eq!(folders.get_with(other.id, Folder::PARENT_ID.children()).await?, None);
            let page = folders.list_with(by_name(10), relations.clone()).await?;
            assert_eq!(page.items.len(), 4);
            for folder in page.items {
                let (children, parent, owner) = &folder.loaded;
                let around = children.iter().chain(parent).chain([&folder.entity]);
                assert!(around.into_iter().all(|folder| folder.user_id.uuid() == mine.owner()));
                assert_eq!(owner.as_ref().map(|owner| owner.id.uuid()), Some(mine.owner()));
            }
        }
    }

    /// In a transaction relations hold what it wrote.
    #[covers(34)]
    async fn relations_in_a_transaction_hold_what_it_wrote(world: World) {
        let mine = world.user("Ada").await?;
        let (with, page) = mine
            .transaction(|tx| async move {
                let [top, ..] = tops(&tx).await?;
                let folders = tx.repo::<Folder>();
                folders.create(inside(top.id, "inside")).await?;
                let with = folders.get_with(top.id, Folder::PARENT_ID.children()).await?;
                Ok((with, folders.list_with(by_name(10), Folder::PARENT_ID.parent()).await?))
            })
            .await?;
        assert_eq!(with.unwrap().loaded[0].name, "inside");
        assert_eq!(page.items[1].loaded.as_ref().map(|parent| &*parent.name), Some("one"));
    }

    /// One entity with its relations is one call; a page of them is two, however many are on it and whatever is loaded with
    /// them, and one when it is empty.
    #[covers(19)]
    async fn relations_are_loaded_without_a_query_for_each(world: World) {
        let (larder, calls) = watched(&world, usize::MAX);
        let mine = larder.user(UserId::from_uuid(world.user("Ada").await?.owner()));
        let all = || (JobRelations::all(), Message::JOB_ID.children());
        assert_eq!(calls_of(&calls, mine.jobs().list_with(ListJobs::default(), all())).await?, [1]);
        let jobs = jobs_with_messages(&mine, 30).await?;

        assert_eq!(calls_of(&calls, mine.jobs().get_with(jobs[0], all())).await?, [1 + VERBS + 1]);
        assert_eq!(calls_of(&calls, mine.jobs().get_with(JobId::from_uuid(mine.owner()), all())).await?, [1 + VERBS + 1]);
        for page_size in [1, 5, 30] {
            let list = ListJobs { page_size, ..ListJobs::default() };
            assert_eq!(calls_of(&calls, mine.jobs().list_with(list, all())).await?, [1, VERBS + 1]);
        }
        let (messages, parents) = (mine.messages(), || (Message::JOB_ID.parent(), Message::USER_ID.parent()));
        let list = ListMessages { page_size: 60, ..ListMessages::default() };
        assert_eq!(calls_of(&calls, messages.list_with(list, parents())).await?, [1, 2]);
        let message = messages.of_job(jobs[0]).await?[0].id;
        calls.taken();
        assert_eq!(calls_of(&calls, messages.get_with(message, Message::USER_ID.parent())).await?, [1 + 1]);
        assert_eq!(calls_of(&calls, messages.get_with(message, parents())).await?, [1, 2]);
    }

    /// A store that leaves out an answer is an error that says so.
    #[covers(71)]
    async fn an_answer_that_is_missing_is_corrupt(world: World) {
        let ada = world.user("Ada").await?;
        let job = jobs_with_messages(&ada, 1).await?[0];
        for kept in 0..=VERBS {
            let (larder, _) = watched(&world, kept);
            let mine = larder.user(UserId::from_uuid(ada.owner()));
            let error = mine.jobs().get_with(job, JobRelations::all()).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error}");
            let page = mine.jobs().list_with(ListJobs::default(), JobRelations::all()).await;
            let missing = page.as_ref().is_err_and(|error| matches!(error.kind(), ErrorKind::Corrupt { .. }));
            assert_eq!(missing, kept < VERBS, "{page:?}");
        }
    }
}

/// The relations in `JobRelations`: each is one verb.
const VERBS: usize = 5;

/// Three folders that lie in none: `one`, `two` and `empty`.
async fn tops(mine: &UserScope) -> Result<[Folder; 3]> {
    let folders = mine.repo::<Folder>();
    let make = async |name: &str| folders.create(NewFolder::new(name)).await;
    Ok([make("one").await?, make("two").await?, make("empty").await?])
}

fn inside(parent: FolderId, name: &str) -> NewFolder {
    NewFolder { parent_id: Some(parent), ..NewFolder::new(name) }
}

fn by_name(page_size: u32) -> ListFolders {
    let (sort_by, sort_direction) = (FolderSort::Name, SortDirection::Asc);
    ListFolders { page_size, sort_by, sort_direction, ..ListFolders::default() }
}

fn oldest_first() -> ListJobs {
    ListJobs { sort_direction: SortDirection::Asc, ..ListJobs::default() }
}

fn names<L>(page: &Page<With<Folder, L>>) -> Vec<&str> {
    page.items.iter().map(|folder| folder.name.as_str()).collect()
}

/// Jobs with two messages each.
async fn jobs_with_messages(mine: &UserScope, count: usize) -> Result<Vec<JobId>> {
    let jobs = mine.jobs().create_many((0..count).map(|number| NewJob::new(format!("job {number}")))).await?;
    let ids: Vec<_> = jobs.into_iter().map(|job| job.id).collect();
    let messages = ids.iter().flat_map(|job| {
        ["a question", "an answer"].map(|text| NewMessage::new(*job, MessageRole::User, text))
    });
    mine.messages().append_many(messages).await?;
    Ok(ids)
}

/// The world's database behind a store that gives at most `answers` answers to a unit; and of how many verbs each call is.
fn watched(world: &World, answers: usize) -> (Larder, Seen<usize>) {
    let calls = Seen::nothing();
    let seen = calls.clone();
    let store = Observed::new(world.store(), move |verbs| {
        seen.add(verbs.len());
        Ok(())
    });
    (world.over(Arc::new(store.answering_at_most(answers))), calls)
}

/// The calls of this work.
async fn calls_of<T>(calls: &Seen<usize>, work: impl Future<Output = Result<T>>) -> Result<Vec<usize>> {
    calls.taken();
    work.await?;
    Ok(calls.taken())
}
