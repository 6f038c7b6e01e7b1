extern crate larder_core as larder;

use larder_derive::EnumText;

#[derive(Debug, Clone, EnumText)]
#[entity(rename_all = "camelCase")]
pub enum Case {
    One,
}

#[derive(Debug, Clone, EnumText)]
pub enum Fields {
    One,
    Two(u8),
    #[entity(rename = "one")]
    Three,
    #[entity(name = "four")]
    Four,
}

#[derive(Debug, Clone, EnumText)]
pub struct NoEnum;

#[derive(Debug, Clone, EnumText)]
pub enum Empty {}

fn main() {}
