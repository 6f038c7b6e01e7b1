//! Users.

use larder::model::{ListUsers, NewUser, SystemModel, UserModel, UserPatch, UserSort};

use super::{On, Performed};
use crate::{call::shown, random::operation::one_id};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::random) enum Do {
    Create,
    Update,
    Delete,
    Find,
    List,
}

impl On<'_> {
    pub(super) async fn users(&mut self, what: Do) -> Performed {
        let users = self.system.users();
        let mut done = Performed::default();
        match what {
            Do::Create => {
                let new = self.new_user();
                done.call = format!("users.create({new:?})");
                let made = users.create(new).await;
                done.made.users.extend(made.iter().map(|user| user.id));
                done.answer = shown(&made);
            }
            Do::Update => {
                let (user, patch) = (self.someone(), self.user_patch());
                done.call = format!("account of {}.update({patch:?})", user.owner());
                done.answer = shown(&user.profile().update(patch).await);
            }
            Do::Delete => {
                let user = one_id(self.values.0, &self.known.users);
                done.call = format!("users.delete({user})");
                done.answer = shown(&users.delete(user).await);
            }
            Do::Find => {
                let email = self.email();
                done.call = format!("users.find_by_email({email:?})");
                done.answer = shown(&users.find_by_email(email).await);
            }
            Do::List => {
                let list = ListUsers {
                    page_size: self.values.0.u32(1..8),
                    sort_by: self.values.one_of(&[UserSort::Name, UserSort::Email, UserSort::CreatedAt]),
                    sort_direction: self.direction(),
                    search: self.values.maybe(|values| values.text()),
                    ..ListUsers::default()
                };
                done.call = format!("users.list({list:?}), two pages");
                let first = users.list(list.clone()).await;
                let next = first.as_ref().ok().and_then(|page| page.next.clone());
                let second = users.list(ListUsers { cursor: next, ..list }).await;
                done.answer = format!("{}\n{}", shown(&first), shown(&second));
            }
        }
        done
    }

    fn new_user(&mut self) -> NewUser {
        let values = &mut self.values;
        NewUser {
            name: values.maybe(|values| values.text_within(0, 1000)),
            email: if values.chance(60) { Some(self.email()) } else { None },
            email_verified_at: self.values.maybe(|values| values.time()),
            image: self.values.maybe(|values| values.text()),
        }
    }

    fn user_patch(&mut self) -> UserPatch {
        let email = if self.values.chance(20) { Some(Some(self.email())) } else { None };
        let values = &mut self.values;
        UserPatch {
            name: values.change(|values| values.maybe(|values| values.text_within(0, 1000))),
            email: email.map_or(larder::Change::Leave, larder::Change::Set),
            email_verified_at: values.change(|values| values.maybe(|values| values.time())),
            image: values.change(|values| values.maybe(|values| values.text())),
        }
    }

    /// One of few addresses, so that they collide; some differ in case alone, one is none.
    fn email(&mut self) -> String {
        let local = self.values.one_of(&["ada", "Ada", "ADA", "bob", "STRASSE", "straße", "x y", ""]);
        format!("{local}{}@example.org", self.values.one_of(&["", "1", "2", "3"]))
    }

    pub(super) fn direction(&mut self) -> larder::SortDirection {
        self.values.one_of(&[larder::SortDirection::Asc, larder::SortDirection::Desc])
    }
}
