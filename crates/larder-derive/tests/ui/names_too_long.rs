extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(index = [last_successful_delivery, last_unsuccessful_delivery])]
pub struct WebhookSubscription {
    pub id: WebhookSubscriptionId,
    pub last_successful_delivery: i64,
    pub last_unsuccessful_delivery: i64,
}

fn main() {}
