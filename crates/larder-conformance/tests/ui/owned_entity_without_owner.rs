use larder::{Larder, model::Job};

fn jobs_of_nobody(larder: &Larder) {
    larder.system().repo::<Job>();
}

fn main() {}
