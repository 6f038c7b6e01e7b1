//! What belongs to a job beside its messages: endpoints, context, tasks.

use larder::model::{
    ContextEntrySort, EndpointPatch, EndpointSort, HttpMethod, JobId, ListContextEntries, ListEndpoints,
    ListTasks, NewContextEntry, NewEndpoint, NewTask, TaskPatch, TaskSort, TaskStatus, UserModel,
};
use larder::{Json, Secret};

use super::{On, Performed, one_id};
use crate::call::shown;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::random) enum Do {
    CreateEndpoint,
    UpdateEndpoint,
    DeleteEndpoint,
    ListEndpoints,
    Put,
    CreateEntry,
    Find,
    Forget,
    ListEntries,
    CreateTask,
    StartTask,
    CompleteTask,
    FailTask,
    UpdateTask,
    DeleteTask,
    ListTasks,
}

impl On<'_> {
    pub(super) async fn children(&mut self, what: Do) -> Performed {
        match what {
            Do::CreateEndpoint | Do::UpdateEndpoint | Do::DeleteEndpoint | Do::ListEndpoints => {
                self.endpoints(what).await
            }
            Do::Put | Do::CreateEntry | Do::Find | Do::Forget | Do::ListEntries => self.context(what).await,
            _ => self.tasks(what).await,
        }
    }

    async fn endpoints(&mut self, what: Do) -> Performed {
        let user = self.someone();
        let (endpoints, endpoint) = (user.endpoints(), one_id(self.values.0, &self.known.endpoints));
        let mut done =
            Performed { call: format!("endpoints of {}: {what:?} ", user.owner()), ..Performed::default() };
        match what {
            Do::CreateEndpoint => {
                let new = self.new_endpoint();
                done.call.push_str(&format!("{new:?}"));
                let made = endpoints.create(new).await;
                done.made.endpoints.extend(made.iter().map(|endpoint| endpoint.id));
                done.answer = shown(&made);
            }
            Do::UpdateEndpoint => {
                let patch = self.endpoint_patch();
                done.call.push_str(&format!("{endpoint} {patch:?}"));
                done.answer = shown(&endpoints.update(endpoint, patch).await);
            }
            Do::DeleteEndpoint => {
                done.call.push_str(&endpoint.to_string());
                done.answer = shown(&endpoints.delete(endpoint).await);
            }
            _ => {
                let list = ListEndpoints {
                    search: self.values.maybe(|values| values.text()),
                    sort_by: self.values.one_of(&[
                        EndpointSort::Name,
                        EndpointSort::CreatedAt,
                        EndpointSort::UpdatedAt,
                    ]),
                    sort_direction: self.direction(),
                    method: if self.values.chance(20) { Some(self.method()) } else { None },
                    job_id: self.maybe_job(),
                    ..ListEndpoints::default()
                };
                done.call.push_str(&format!("{list:?}"));
                done.answer = shown(&endpoints.list(list).await);
            }
        }
        done
    }

    async fn context(&mut self, what: Do) -> Performed {
        let user = self.someone();
        let (entries, job, key) = (user.context_entries(), self.job(), self.key());
        let mut done = Performed {
            call: format!("context of {}: {what:?} {job} {key:?} ", user.owner()),
            ..Performed::default()
        };
        match what {
            Do::Put => {
                let value = self.values.text();
                done.call.push_str(&format!("{value:?}"));
                done.answer = shown(&entries.put(job, key, value).await);
            }
            Do::CreateEntry => {
                let new = NewContextEntry::new(job, key, self.values.text());
                done.call.push_str(&format!("{new:?}"));
                done.answer = shown(&entries.create(new).await);
            }
            Do::Find => done.answer = shown(&entries.find(job, &key).await),
            Do::Forget => done.answer = shown(&entries.forget(job, &key).await),
            _ => {
                let list = ListContextEntries {
                    search: self.values.maybe(|values| values.text()),
                    sort_by: self.values.one_of(&[ContextEntrySort::Key, ContextEntrySort::CreatedAt]),
                    sort_direction: self.direction(),
                    job_id: self.maybe_job(),
                    ..ListContextEntries::default()
                };
                done.call.push_str(&format!("{list:?}"));
                done.answer =
                    format!("{}\n{}", shown(&entries.list(list).await), shown(&entries.of_job(job).await));
            }
        }
        done
    }

    async fn tasks(&mut self, what: Do) -> Performed {
        let user = self.someone();
        let (tasks, task) = (user.tasks(), one_id(self.values.0, &self.known.tasks));
        let mut done = Performed {
            call: format!("tasks of {}: {what:?} {task} ", user.owner()),
            ..Performed::default()
        };
        match what {
            Do::CreateTask => {
                let new = NewTask::new(self.job(), self.values.text_within(1, 500));
                done.call.push_str(&format!("{new:?}"));
                let made = tasks.create(new).await;
                done.made.tasks.extend(made.iter().map(|task| task.id));
                done.answer = shown(&made);
            }
            Do::StartTask => done.answer = shown(&tasks.start(task).await),
            Do::CompleteTask => done.answer = shown(&tasks.complete(task).await),
            Do::FailTask => {
                let error = self.values.text_within(0, 10_000);
                done.answer = shown(&tasks.fail(task, error).await);
            }
            Do::UpdateTask => {
                let patch = TaskPatch { name: self.values.change(|values| values.text_within(1, 500)) };
                done.call.push_str(&format!("{patch:?}"));
                done.answer = shown(&tasks.update(task, patch).await);
            }
            Do::DeleteTask => done.answer = shown(&tasks.delete(task).await),
            _ => {
                let list = self.list_tasks();
                done.call.push_str(&format!("{list:?}"));
                done.answer = shown(&tasks.list(list).await);
            }
        }
        done
    }

    fn new_endpoint(&mut self) -> NewEndpoint {
        let (job, method) = (self.job(), self.method());
        let values = &mut self.values;
        NewEndpoint {
            method,
            headers: Json(values.maybe(|values| (values.text(), values.text())).into_iter().collect()),
            bearer_token: values.maybe(|values| Secret::new(values.text_within(1, 4096))),
            request_schema: values.maybe(|values| values.json()),
            timeout_ms: values.one_of(&[5_000, 5_000, 1_000, 30_000, 30_001]),
            fire_and_forget: values.chance(30),
            max_request_bytes: values.one_of(&[1_024, 10_485_760, 10_485_760, 1_023]),
            max_response_bytes: values.one_of(&[1_024, 52_428_800, 52_428_800, 52_428_801]),
            ..NewEndpoint::new(job, values.text_within(1, 255), url(values.chance(90)))
        }
    }

    fn endpoint_patch(&mut self) -> EndpointPatch {
        let new = self.new_endpoint();
        let values = &mut self.values;
        EndpointPatch {
            name: values.change(|_| new.name),
            url: values.change(|_| new.url),
            method: values.change(|_| new.method),
            headers: values.change(|_| new.headers),
            bearer_token: values.change(|_| new.bearer_token),
            request_schema: values.change(|_| new.request_schema),
            timeout_ms: values.change(|_| new.timeout_ms),
            fire_and_forget: values.change(|_| new.fire_and_forget),
            max_request_bytes: values.change(|_| new.max_request_bytes),
            max_response_bytes: values.change(|_| new.max_response_bytes),
        }
    }

    fn list_tasks(&mut self) -> ListTasks {
        let status = self.values.one_of(&[
            TaskStatus::Pending,
            TaskStatus::Running,
            TaskStatus::Completed,
            TaskStatus::Failed,
        ]);
        ListTasks {
            search: self.values.maybe(|values| values.text()),
            sort_by: self.values.one_of(&[
                TaskSort::Name,
                TaskSort::Status,
                TaskSort::CreatedAt,
                TaskSort::UpdatedAt,
            ]),
            sort_direction: self.direction(),
            status: if self.values.chance(30) { Some(status) } else { None },
            job_id: self.maybe_job(),
            ..ListTasks::default()
        }
    }

    fn job(&mut self) -> JobId {
        one_id(self.values.0, &self.known.jobs)
    }

    fn maybe_job(&mut self) -> Option<JobId> {
        let job = self.job();
        self.values.maybe(|_| job)
    }

    /// One of few keys, so that they meet; some differ in case or form alone, some cannot be.
    fn key(&mut self) -> String {
        match self.values.0.u8(0..10) {
            0 => self.values.text_within(1, 255),
            _ => self.values.one_of(&["city", "City", "éa", "e\u{301}a", "", "a\0b"]).to_owned(),
        }
    }

    fn method(&mut self) -> HttpMethod {
        self.values.one_of(&[HttpMethod::Get, HttpMethod::Post, HttpMethod::Delete])
    }
}

fn url(right: bool) -> &'static str {
    if right { "https://example.org/é?a=%20#x" } else { "ftp://example.org" }
}
