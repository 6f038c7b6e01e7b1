extern crate larder_core as larder;

use larder::{Json, __private::serde};
use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(crate = "larder::__private::serde")]
pub struct Settings {
    pub theme: String,
}

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct User {
    pub id: UserId,
    #[entity(default_json = "{}")]
    pub tags: Vec<String>,
    #[entity(default_json = "{}")]
    pub settings: Json<Settings>,
}

fn main() {}
