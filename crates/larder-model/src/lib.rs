//! larder's application model: users, how they sign in (accounts, sessions, verification tokens, passkeys, API keys), their
//! scheduled jobs, and what belongs to a job (messages, endpoints, context, tasks).
//!
//! It has no privileges: it is written with `#[derive(Entity)]`, the verbs of the scopes and two extension traits, as any
//! application's own entities are. [`UserModel`] adds what a user reaches, [`SystemModel`] what the system does.

extern crate larder_core as larder;

mod account;
mod api_key;
mod authenticator;
mod content;
mod context_entry;
mod endpoint;
mod job;
mod message;
mod part;
mod relations;
mod scheduler;
mod session;
mod statistics;
mod task;
mod token;
mod unknown;
mod user;
mod verification_token;

use larder_core::{Entity, Migrations, SystemScope, Table, UserScope};

pub use account::{
    Account, AccountKind, AccountPatch, AccountSort, Accounts, AllAccounts, ListAccounts, NewAccount,
};
pub use api_key::{
    AllApiKeys, ApiKey, ApiKeyId, ApiKeyPatch, ApiKeySort, ApiKeys, IssuedApiKey, ListApiKeys, NewApiKey,
};
pub use authenticator::{
    AllAuthenticators, Authenticator, AuthenticatorPatch, AuthenticatorSort, Authenticators,
    ListAuthenticators, NewAuthenticator,
};
pub use content::MessageContent;
pub use context_entry::{
    ContextEntries, ContextEntry, ContextEntryId, ContextEntryPatch, ContextEntrySort, ListContextEntries,
    NewContextEntry,
};
pub use endpoint::{
    Endpoint, EndpointId, EndpointPatch, EndpointSort, Endpoints, HttpMethod, ListEndpoints, NewEndpoint,
};
pub use job::{Job, JobId, JobPatch, JobSort, JobStatus, Jobs, ListJobs, NewJob, TokenUsage};
pub use message::{
    ListMessages, Message, MessageId, MessagePatch, MessageRole, MessageSort, MessageSource, Messages,
    NewMessage,
};
pub use part::{Part, PartNames};
pub use relations::JobRelations;
pub use scheduler::{ClaimDue, ClaimedJob, Completion, Lease, Scheduler};
pub use session::{AllSessions, ListSessions, NewSession, Session, SessionPatch, SessionSort, Sessions};
pub use statistics::JobCounts;
pub use task::{ListTasks, NewTask, Task, TaskId, TaskPatch, TaskSort, TaskStatus, Tasks};
pub use user::{ListUsers, NewUser, Profile, User, UserId, UserPatch, UserSort, Users};
pub use verification_token::{
    ListVerificationTokens, NewVerificationToken, VerificationToken, VerificationTokenPatch,
    VerificationTokenSort, VerificationTokens,
};

/// All tables of the model, parents before children.
pub const TABLES: &[&Table] = &[
    User::TABLE,
    Job::TABLE,
    Message::TABLE,
    Account::TABLE,
    Session::TABLE,
    VerificationToken::TABLE,
    Authenticator::TABLE,
    ApiKey::TABLE,
    Endpoint::TABLE,
    ContextEntry::TABLE,
    Task::TABLE,
];

/// The migrations that make these tables.
pub fn migrations() -> Migrations {
    larder_derive::migrations!(
        "larder",
        postgres = "../../migrations-postgres",
        sqlite = "../../migrations-sqlite"
    )
}

/// Gives a scope a method for each repository of the model, and says what it is.
macro_rules! model {
    ($(#[$docs:meta])+ $trait:ident for $scope:ty: $($(#[$about:meta])+ $method:ident -> $type:ty;)+) => {
        $(#[$docs])+
        pub trait $trait {
            $($(#[$about])+ fn $method(&self) -> $type;)+
        }

        impl $trait for $scope {
            $(fn $method(&self) -> $type {
                <$type>::new(self)
            })+
        }
    };
}

model! {
    /// What a user reaches: what is their own.
    UserModel for UserScope:
    /// The user.
    profile -> Profile;
    /// The identities at other providers that are linked with the user.
    accounts -> Accounts;
    /// The user's sessions.
    sessions -> Sessions;
    /// The user's passkeys.
    authenticators -> Authenticators;
    /// The user's API keys.
    api_keys -> ApiKeys;
    /// The user's jobs.
    jobs -> Jobs;
    /// The messages of the user's jobs.
    messages -> Messages;
    /// The endpoints of the user's jobs.
    endpoints -> Endpoints;
    /// What the user's jobs remember.
    context_entries -> ContextEntries;
    /// The tasks of the user's jobs.
    tasks -> Tasks;
}

model! {
    /// What the system does: administer users, find out who signs in, run due jobs.
    SystemModel for SystemScope:
    /// All users.
    users -> Users;
    /// The accounts of all users, by the identity.
    accounts -> AllAccounts;
    /// The sessions of all users, by their token.
    sessions -> AllSessions;
    /// All verification tokens.
    verification_tokens -> VerificationTokens;
    /// The passkeys of all users, by their credential.
    authenticators -> AllAuthenticators;
    /// The API keys of all users, by the tokens that are shown.
    api_keys -> AllApiKeys;
    /// The due jobs of all users, for workers.
    jobs -> Scheduler;
}
