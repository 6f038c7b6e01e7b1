//! Signing in: accounts, sessions, verification tokens, passkeys, API keys.

use chrono::{DateTime, TimeDelta, Utc};
use larder::{Secret, model::*};

use super::{On, Performed, one, one_id};
use crate::call::shown;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::random) enum Do {
    Link,
    Unlink,
    FindAccount,
    AddPasskey,
    Count,
    ListPasskeys,
    CreateSession,
    FindSession,
    Extend,
    End,
    EndAll,
    CreateToken,
    UseToken,
    Purge,
    Issue,
    Authenticate,
    Rotate,
    Revoke,
    ListKeys,
    UpdateKey,
    DeleteKey,
}

impl On<'_> {
    pub(super) async fn sign_in(&mut self, what: Do) -> Performed {
        match what {
            Do::Link | Do::Unlink | Do::FindAccount => self.accounts(what).await,
            Do::AddPasskey | Do::Count | Do::ListPasskeys => self.passkeys(what).await,
            Do::CreateSession | Do::FindSession | Do::Extend | Do::End | Do::EndAll => {
                self.sessions(what).await
            }
            Do::CreateToken | Do::UseToken | Do::Purge => self.tokens(what).await,
            _ => self.api_keys(what).await,
        }
    }

    async fn accounts(&mut self, what: Do) -> Performed {
        let (user, provider, id) = (self.someone(), self.shown(), self.shown());
        let call = format!("accounts of {}: {what:?} {provider:?} {id:?}", user.owner());
        let answer = match what {
            Do::Link => {
                let kind = self.values.one_of(&[AccountKind::Oauth, AccountKind::Webauthn]);
                let new = NewAccount {
                    access_token: self.values.maybe(|values| values.text().into()),
                    expires_at: self.values.maybe(|values| values.time()),
                    scope: self.values.maybe(|values| values.text()),
                    ..NewAccount::new(kind, provider, id)
                };
                shown(&user.accounts().link(new).await)
            }
            Do::Unlink => shown(&user.accounts().unlink(provider, id).await),
            _ => {
                let found = self.system.accounts().find(provider.as_str(), id.as_str()).await;
                let user = self.system.users().find_by_account(provider, id).await;
                format!("{}\n{}", shown(&found), shown(&user))
            }
        };
        Performed { call, answer, ..Performed::default() }
    }

    async fn passkeys(&mut self, what: Do) -> Performed {
        let (user, credential) = (self.someone(), self.shown());
        let counter = self.values.0.i64(-1..6);
        let call = format!("passkeys of {}: {what:?} {credential:?} {counter}", user.owner());
        let answer = match what {
            Do::AddPasskey => {
                let backed_up = self.values.chance(50);
                let new = NewAuthenticator {
                    transports: self.values.maybe(|values| values.text()),
                    ..NewAuthenticator::new(
                        credential,
                        "42",
                        "a public key",
                        counter,
                        "multiDevice",
                        backed_up,
                    )
                };
                shown(&user.authenticators().create(new).await)
            }
            Do::Count => {
                let passkeys = self.system.authenticators();
                let counted = passkeys.count(&credential, counter).await;
                format!("{}\n{}", shown(&counted), shown(&passkeys.find(&credential).await))
            }
            _ => shown(&user.authenticators().all().await),
        };
        Performed { call, answer, ..Performed::default() }
    }

    async fn sessions(&mut self, what: Do) -> Performed {
        let (user, token, end) = (self.someone(), self.shown(), self.soon());
        let call = format!("sessions of {}: {what:?} {token:?} {end}", user.owner());
        let sessions = self.system.sessions();
        let answer = match what {
            Do::CreateSession => shown(&user.sessions().create(NewSession::new(token, end)).await),
            Do::FindSession => shown(&sessions.find_with_user(token).await),
            Do::Extend => shown(&sessions.extend(token, end).await),
            Do::End => shown(&sessions.end(token).await),
            _ => shown(&user.sessions().end_all().await),
        };
        Performed { call, answer, ..Performed::default() }
    }

    async fn tokens(&mut self, what: Do) -> Performed {
        let (identifier, token, end) = (self.shown(), self.shown(), self.soon());
        let call = format!("verification tokens: {what:?} {identifier:?} {token:?} {end}");
        let tokens = self.system.verification_tokens();
        let answer = match what {
            Do::CreateToken => shown(&tokens.create(NewVerificationToken::new(identifier, token, end)).await),
            Do::UseToken => shown(&tokens.use_once(identifier, token).await),
            _ => {
                let sessions = self.system.sessions().purge_expired().await;
                format!("{}\n{}", shown(&tokens.purge_expired().await), shown(&sessions))
            }
        };
        Performed { call, answer, ..Performed::default() }
    }

    async fn api_keys(&mut self, what: Do) -> Performed {
        let (user, id) = (self.someone(), one_id(self.values.0, &self.known.api_keys));
        let mut done =
            Performed { call: format!("keys of {}: {what:?} {id} ", user.owner()), ..Performed::default() };
        let keys = user.api_keys();
        match what {
            Do::Issue | Do::Rotate => {
                let new = self.new_api_key();
                done.call.push_str(&format!("{new:?}"));
                let issued = if what == Do::Issue { keys.issue(new).await } else { keys.rotate(id).await };
                done.made.api_keys.extend(issued.iter().map(|issued| issued.api_key.id));
                done.made.tokens.extend(issued.iter().map(|issued| issued.token.clone()));
                done.answer = shown(&issued);
            }
            Do::Authenticate => {
                let token = self.token();
                done.call.push_str(token.expose());
                done.answer = shown(&self.system.api_keys().authenticate(token.expose()).await);
            }
            Do::Revoke => done.answer = shown(&keys.revoke(id).await),
            Do::ListKeys => {
                let list = self.list_api_keys();
                done.call.push_str(&format!("{list:?}"));
                done.answer = shown(&keys.list(list).await);
            }
            Do::UpdateKey => {
                let patch = self.api_key_patch();
                done.call.push_str(&format!("{patch:?}"));
                done.answer = shown(&keys.update(id, patch).await);
            }
            _ => done.answer = shown(&keys.delete(id).await),
        }
        done
    }

    fn new_api_key(&mut self) -> NewApiKey {
        let (end, scopes) = (self.soon(), self.scopes());
        NewApiKey {
            description: self.values.maybe(|values| values.text_within(0, 1000)),
            scopes,
            expires_at: self.values.maybe(|_| end),
            ..NewApiKey::new(self.values.text_within(1, 255))
        }
    }

    fn api_key_patch(&mut self) -> ApiKeyPatch {
        let new = self.new_api_key();
        ApiKeyPatch {
            name: self.values.change(|_| new.name),
            description: self.values.change(|_| new.description),
            scopes: self.values.change(|_| new.scopes),
            expires_at: self.values.change(|_| new.expires_at),
        }
    }

    fn list_api_keys(&mut self) -> ListApiKeys {
        ListApiKeys {
            page_size: self.values.one_of(&[1, 2, 5, 100]),
            sort_by: self.values.one_of(&[
                ApiKeySort::Name,
                ApiKeySort::CreatedAt,
                ApiKeySort::LastUsedAt,
                ApiKeySort::ExpiresAt,
            ]),
            sort_direction: self.direction(),
            ..ListApiKeys::default()
        }
    }

    fn scopes(&mut self) -> Vec<String> {
        (0..self.values.0.usize(0..3)).map(|_| self.values.text()).collect()
    }

    /// A token that was issued once, or one that never was.
    fn token(&mut self) -> Secret {
        let never = self.shown();
        let known = one(self.values.0, &self.known.tokens).cloned();
        if self.values.chance(80) { known.unwrap_or_else(|| never.into()) } else { never.into() }
    }

    /// One of few texts that somebody is found by, so that they meet; some are nobody's.
    fn shown(&mut self) -> String {
        self.values.one_of(&["ada", "ada", "ada", "ada", "Ada", "é", "", "a\0b"]).to_owned()
    }

    /// When something ends: about now, or in some hours, mostly.
    fn soon(&mut self) -> DateTime<Utc> {
        let by = self.values.one_of(&[0, 1, -1, 90_000_000, 20_000_000_000, 20_000_000_000, 20_000_000_000]);
        let soon = self.system.context().now() + TimeDelta::microseconds(by);
        if self.values.chance(90) { soon } else { self.values.time() }
    }
}
