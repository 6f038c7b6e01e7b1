//! The operations, the same on both databases but for what the crate's root says.

use contender::{
    Claimed, Contender, Failure, Key, LEASE, Listed, Opening, PAGE, Seen, WORKER,
    text::{message, pattern},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, ExprTrait, LoaderTrait,
    QueryFilter, QueryOrder, QuerySelect, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
    sea_query::{Expr, LikeExpr},
};
use uuid::Uuid;

use crate::{
    ROWS, after,
    entities::{Role, Status, job, message as messages, user},
    lock, now, open,
};

pub(crate) struct Bench {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

fn seen(job: job::Model) -> Seen {
    Seen { id: job.id, definition: job.definition }
}

async fn get(database: &impl ConnectionTrait, key: Key) -> Result<job::Model, Failure> {
    let found =
        job::Entity::find_by_id(key.job).filter(job::Column::UserId.eq(key.user)).one(database).await?;
    found.ok_or_else(|| "the job is not there".into())
}

fn new_job(user: Uuid, definition: String) -> job::ActiveModel {
    let now = now();
    job::ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(user),
        definition_search: Set(definition.to_lowercase()),
        definition: Set(definition),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    }
}

async fn update(
    database: &impl ConnectionTrait,
    key: Key,
    definition: String,
) -> Result<job::Model, Failure> {
    let changed = job::ActiveModel {
        id: Set(key.job),
        definition_search: Set(definition.to_lowercase()),
        definition: Set(definition),
        updated_at: Set(now()),
        ..Default::default()
    };
    let update = job::Entity::update(changed).validate()?;
    Ok(update.filter(job::Column::UserId.eq(key.user)).exec(database).await?)
}

/// The newest jobs of a user and whether there are more.
async fn page(
    database: &impl ConnectionTrait,
    user: Uuid,
    search: Option<&str>,
) -> Result<(Vec<job::Model>, bool), Failure> {
    let mut select = job::Entity::find().filter(job::Column::UserId.eq(user));
    if let Some(search) = search {
        let like = LikeExpr::new(pattern(search)).escape('\\');
        select = select.filter(job::Column::DefinitionSearch.into_expr().like(like));
    }
    let select = select.order_by_desc(job::Column::CreatedAt).order_by_desc(job::Column::Id);
    let mut jobs = select.limit(PAGE as u64 + 1).all(database).await?;
    let has_next = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    Ok((jobs, has_next))
}

impl Contender for Bench {
    async fn open(opening: Opening) -> Result<Self, Failure> {
        let (reader, writer) = open(&opening).await?;
        Ok(Self { reader, writer })
    }

    async fn engine(&self) -> Result<Option<String>, Failure> {
        if self.reader.get_database_backend() != DbBackend::Sqlite {
            return Ok(None);
        }
        let version = Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version() AS version");
        let row = self.reader.query_one_raw(version).await?.ok_or("no version")?;
        Ok(Some(format!("SQLite {}", row.try_get::<String>("", "version")?)))
    }

    async fn get(&self, key: Key) -> Result<Seen, Failure> {
        Ok(seen(get(&self.reader, key).await?))
    }

    async fn insert(&self, user: Uuid, definition: String) -> Result<(), Failure> {
        job::Entity::insert(new_job(user, definition)).exec_without_returning(&self.writer).await?;
        Ok(())
    }

    async fn update(&self, key: Key, definition: String) -> Result<Seen, Failure> {
        Ok(seen(update(&self.writer, key, definition).await?))
    }

    async fn delete(&self, key: Key) -> Result<(), Failure> {
        let delete = job::Entity::delete_by_id(key.job).filter(job::Column::UserId.eq(key.user));
        match delete.exec(&self.writer).await?.rows_affected {
            1 => Ok(()),
            _ => Err("the job is not there".into()),
        }
    }

    async fn page(&self, user: Uuid, search: Option<&str>) -> Result<Listed, Failure> {
        let (jobs, has_next) = page(&self.reader, user, search).await?;
        Ok(Listed { jobs: jobs.len(), messages: 0, has_next })
    }

    async fn relations(&self, user: Uuid) -> Result<Listed, Failure> {
        let (jobs, has_next) = page(&self.reader, user, None).await?;
        let in_order = messages::Entity::find()
            .order_by_asc(messages::Column::CreatedAt)
            .order_by_asc(messages::Column::Id);
        let of_jobs = jobs.load_many(in_order, &self.reader).await?;
        let owners = jobs.load_one(user::Entity, &self.reader).await?;
        if owners.iter().any(Option::is_none) {
            return Err("a job has no owner".into());
        }
        Ok(Listed { jobs: jobs.len(), messages: of_jobs.iter().map(Vec::len).sum(), has_next })
    }

    async fn transaction(&self, key: Key, definition: String) -> Result<(), Failure> {
        let transaction = self.writer.begin_with_options(immediate()).await?;
        let job = get(&transaction, key).await?;
        update(&transaction, key, definition).await?;
        let (now, text) = (now(), message(0));
        let new = messages::ActiveModel {
            id: Set(Uuid::now_v7()),
            user_id: Set(key.user),
            job_id: Set(job.id),
            role: Set(Role::User),
            content: Set(serde_json::Value::String(text.clone())),
            created_at: Set(now),
            updated_at: Set(now),
            content_search: Set(Some(text.to_lowercase())),
            ..Default::default()
        };
        messages::Entity::insert(new).exec_without_returning(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// A transaction of two statements: SeaORM has no `UPDATE … FROM` of a locking query.
    async fn claim(&self, limit: u32) -> Result<Vec<Claimed>, Failure> {
        let now = now();
        let transaction = self.writer.begin_with_options(immediate()).await?;
        let free = job::Column::LockedUntil.is_null().or(job::Column::LockedUntil.lte(now));
        let due = job::Entity::find()
            .select_only()
            .column(job::Column::Id)
            .filter(job::Column::Status.eq(Status::Active))
            .filter(job::Column::NextRunAt.lte(now))
            .filter(free)
            .order_by_asc(job::Column::NextRunAt)
            .order_by_asc(job::Column::Id)
            .limit(u64::from(limit));
        let due: Vec<Uuid> = lock(due).into_tuple().all(&transaction).await?;
        let claimed = job::Entity::update_many()
            .col_expr(job::Column::LockedUntil, Expr::value(after(now, LEASE)))
            .col_expr(job::Column::LockOwner, Expr::value(WORKER))
            .col_expr(job::Column::LockToken, Expr::col(job::Column::LockToken).add(1))
            .col_expr(job::Column::UpdatedAt, Expr::value(now))
            .filter(job::Column::Id.is_in(due))
            .exec_with_returning(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(claimed.into_iter().map(|job| Claimed { job: job.id, token: job.lock_token }).collect())
    }

    async fn complete(&self, claimed: Claimed) -> Result<(), Failure> {
        let add = |column: job::Column, tokens: i64| Expr::col(column).add(tokens);
        let completed = job::Entity::update_many()
            .col_expr(job::Column::NextRunAt, Expr::value(None::<crate::Time>))
            .col_expr(job::Column::LockedUntil, Expr::value(None::<crate::Time>))
            .col_expr(job::Column::LockOwner, Expr::value(None::<String>))
            .col_expr(job::Column::InputTokens, add(job::Column::InputTokens, 120))
            .col_expr(job::Column::OutputTokens, add(job::Column::OutputTokens, 30))
            .col_expr(job::Column::TotalTokens, add(job::Column::TotalTokens, 150))
            .col_expr(job::Column::UpdatedAt, Expr::value(now()))
            .filter(job::Column::Id.eq(claimed.job))
            .filter(job::Column::LockToken.eq(claimed.token))
            .filter(job::Column::LockedUntil.is_not_null())
            .exec_with_returning(&self.writer)
            .await?;
        if completed.len() == 1 { Ok(()) } else { Err("the lease was lost".into()) }
    }

    async fn bulk(&self, user: Uuid, definitions: Vec<String>) -> Result<(), Failure> {
        let transaction = self.writer.begin_with_options(immediate()).await?;
        let mut new = definitions.into_iter().map(|definition| new_job(user, definition)).peekable();
        while new.peek().is_some() {
            let rows = new.by_ref().take(ROWS);
            job::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}
