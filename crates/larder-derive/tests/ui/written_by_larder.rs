extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct User {
    pub id: UserId,
}

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    #[entity(create_only)]
    pub id: JobId,
    #[entity(owner, filter)]
    pub user_id: UserId,
    #[entity(default = 5)]
    pub created_at: larder::__private::chrono::DateTime<larder::__private::chrono::Utc>,
    pub updated_at: Option<larder::__private::chrono::DateTime<larder::__private::chrono::Utc>>,
}

fn main() {}
