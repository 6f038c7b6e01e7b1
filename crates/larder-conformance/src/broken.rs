//! Stores that break one promise each. A suite that passes one of them proves nothing: each must be caught by a case whose
//! name says what broke.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

use async_trait::async_trait;
use chrono::SubsecRound;
use larder::{
    Assign, Begin, Capability, Claim, ColumnType, Delete, Error, ErrorKind, Filter, Freshness, Get, Health,
    Insert, Key, Op, Outcome, Result, Row, Select, SortDirection, Sql, SqlOutcome, Store, Table, Transaction,
    Unit, Update, Value, Verb,
};

use crate::{Backend, Database, Failure, Limits, Schema};

/// A promise, broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A verb's owner is left out: everybody's rows are reached.
    ForgetsOwner,
    /// A claim reads first and writes later, with others in between.
    ClaimsInTwoSteps,
    /// Rows that are deleted are read first and deleted later, with others in between, who are answered with them too.
    SharesDeletes,
    /// What was looked up once is answered from memory.
    ServesStaleLookUps,
    /// A change of one row is made whatever it is guarded by.
    ForgetsGuards,
    /// A transaction that is dropped is committed.
    CommitsOnDrop,
    /// Of a new row, the last column that may be null is lost.
    LosesColumn,
    /// Times are cut to milliseconds when they are written.
    CutsTimeToMilliseconds,
    /// A database that is busy is reported as a conflict.
    CallsBusyConflict,
    /// A conflict is answered as success, with nothing written.
    SwallowsConflict,
    /// Text that is null is read as the empty text.
    ReadsNullAsEmpty,
    /// Verbs that are under way at once are all answered with the error of one of them.
    SharesErrors,
    /// An insert is answered first and done afterwards.
    AnswersBeforeCommit,
    /// Of a batch that is refused, the rows before the one that is to blame are written.
    WritesBatchesInPart,
    /// A `%` in what is looked for stands for any text.
    TakesPercentForWildcard,
    /// A page leaves out the rows that are equal in the sort key to the last row of the page before.
    LosesTies,
    /// An update leaves the time of the last one as it is.
    KeepsUpdatedAt,
    /// An update reads the row and writes all of it back, with others in between.
    WritesWholeRows,
    /// Of several columns that an update sets, the first is not written.
    LosesAssignment,
    /// Of many rows that are to be deleted at once, a thousand are.
    DeletesAThousand,
    /// Everybody's rows are added up.
    AddsUpEverybody,
    /// The last come first.
    ReversesOrder,
    /// With a row go all others of its owner in the table.
    DeletesAllOfAnOwner,
    /// A row that is put again has another id.
    PutsANewId,
    /// Of JSON objects the entries are lost.
    EmptiesObjects,
    /// A guard on a status is not looked at.
    ForgetsStatus,
}

impl Fault {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::ForgetsOwner,
        Self::ClaimsInTwoSteps,
        Self::SharesDeletes,
        Self::ServesStaleLookUps,
        Self::ForgetsGuards,
        Self::CommitsOnDrop,
        Self::LosesColumn,
        Self::CutsTimeToMilliseconds,
        Self::CallsBusyConflict,
        Self::SwallowsConflict,
        Self::ReadsNullAsEmpty,
        Self::SharesErrors,
        Self::AnswersBeforeCommit,
        Self::WritesBatchesInPart,
        Self::TakesPercentForWildcard,
        Self::LosesTies,
        Self::KeepsUpdatedAt,
        Self::WritesWholeRows,
        Self::LosesAssignment,
        Self::DeletesAThousand,
        Self::AddsUpEverybody,
        Self::ReversesOrder,
        Self::DeletesAllOfAnOwner,
        Self::PutsANewId,
        Self::EmptiesObjects,
        Self::ForgetsStatus,
    ];

    /// The case whose name says what this breaks; others may fail too.
    pub fn caught_by(self) -> &'static str {
        match self {
            Self::ForgetsOwner => "owners::another_users_row_is_as_if_it_did_not_exist",
            Self::ClaimsInTwoSteps => "jobs::each_due_job_is_claimed_once",
            Self::SharesDeletes => "authentication::a_verification_token_is_used_once",
            Self::ServesStaleLookUps => "api_keys::nothing_authenticates_after_a_revocation_is_acknowledged",
            Self::ForgetsGuards => "authentication::an_expired_session_is_not_brought_back",
            Self::CommitsOnDrop => "transactions::a_dropped_transaction_is_undone",
            Self::LosesColumn => "values::every_column_is_read_as_it_was_written",
            Self::CutsTimeToMilliseconds => "values::times_keep_their_microseconds",
            Self::CallsBusyConflict => "errors::a_store_without_a_free_connection_says_busy",
            Self::SwallowsConflict => "errors::a_duplicate_is_a_conflict_that_names_its_key",
            Self::ReadsNullAsEmpty => "values::null_and_empty_text_stay_different",
            Self::SharesErrors => "lanes::each_of_a_mixed_batch_is_answered_as_if_it_were_alone",
            Self::AnswersBeforeCommit => "lanes::what_is_answered_is_there_for_everybody",
            Self::WritesBatchesInPart => "batches::a_batch_is_all_or_nothing",
            Self::TakesPercentForWildcard => "search::wildcards_mean_themselves",
            Self::LosesTies => "pages::the_pages_of_every_size_are_the_whole_list",
            Self::KeepsUpdatedAt => "patches::every_update_moves_updated_at_forward",
            Self::WritesWholeRows => "patches::parallel_patches_of_different_fields_all_survive",
            Self::LosesAssignment => "tables::every_column_of_every_table_is_kept",
            Self::DeletesAThousand => "bulk::twenty_thousand_rows_are_deleted_at_once",
            Self::AddsUpEverybody => "statistics::totals_are_of_the_users_own_rows",
            Self::ReversesOrder => "relations::children_come_with_their_parent_in_order",
            Self::DeletesAllOfAnOwner => "children::deleting_a_job_takes_its_children_and_nothing_else",
            Self::PutsANewId => "context::to_put_again_keeps_id_and_time_of_creation",
            Self::EmptiesObjects => "endpoints::headers_are_read_as_they_were_written",
            Self::ForgetsStatus => "tasks::of_many_who_start_a_task_one_does",
        }
    }

    /// A backend that is sound but for this.
    pub fn in_backend(self, sound: Arc<dyn Backend>) -> Arc<dyn Backend> {
        Arc::new(BrokenBackend { sound, fault: self })
    }

    /// The verb that is executed instead of this one.
    fn asked(self, mut verb: Verb) -> Verb {
        match self {
            Self::ForgetsOwner => forget_owner(&mut verb),
            Self::LosesColumn => {
                if let Verb::Insert(insert) = &mut verb {
                    insert.rows.iter_mut().for_each(|row| lose_column(insert.table, row));
                }
            }
            Self::ForgetsGuards => {
                if let Verb::Update(update) = &mut verb
                    && update.key.is_some()
                {
                    update.filter = Filter::always();
                }
            }
            Self::CutsTimeToMilliseconds => values_of(&mut verb, cut_to_milliseconds),
            Self::TakesPercentForWildcard => {
                filter_of(&mut verb).into_iter().for_each(take_percent_for_wildcard)
            }
            Self::LosesTies => lose_ties(&mut verb),
            Self::KeepsUpdatedAt => keep_updated_at(&mut verb),
            Self::LosesAssignment => lose_assignment(&mut verb),
            Self::DeletesAThousand => delete_a_thousand(&mut verb),
            Self::AddsUpEverybody => {
                if let Verb::Aggregate(aggregate) = &mut verb {
                    aggregate.owner = None;
                }
            }
            Self::ReversesOrder => reverse_order(&mut verb),
            Self::DeletesAllOfAnOwner => delete_all_of_an_owner(&mut verb),
            Self::PutsANewId => put_a_new_id(&mut verb),
            Self::EmptiesObjects => values_of(&mut verb, empty_object),
            Self::ForgetsStatus => forget_enums(&mut verb),
            _ => {}
        }
        verb
    }

    /// The answer that is given instead of this one, to a verb on this table.
    fn answered(self, table: &'static Table, answer: Result<Outcome>) -> Result<Outcome> {
        match (self, answer) {
            (Self::SwallowsConflict, Err(error)) if matches!(error.kind(), ErrorKind::Conflict { .. }) => {
                Ok(Outcome::Count(1))
            }
            (Self::ReadsNullAsEmpty, Ok(outcome)) => Ok(with_null_as_empty(table, outcome)),
            (_, Err(error)) => Err(self.error(error)),
            (_, answer) => answer,
        }
    }

    fn error(self, error: Error) -> Error {
        match (self, error.kind()) {
            (Self::CallsBusyConflict, ErrorKind::Busy) => Error::conflict("", ""),
            _ => error,
        }
    }
}

fn forget_owner(verb: &mut Verb) {
    match verb {
        Verb::Get(verb) => verb.owner = None,
        Verb::Select(verb) => verb.owner = None,
        Verb::Count(verb) => verb.owner = None,
        Verb::Aggregate(verb) => verb.owner = None,
        Verb::Update(verb) => verb.owner = None,
        Verb::Delete(verb) => verb.owner = None,
        Verb::Insert(_) | Verb::Upsert(_) | Verb::Claim(_) => {}
    }
}

fn lose_column(table: &'static Table, row: &mut [Value]) {
    if let Some(column) = table.visible().iter().rposition(|column| column.nullable) {
        row[column] = Value::Null;
    }
}

fn filter_of(verb: &mut Verb) -> Option<&mut Filter> {
    match verb {
        Verb::Select(verb) => Some(&mut verb.filter),
        Verb::Count(verb) => Some(&mut verb.filter),
        Verb::Aggregate(verb) => Some(&mut verb.filter),
        Verb::Update(verb) => Some(&mut verb.filter),
        Verb::Delete(verb) => Some(&mut verb.filter),
        Verb::Claim(verb) => Some(&mut verb.filter),
        Verb::Get(_) | Verb::Insert(_) | Verb::Upsert(_) => None,
    }
}

/// What is between two `%` has to be somewhere in the text.
fn take_percent_for_wildcard(filter: &mut Filter) {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => filters.iter_mut().for_each(take_percent_for_wildcard),
        Filter::Contains { column, text } => {
            let part = |part: &str| Filter::Contains { column: *column, text: part.to_owned() };
            *filter = Filter::All(text.split('%').map(part).collect());
        }
        _ => {}
    }
}

fn lose_ties(verb: &mut Verb) {
    if let Verb::Select(Select { order, after: Some(after), .. }) = verb {
        order.truncate(1);
        after.truncate(1);
    }
}

fn keep_updated_at(verb: &mut Verb) {
    if let Verb::Update(update) = verb {
        update.set.retain(|(_, assign)| !matches!(assign, Assign::Advance(_)));
    }
}

fn delete_a_thousand(verb: &mut Verb) {
    if let Verb::Delete(Delete { key: None, limit: limit @ None, .. }) = verb {
        *limit = Some(1_000);
    }
}

fn delete_all_of_an_owner(verb: &mut Verb) {
    if let Verb::Delete(Delete { key, owner: Some(_), .. }) = verb {
        *key = None;
    }
}

fn put_a_new_id(verb: &mut Verb) {
    if let Verb::Upsert(upsert) = verb {
        let ids =
            upsert.table.primary_key.iter().map(|&column| (column, Assign::Set(upsert.row[column].clone())));
        upsert.set.extend(ids);
    }
}

fn empty_object(value: &mut Value) {
    if let Value::Json(serde_json::Value::Object(entries)) = value {
        entries.clear();
    }
}

fn forget_enums(verb: &mut Verb) {
    if let Verb::Update(Update { table, filter, .. }) = verb
        && let Filter::Compare { column, .. } = filter
        && matches!(table.columns[*column].kind, ColumnType::Enum(_))
    {
        *filter = Filter::always();
    }
}

fn reverse_order(verb: &mut Verb) {
    if let Verb::Select(select) = verb {
        for order in &mut select.order {
            order.direction = match order.direction {
                SortDirection::Asc => SortDirection::Desc,
                SortDirection::Desc => SortDirection::Asc,
            };
        }
    }
}

fn lose_assignment(verb: &mut Verb) {
    if let Verb::Update(Update { set, .. }) = verb
        && set.len() > 1
    {
        set.remove(0);
    }
}

/// Changes every value that a verb writes.
fn values_of(verb: &mut Verb, change: impl Fn(&mut Value)) {
    let set = match verb {
        Verb::Insert(insert) => return insert.rows.iter_mut().flatten().for_each(change),
        Verb::Upsert(upsert) => {
            upsert.row.iter_mut().for_each(&change);
            &mut upsert.set
        }
        Verb::Update(update) => &mut update.set,
        Verb::Claim(claim) => &mut claim.set,
        Verb::Get(_) | Verb::Select(_) | Verb::Count(_) | Verb::Aggregate(_) | Verb::Delete(_) => return,
    };
    for (_, assign) in set {
        if let Assign::Set(value) = assign {
            change(value);
        }
    }
}

fn cut_to_milliseconds(value: &mut Value) {
    if let Value::Time(time) = value {
        *time = time.trunc_subsecs(3);
    }
}

fn with_null_as_empty(table: &'static Table, outcome: Outcome) -> Outcome {
    let fill = |row: Row| {
        let filled = row.into_values().into_iter().zip(table.visible()).map(|(value, column)| match value {
            Value::Null if column.kind == ColumnType::Text => Value::Text(String::new()),
            other => other,
        });
        Row::new(filled.collect())
    };
    match outcome {
        Outcome::Row(row) => Outcome::Row(row.map(fill)),
        Outcome::Rows(rows) => Outcome::Rows(rows.into_iter().map(fill).collect()),
        Outcome::Count(count) => Outcome::Count(count),
    }
}

#[derive(Debug)]
struct BrokenStore {
    sound: Arc<dyn Store>,
    fault: Fault,
    /// Of [`Fault::SharesErrors`].
    under_way: Mutex<UnderWay>,
    /// Of [`Fault::ServesStaleLookUps`].
    looked_up: Mutex<Vec<(Get, Outcome)>>,
}

/// Verbs that are under way at once.
#[derive(Debug, Default)]
struct UnderWay {
    verbs: usize,
    error: Option<Error>,
}

impl BrokenStore {
    fn new(sound: Arc<dyn Store>, fault: Fault) -> Self {
        Self { sound, fault, under_way: Mutex::default(), looked_up: Mutex::default() }
    }

    /// What a claim must not be.
    async fn claim_in_two_steps(&self, claim: Claim) -> Result<Outcome> {
        let Claim { table, filter, order, limit, set, .. } = claim;
        let limit = Some(u64::from(limit));
        let select = Select { table, owner: None, filter, order, after: None, offset: 0, limit };
        let Outcome::Rows(chosen) = self.sound.execute(Verb::Select(select)).await? else {
            return Ok(Outcome::Rows(Vec::new()));
        };
        tokio::task::yield_now().await;
        let mut claimed = Vec::new();
        for row in chosen {
            let values = table.primary_key.iter().filter_map(|&column| row.get(column).cloned()).collect();
            let key = Some(Key { columns: table.primary_key, values });
            let update = Update {
                table,
                owner: None,
                key,
                filter: Filter::always(),
                set: set.clone(),
                returning: true,
            };
            if let Outcome::Rows(rows) = self.sound.execute(Verb::Update(update)).await? {
                claimed.extend(rows);
            }
        }
        Ok(Outcome::Rows(claimed))
    }

    /// What an insert of several rows must not be.
    async fn insert_one_by_one(&self, insert: Insert) -> Result<Outcome> {
        let (table, count) = (insert.table, insert.rows.len() as u64);
        for row in insert.rows {
            self.sound.execute(Verb::Insert(Insert { table, rows: vec![row] })).await?;
        }
        Ok(Outcome::Count(count))
    }

    /// What an update must not be.
    async fn update_whole_row(&self, mut update: Update) -> Result<Outcome> {
        let Some(key) = update.key.clone() else { return self.sound.execute(Verb::Update(update)).await };
        let get = Get { table: update.table, owner: update.owner, key };
        if let Outcome::Row(Some(row)) = self.sound.execute(Verb::Get(get)).await? {
            let is_set: Vec<_> = update.set.iter().map(|(column, _)| *column).collect();
            let others =
                row.into_values().into_iter().enumerate().filter(|(column, _)| !is_set.contains(column));
            update.set.extend(others.map(|(column, value)| (column, Assign::Set(value))));
        }
        tokio::task::yield_now().await;
        self.sound.execute(Verb::Update(update)).await
    }

    /// What a deletion must not be.
    async fn delete_in_two_steps(&self, delete: Delete) -> Result<Outcome> {
        let Some(Key { columns, values }) = &delete.key else {
            return self.sound.execute(Verb::Delete(delete)).await;
        };
        let equal =
            |(&column, value): (&usize, &Value)| Filter::Compare { column, op: Op::Eq, value: value.clone() };
        let by_key = columns.iter().zip(values).map(equal).chain([delete.filter.clone()]);
        let select = Select {
            table: delete.table,
            owner: delete.owner,
            filter: Filter::All(by_key.collect()),
            order: Vec::new(),
            after: None,
            offset: 0,
            limit: delete.limit,
        };
        let rows = self.sound.execute(Verb::Select(select)).await?;
        tokio::task::yield_now().await;
        self.sound.execute(Verb::Delete(delete)).await.map(|_| rows)
    }

    /// What a look-up must not be.
    async fn look_up_once(&self, get: Get) -> Result<Outcome> {
        let known = {
            let looked_up = self.looked_up.lock().unwrap_or_else(PoisonError::into_inner);
            looked_up.iter().find(|(known, _)| *known == get).map(|(_, outcome)| outcome.clone())
        };
        if let Some(outcome) = known {
            return Ok(outcome);
        }
        let outcome = self.sound.execute(Verb::Get(get.clone())).await?;
        self.looked_up.lock().unwrap_or_else(PoisonError::into_inner).push((get, outcome.clone()));
        Ok(outcome)
    }

    /// What verbs that are under way at once must not be.
    async fn execute_with_others(&self, verb: Verb) -> Result<Outcome> {
        self.under_way().verbs += 1;
        let answer = self.sound.execute(verb).await;
        if let Err(error) = &answer {
            self.under_way().error = Some(error.clone());
        }
        tokio::task::yield_now().await;
        let mut under_way = self.under_way();
        under_way.verbs -= 1;
        let error = if under_way.verbs == 0 { under_way.error.take() } else { under_way.error.clone() };
        error.map_or(answer, Err)
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an answer must not be.
    fn answer_and_insert(&self, insert: Insert) -> Result<Outcome> {
        let (sound, rows) = (Arc::clone(&self.sound), insert.rows.len() as u64);
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            sound.execute(Verb::Insert(insert)).await
        });
        Ok(Outcome::Count(rows))
    }
}

#[async_trait]
impl Store for BrokenStore {
    fn supports(&self, capability: Capability) -> bool {
        self.sound.supports(capability)
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        let table = verb.table();
        match verb {
            Verb::Claim(claim) if self.fault == Fault::ClaimsInTwoSteps => {
                self.claim_in_two_steps(claim).await
            }
            Verb::Delete(delete) if self.fault == Fault::SharesDeletes && delete.returning => {
                self.delete_in_two_steps(delete).await
            }
            Verb::Get(get) if self.fault == Fault::ServesStaleLookUps => self.look_up_once(get).await,
            Verb::Insert(insert) if self.fault == Fault::AnswersBeforeCommit => {
                self.answer_and_insert(insert)
            }
            Verb::Insert(insert) if self.fault == Fault::WritesBatchesInPart => {
                self.insert_one_by_one(insert).await
            }
            Verb::Update(update) if self.fault == Fault::WritesWholeRows => {
                self.update_whole_row(update).await
            }
            verb if self.fault == Fault::SharesErrors => self.execute_with_others(verb).await,
            verb => self.fault.answered(table, self.sound.execute(self.fault.asked(verb)).await),
        }
    }

    async fn run(&self, mut unit: Unit) -> Result<Vec<Outcome>> {
        let tables: Vec<_> = unit.steps.iter().map(|step| step.verb.table()).collect();
        for step in &mut unit.steps {
            step.verb = self.fault.asked(step.verb.clone());
        }
        let outcomes = self.sound.run(unit).await.map_err(|error| self.fault.error(error))?;
        tables
            .into_iter()
            .zip(outcomes)
            .map(|(table, outcome)| self.fault.answered(table, Ok(outcome)))
            .collect()
    }

    async fn begin(&self, begin: Begin) -> Result<Box<dyn Transaction>> {
        let sound = self.sound.begin(begin).await.map_err(|error| self.fault.error(error))?;
        Ok(Box::new(BrokenTransaction { sound: Some(sound), fault: self.fault }))
    }

    async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        self.sound.sql(sql).await
    }

    fn reading(&self, freshness: Freshness) -> Option<Arc<dyn Store>> {
        Some(Arc::new(Self::new(self.sound.reading(freshness)?, self.fault)))
    }

    async fn health(&self) -> Result<Health> {
        self.sound.health().await
    }

    async fn close(&self) -> Result<()> {
        self.sound.close().await
    }
}

#[derive(Debug)]
struct BrokenTransaction {
    /// `None` once it has ended.
    sound: Option<Box<dyn Transaction>>,
    fault: Fault,
}

impl BrokenTransaction {
    fn sound(&mut self) -> Result<&mut Box<dyn Transaction>> {
        self.sound.as_mut().ok_or_else(ended)
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Closed, "the transaction has ended")
}

#[async_trait]
impl Transaction for BrokenTransaction {
    async fn execute(&mut self, verb: Verb) -> Result<Outcome> {
        let (fault, table) = (self.fault, verb.table());
        fault.answered(table, self.sound()?.execute(fault.asked(verb)).await)
    }

    async fn sql(&mut self, sql: Sql) -> Result<SqlOutcome> {
        self.sound()?.sql(sql).await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.sound.take().ok_or_else(ended)?.commit().await
    }

    async fn rollback(mut self: Box<Self>) -> Result<()> {
        self.sound.take().ok_or_else(ended)?.rollback().await
    }
}

impl Drop for BrokenTransaction {
    fn drop(&mut self) {
        if let Some(sound) = self.sound.take().filter(|_| self.fault == Fault::CommitsOnDrop) {
            // The reference store commits at the first poll.
            let _ = pin!(sound.commit()).as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

struct BrokenBackend {
    sound: Arc<dyn Backend>,
    fault: Fault,
}

#[async_trait]
impl Backend for BrokenBackend {
    fn name(&self) -> &str {
        self.sound.name()
    }

    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure> {
        Ok(Box::new(BrokenDatabase { sound: self.sound.create(schema).await?, fault: self.fault }))
    }
}

struct BrokenDatabase {
    sound: Box<dyn Database>,
    fault: Fault,
}

impl BrokenDatabase {
    fn broken(&self, sound: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(BrokenStore::new(sound, self.fault))
    }
}

#[async_trait]
impl Database for BrokenDatabase {
    fn store(&self) -> Arc<dyn Store> {
        self.broken(self.sound.store())
    }

    async fn reopen(&self) -> Result<Arc<dyn Store>, Failure> {
        Ok(self.broken(self.sound.reopen().await?))
    }

    async fn reopen_within(&self, limits: Limits) -> Result<Arc<dyn Store>, Failure> {
        Ok(self.broken(self.sound.reopen_within(limits).await?))
    }
}
