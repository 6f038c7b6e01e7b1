//! A newcomer's program: two entities of one's own, one that a user owns and its child, with migrations made at run time.

use chrono::{DateTime, Utc};
use larder::{Change, Dialect, Migrations, Result, UserScope, create_schema, prelude::*};

use crate::databases::{Database, assert_invalid, on_both, user};

on_both!(
    they_have_the_same_verbs,
    they_keep_their_rules_and_defaults,
    another_user_reaches_nothing,
    a_child_belongs_to_a_parent_of_the_same_user,
    they_go_with_their_parent_and_their_user,
    a_transaction_holds_both,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumText)]
enum PlantStatus {
    Alive,
    Dead,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [user_id, id], unique = [user_id, name])]
struct Plant {
    id: PlantId,
    #[entity(owner)]
    user_id: UserId,
    #[entity(length(1, 40), sort, search)]
    name: String,
    #[entity(default = PlantStatus::Alive, filter)]
    status: PlantStatus,
    #[entity(url)]
    picture: Option<String>,
    #[entity(managed, default = 0)]
    leaves: i64,
    #[entity(sort)]
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Entity)]
struct Watering {
    id: WateringId,
    #[entity(owner)]
    user_id: UserId,
    #[entity(parent)]
    plant_id: PlantId,
    #[entity(range(1..=5000))]
    millilitres: u32,
    #[entity(sort)]
    created_at: DateTime<Utc>,
}

/// As a program does that has no migration files yet.
fn migrations() -> Migrations {
    // The child first: the order is found by larder.
    let script = |dialect| create_schema(dialect, &[Watering::TABLE, Plant::TABLE]);
    Migrations::new("garden").then("plants", script(Dialect::Postgres), script(Dialect::Sqlite))
}

async fn garden(database: &Database) -> Larder {
    let larder = Larder::builder().migrations(migrations()).open(&database.url()).await.unwrap();
    let applied = larder.migrate().await.unwrap();
    assert_eq!(applied.last().unwrap().step, "garden 0001_plants");
    larder
}

async fn fern(scope: &UserScope) -> Plant {
    scope.repo::<Plant>().create(NewPlant::new("Fern")).await.unwrap()
}

async fn they_have_the_same_verbs(database: Database) {
    let larder = garden(&database).await;
    let mine = user(&larder).await;
    let (plants, waterings) = (mine.repo::<Plant>(), mine.repo::<Watering>());
    let fern = fern(&mine).await;
    assert_eq!((fern.status, &fern.picture, fern.leaves), (PlantStatus::Alive, &None, 0));
    assert_eq!(plants.get(fern.id).await.unwrap(), Some(fern.clone()));

    let patch = PlantPatch {
        status: Change::Set(PlantStatus::Dead),
        picture: Change::Set(Some("https://example.org/fern.jpg".to_owned())),
        ..PlantPatch::default()
    };
    let dead = plants.update(fern.id, patch).await.unwrap();
    assert_eq!(dead.status, PlantStatus::Dead);
    assert!(dead.updated_at > fern.updated_at);
    let grown =
        plants.update_if(fern.id, Plant::STATUS.eq(PlantStatus::Dead).unwrap(), vec![Plant::LEAVES.add(3)]);
    assert_eq!(grown.await.unwrap().map(|plant| plant.leaves), Some(3));

    plants.create(NewPlant::new("Monstera")).await.unwrap();
    let list = ListPlants {
        search: Some("FER".to_owned()),
        status: Some(PlantStatus::Dead),
        ..ListPlants::default()
    };
    let found = plants.list(list).await.unwrap();
    assert_eq!(found.items.iter().map(|plant| plant.id).collect::<Vec<_>>(), [fern.id]);
    let list = ListPlants { sort_by: PlantSort::Name, page_size: 1, ..ListPlants::default() };
    let first = plants.list(list.clone()).await.unwrap();
    let second = plants.list(ListPlants { cursor: first.next.clone(), ..list }).await.unwrap();
    assert_eq!((&*first.items[0].name, &*second.items[0].name), ("Monstera", "Fern"));

    let many = [100, 200, 300].map(|millilitres| NewWatering::new(fern.id, millilitres));
    waterings.create_many(many).await.unwrap();
    let of_fern = ListWaterings { plant_id: Some(fern.id), ..ListWaterings::default() };
    assert_eq!(waterings.list(of_fern).await.unwrap().items.len(), 3);
    let large = Watering::MILLILITRES.ge(200).unwrap();
    assert_eq!(waterings.count(large).await.unwrap(), 2);
}

async fn they_keep_their_rules_and_defaults(database: Database) {
    let larder = garden(&database).await;
    let mine = user(&larder).await;
    let (plants, waterings) = (mine.repo::<Plant>(), mine.repo::<Watering>());
    assert_invalid(plants.create(NewPlant::new("")).await, "Plant", "name");
    let pictured = NewPlant { picture: Some("fern.jpg".to_owned()), ..NewPlant::new("Fern") };
    assert_invalid(plants.create(pictured).await, "Plant", "picture");
    let fern = fern(&mine).await;
    assert_invalid(waterings.create(NewWatering::new(fern.id, 0)).await, "Watering", "millilitres");
    assert_invalid(waterings.create(NewWatering::new(fern.id, 5001)).await, "Watering", "millilitres");

    let again = plants.create(NewPlant::new("Fern")).await.unwrap_err();
    let taken = ErrorKind::Conflict { entity: "Plant".into(), field: "user_id, name".into() };
    assert_eq!(*again.kind(), taken);
    assert_eq!(plants.count(larder::Filter::always()).await.unwrap(), 1);
    assert_eq!(waterings.count(larder::Filter::always()).await.unwrap(), 0);
}

async fn another_user_reaches_nothing(database: Database) {
    let larder = garden(&database).await;
    let (mine, theirs) = (user(&larder).await, user(&larder).await);
    let fern = fern(&mine).await;
    let watering = mine.repo::<Watering>().create(NewWatering::new(fern.id, 100)).await.unwrap();

    let not_found = |entity: &'static str| ErrorKind::NotFound { entity: entity.into() };
    let plants = theirs.repo::<Plant>();
    assert_eq!(plants.get(fern.id).await.unwrap(), None);
    assert!(plants.list(ListPlants::default()).await.unwrap().items.is_empty());
    assert_eq!(plants.count(larder::Filter::always()).await.unwrap(), 0);
    let patch = || PlantPatch { name: Change::Set("Stolen".to_owned()), ..PlantPatch::default() };
    assert_eq!(*plants.update(fern.id, patch()).await.unwrap_err().kind(), not_found("Plant"));
    assert_eq!(*plants.delete(fern.id).await.unwrap_err().kind(), not_found("Plant"));
    let waterings = theirs.repo::<Watering>();
    assert_eq!(waterings.get(watering.id).await.unwrap(), None);
    assert_eq!(*waterings.delete(watering.id).await.unwrap_err().kind(), not_found("Watering"));
    // The same name is free for somebody else.
    plants.create(NewPlant::new("Fern")).await.unwrap();

    assert_eq!(mine.repo::<Plant>().get(fern.id).await.unwrap(), Some(fern));
    assert_eq!(mine.repo::<Watering>().get(watering.id).await.unwrap(), Some(watering));
}

async fn a_child_belongs_to_a_parent_of_the_same_user(database: Database) {
    let larder = garden(&database).await;
    let (mine, theirs) = (user(&larder).await, user(&larder).await);
    let fern = fern(&mine).await;
    let missing = ErrorKind::MissingParent { entity: "Watering".into(), parent: "Plant".into() };
    let foreign = theirs.repo::<Watering>().create(NewWatering::new(fern.id, 100)).await;
    assert_eq!(*foreign.unwrap_err().kind(), missing);
    let nowhere =
        mine.repo::<Watering>().create(NewWatering::new(PlantId::from_uuid(mine.owner()), 100)).await;
    assert_eq!(*nowhere.unwrap_err().kind(), missing);
}

async fn they_go_with_their_parent_and_their_user(database: Database) {
    let larder = garden(&database).await;
    let (mine, theirs) = (user(&larder).await, user(&larder).await);
    for scope in [&mine, &theirs] {
        for name in ["Fern", "Monstera"] {
            let plant = scope.repo::<Plant>().create(NewPlant::new(name)).await.unwrap();
            scope.repo::<Watering>().create(NewWatering::new(plant.id, 100)).await.unwrap();
        }
    }
    let count = || async {
        let all = larder::Filter::always;
        let system = larder.system();
        let plants = system.all_users::<Plant>().count(all()).await.unwrap();
        (plants, system.all_users::<Watering>().count(all()).await.unwrap())
    };
    assert_eq!(count().await, (4, 4));
    let plant = mine.repo::<Plant>().list(ListPlants::default()).await.unwrap().items.remove(0);
    mine.repo::<Plant>().delete(plant.id).await.unwrap();
    assert_eq!(count().await, (3, 3));
    mine.profile().delete().await.unwrap();
    assert_eq!(count().await, (2, 2));
    assert_eq!(theirs.repo::<Watering>().count(larder::Filter::always()).await.unwrap(), 2);
}

async fn a_transaction_holds_both(database: Database) {
    let larder = garden(&database).await;
    let mine = user(&larder).await;
    let plant = |millilitres| {
        mine.transaction(move |tx| async move {
            let plant = tx.repo::<Plant>().create(NewPlant::new("Fern")).await?;
            tx.repo::<Watering>().create(NewWatering::new(plant.id, millilitres)).await?;
            Ok(plant)
        })
    };
    let refused: Result<Plant> = plant(0).await;
    assert_invalid(refused, "Watering", "millilitres");
    assert_eq!(mine.repo::<Plant>().count(larder::Filter::always()).await.unwrap(), 0);
    let plant = plant(100).await.unwrap();
    assert_eq!(mine.repo::<Plant>().get(plant.id).await.unwrap(), Some(plant));
}
