//! Jobs, their leases and their messages.

use chrono::{DateTime, TimeDelta, Utc};
use larder::model::{
    ClaimDue, Completion, JobPatch, JobRelations, JobSort, JobStatus, Lease, ListJobs, ListMessages,
    MessageContent, MessagePatch, MessageRole, MessageSort, MessageSource, NewJob, NewMessage, Part,
    PartNames, SystemModel, TokenUsage, UserModel,
};
use serde_json::Map;

use super::{On, Performed, one, one_id};
use crate::call::shown;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::random) enum Do {
    Create,
    Update,
    Delete,
    SetStatus,
    Schedule,
    List,
    GetWith,
    Claim,
    Extend,
    Complete,
    Fail,
    Append,
    AppendMany,
    UpdateMessage,
    DeleteMessage,
    ListMessages,
}

impl On<'_> {
    pub(super) async fn jobs(&mut self, what: Do) -> Performed {
        match what {
            Do::Claim | Do::Extend | Do::Complete | Do::Fail => self.leases(what).await,
            Do::Append | Do::AppendMany | Do::UpdateMessage | Do::DeleteMessage | Do::ListMessages => {
                self.messages(what).await
            }
            _ => self.jobs_of_someone(what).await,
        }
    }

    async fn jobs_of_someone(&mut self, what: Do) -> Performed {
        let user = self.someone();
        let (jobs, job) = (user.jobs(), one_id(self.values.0, &self.known.jobs));
        let mut done =
            Performed { call: format!("jobs of {}: {what:?} {job} ", user.owner()), ..Performed::default() };
        match what {
            Do::Create => {
                let new = self.new_job();
                done.call = format!("jobs of {}.create({new:?})", user.owner());
                let made = jobs.create(new).await;
                done.made.jobs.extend(made.iter().map(|job| job.id));
                done.answer = shown(&made);
            }
            Do::Update => {
                let patch = self.job_patch();
                done.call.push_str(&format!("{patch:?}"));
                done.answer = shown(&jobs.update(job, patch).await);
            }
            Do::Delete => done.answer = shown(&jobs.delete(job).await),
            Do::SetStatus => {
                let changed = match self.values.0.u8(0..4) {
                    0 => jobs.pause(job).await,
                    1 => jobs.archive(job).await,
                    _ => jobs.activate(job).await,
                };
                done.answer = shown(&changed);
            }
            Do::Schedule => {
                let due = self.due();
                done.call.push_str(&format!("{due:?}"));
                done.answer = shown(&jobs.schedule(job, due).await);
            }
            Do::List => {
                let list = self.list_jobs();
                done.call.push_str(&format!("{list:?}"));
                let first = jobs.list_with(list.clone(), JobRelations::all()).await;
                let next = first.as_ref().ok().and_then(|page| page.next.clone());
                let second = jobs.list(ListJobs { cursor: next, page: 1, ..list }).await;
                done.answer = format!("{}\n{}", shown(&first), shown(&second));
            }
            _ => done.answer = shown(&jobs.get_with(job, JobRelations::all()).await),
        }
        done
    }

    async fn leases(&mut self, what: Do) -> Performed {
        let scheduler = self.system.jobs();
        let lease = self.lease();
        let mut done = Performed { call: format!("scheduler.{what:?} {lease:?} "), ..Performed::default() };
        match what {
            Do::Claim => {
                let seconds = self.values.one_of(&[0, 1, 60, 60, 86_401]);
                let (limit, lease) = (self.values.0.u32(0..5), TimeDelta::seconds(seconds));
                let claim =
                    ClaimDue { limit, lease, worker: self.values.one_of(&["ann", "ben", ""]).to_owned() };
                done.call = format!("scheduler.claim_due({claim:?})");
                let claimed = scheduler.claim_due(claim).await;
                done.made.leases.extend(claimed.iter().flatten().map(|claimed| claimed.lease));
                done.answer = shown(&claimed);
            }
            Do::Extend => {
                let extended = scheduler.extend(&lease, TimeDelta::seconds(90)).await;
                done.made.leases.extend(extended.iter().copied());
                done.answer = shown(&extended);
            }
            Do::Complete => {
                let completion = Completion { usage: self.usage(), next_run_at: self.due() };
                done.call.push_str(&format!("{completion:?}"));
                done.answer = shown(&scheduler.complete(&lease, completion).await);
            }
            _ => {
                let retry_at = self.due();
                done.call.push_str(&format!("{retry_at:?}"));
                done.answer = shown(&scheduler.fail(&lease, retry_at).await);
            }
        }
        done
    }

    async fn messages(&mut self, what: Do) -> Performed {
        let user = self.someone();
        let (messages, message) = (user.messages(), one_id(self.values.0, &self.known.messages));
        let mut done =
            Performed { call: format!("messages of {}: {what:?} ", user.owner()), ..Performed::default() };
        match what {
            Do::Append => {
                let new = self.new_message();
                done.call.push_str(&format!("{new:?}"));
                let made = messages.append(new).await;
                done.made.messages.extend(made.iter().map(|message| message.id));
                done.answer = shown(&made);
            }
            Do::AppendMany => {
                let new: Vec<_> = (0..self.values.0.usize(0..4)).map(|_| self.new_message()).collect();
                done.call.push_str(&format!("{new:?}"));
                let made = messages.append_many(new).await;
                done.made.messages.extend(made.iter().flatten().map(|message| message.id));
                done.answer = shown(&made);
            }
            Do::UpdateMessage => {
                let patch = self.message_patch();
                done.call.push_str(&format!("{message} {patch:?}"));
                done.answer = shown(&messages.update(message, patch).await);
            }
            Do::DeleteMessage => {
                done.call.push_str(&message.to_string());
                done.answer = shown(&messages.delete(message).await);
            }
            _ => {
                let job = one_id(self.values.0, &self.known.jobs);
                let list = ListMessages {
                    search: self.values.maybe(|values| values.text()),
                    sort_by: self.values.one_of(&[
                        MessageSort::Role,
                        MessageSort::CreatedAt,
                        MessageSort::UpdatedAt,
                    ]),
                    sort_direction: self.direction(),
                    job_id: self.values.maybe(|_| job),
                    ..ListMessages::default()
                };
                done.call.push_str(&format!("{list:?}"));
                done.answer =
                    format!("{}\n{}", shown(&messages.list(list).await), shown(&messages.of_job(job).await));
            }
        }
        done
    }

    fn new_job(&mut self) -> NewJob {
        let status = self.status();
        let next_run_at = self.due();
        NewJob { status, next_run_at, ..NewJob::new(self.values.text_within(5, 1000)) }
    }

    fn job_patch(&mut self) -> JobPatch {
        let (status, due) = (self.status(), self.due());
        JobPatch {
            definition: self.values.change(|values| values.text_within(5, 1000)),
            status: self.values.change(|_| status),
            next_run_at: self.values.change(|_| due),
        }
    }

    fn list_jobs(&mut self) -> ListJobs {
        ListJobs {
            page: self.values.one_of(&[1, 1, 1, 2, 0]),
            page_size: self.values.one_of(&[1, 2, 5, 100, 101]),
            sort_by: self.values.one_of(&[
                JobSort::Definition,
                JobSort::NextRunAt,
                JobSort::CreatedAt,
                JobSort::UpdatedAt,
            ]),
            sort_direction: self.direction(),
            search: self.values.maybe(|values| values.text()),
            status: if self.values.chance(20) { Some(self.status()) } else { None },
            ..ListJobs::default()
        }
    }

    fn status(&mut self) -> JobStatus {
        self.values.one_of(&[JobStatus::Active, JobStatus::Active, JobStatus::Paused, JobStatus::Archived])
    }

    /// When a job is due: about now, mostly.
    fn due(&mut self) -> Option<DateTime<Utc>> {
        let now = self.system.context().now();
        let by = self.values.one_of(&[0, 1, -1, -60_000_000, 60_000_000]);
        self.values
            .maybe(|values| if values.chance(90) { now + TimeDelta::microseconds(by) } else { values.time() })
    }

    /// A lease that was given once; one that never was, when none was given yet.
    fn lease(&mut self) -> Lease {
        let never = Lease {
            job_id: one_id(self.values.0, &self.known.jobs),
            token: 0,
            locked_until: self.system.context().now(),
        };
        one(self.values.0, &self.known.leases).copied().unwrap_or(never)
    }

    fn usage(&mut self) -> TokenUsage {
        let mut count = || self.values.one_of(&[0, 1, 1000, 1000, i64::MAX / 2, -1]);
        TokenUsage { input: count(), output: count(), reasoning: 0, cached_input: 0, total: count() }
    }

    fn new_message(&mut self) -> NewMessage {
        let job = one_id(self.values.0, &self.known.jobs);
        let source = self
            .values
            .maybe(|values| values.one_of(&[MessageSource::Scheduler, MessageSource::ErrorHandler]));
        let role = self.role();
        NewMessage { source, ..NewMessage::new(job, role, self.content()) }
    }

    fn message_patch(&mut self) -> MessagePatch {
        let (role, content) = (self.role(), self.content());
        MessagePatch {
            role: self.values.change(|_| role),
            content: self.values.change(|_| content),
            source: self.values.change(|values| values.maybe(|_| MessageSource::Unknown)),
        }
    }

    fn role(&mut self) -> MessageRole {
        self.values.one_of(&[
            MessageRole::System,
            MessageRole::User,
            MessageRole::Assistant,
            MessageRole::Tool,
        ])
    }

    fn content(&mut self) -> MessageContent {
        if self.values.chance(60) {
            return self.values.text().into();
        }
        let more = Map::from_iter([("more".to_owned(), self.values.json())]);
        let part = Part::Text { text: self.values.text(), more };
        let result = Part::ToolResult {
            tool_call_id: self.values.text(),
            tool_name: self.values.text(),
            output: self.values.json(),
            is_error: self.values.maybe(|values| values.chance(50)),
            names: self.values.one_of(&[PartNames::V4, PartNames::V5]),
            more: Map::new(),
        };
        vec![part, result, Part::text(self.values.text())].into()
    }
}
