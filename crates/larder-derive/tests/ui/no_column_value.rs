extern crate larder_core as larder;

pub struct Address {
    pub street: String,
}

fn is_a_field<T: larder::ColumnValue>() {}

fn main() {
    is_a_field::<Address>();
}
