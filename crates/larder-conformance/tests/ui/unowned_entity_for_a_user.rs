use larder::{
    Larder,
    model::{User, UserId},
};

fn all_users_for_one(larder: &Larder, user: UserId) {
    larder.user(user).repo::<User>();
}

fn main() {}
