//! Signing in: accounts, sessions, verification tokens, passkeys.

use chrono::{DateTime, TimeDelta, Utc};
use larder::{Entity, ErrorKind, Filter, Result, SortDirection, model::*};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    Failure,
    expect::{assert_invalid, assert_invalid_for},
    together,
};

cases! {
    /// All that an adapter of Auth.js does, in its order: users by id, e-mail address and account; linking; sessions with
    /// their user; a token that is used once; passkeys and their counters. Deleting the user removes all of it.
    #[covers(51)]
    async fn an_adapter_of_auth_js_finds_all_that_it_needs(world: World) {
        let system = world.system();
        let (users, end) = (system.users(), world.now() + HOUR);

        let new = NewUser { email: Some("Ada@Example.org".into()), ..NewUser::default() };
        let ada = users.create(new).await?;
        assert_eq!(users.get(ada.id).await?.as_ref(), Some(&ada));
        assert_eq!(users.find_by_email("ADA@example.org").await?.as_ref(), Some(&ada));
        assert_eq!(users.find_by_email("bob@example.org").await?, None);
        let mine = world.larder().user(ada.id);

        let account = mine.accounts().link(NewAccount::new(AccountKind::Oauth, "github", "42")).await?;
        assert_eq!(users.find_by_account("github", "42").await?.as_ref(), Some(&ada));
        assert_eq!(system.accounts().find("github", "42").await?, Some(account));
        for (provider, id) in [("github", "43"), ("gitlab", "42"), ("GitHub", "42")] {
            assert_eq!(users.find_by_account(provider, id).await?, None);
        }
        let patch = UserPatch { email_verified_at: Some(world.now()).into(), ..UserPatch::default() };
        let ada = users.update(ada.id, patch).await?;
        assert_eq!(users.find_by_account("github", "42").await?.as_ref(), Some(&ada));

        let sessions = system.sessions();
        let session = mine.sessions().create(NewSession::new("a session", end)).await?;
        assert_eq!(sessions.find_with_user("a session").await?, Some((session, ada.clone())));
        let extended = sessions.extend("a session", end + HOUR).await?;
        assert_eq!(extended.expires_at, end + HOUR);
        assert_eq!(sessions.find_with_user("a session").await?, Some((extended, ada.clone())));
        sessions.end("a session").await?;
        assert_eq!(sessions.find_with_user("a session").await?, None);
        assert_not_found(sessions.end("a session").await, "Session");
        assert_not_found(sessions.extend("a session", end).await, "Session");

        let tokens = system.verification_tokens();
        let token = tokens.create(NewVerificationToken::new("ada@example.org", "a token", end)).await?;
        assert_eq!(tokens.use_once("ada@example.org", "a token").await?, Some(token));
        assert_eq!(tokens.use_once("ada@example.org", "a token").await?, None);

        let passkey = mine.authenticators().create(passkey("credential 2", 0)).await?;
        mine.authenticators().create(self::passkey("credential 1", 7)).await?;
        assert_eq!(system.authenticators().find("credential 2").await?.as_ref(), Some(&passkey));
        let all = mine.authenticators().all().await?;
        assert_eq!(
            all.iter().map(|one| one.credential_id.as_str()).collect::<Vec<_>>(),
            ["credential 1", "credential 2"]
        );
        assert_eq!(
            system.authenticators().count("credential 2", 1).await?,
            Authenticator { counter: 1, ..passkey }
        );

        mine.accounts().unlink("github", "42").await?;
        assert_eq!(users.find_by_account("github", "42").await?, None);
        assert_not_found(mine.accounts().unlink("github", "42").await, "Account");

        mine.accounts().link(NewAccount::new(AccountKind::Oidc, "github", "42")).await?;
        mine.sessions().create(NewSession::new("another session", end)).await?;
        mine.api_keys().issue(NewApiKey::new("a key")).await?;
        users.delete(ada.id).await?;
        assert_eq!(users.get(ada.id).await?, None);
        assert_eq!(users.find_by_account("github", "42").await?, None);
        assert_eq!(sessions.find_with_user("another session").await?, None);
        assert_eq!(system.authenticators().find("credential 1").await?, None);
        for (table, rows) in world.all_rows().await? {
            assert_eq!(rows, [], "{table} still holds something of a user who is gone");
        }
        assert_not_found(users.delete(ada.id).await, "User");
    }

    /// Of 64 who show a verification token at the same moment, on two handles, exactly one gets it; `LARDER_ROUNDS` says how
    /// often that is tried.
    #[covers(47)]
    async fn a_verification_token_is_used_once(world: World) {
        let handles =
            [world.system().verification_tokens(), world.reopen().await?.system().verification_tokens()];
        for round in 1..=rounds()? {
            let token = format!("token {round}");
            let new = NewVerificationToken::new("ada@example.org", token.as_str(), world.now() + HOUR);
            let made = handles[0].create(new).await?;
            let racers = together(64, |index| {
                let (tokens, token) = (handles[index % 2].clone(), token.clone());
                async move { tokens.use_once("ada@example.org", token).await }
            });
            let mut winners = Vec::new();
            for used in racers.await {
                winners.extend(used?);
            }
            assert_eq!(winners, [made], "round {round}");
        }
        assert_eq!(world.rows(VerificationToken::TABLE).await?, []);
    }

    /// An expired token is no good, from the instant of its end on, and shown once it is gone; another identifier, or another
    /// token, leaves it as it is.
    #[covers(48)]
    async fn an_expired_token_is_no_good_and_gone(world: World) {
        let tokens = world.system().verification_tokens();
        let (tick, end) = (TimeDelta::microseconds(1), world.now() + HOUR);
        for token in ["in time", "at its end", "late"] {
            tokens.create(NewVerificationToken::new("ada@example.org", token, end)).await?;
        }
        world.clock().advance(HOUR - tick);
        let wrong =
            [("bob@example.org", "in time"), ("ADA@example.org", "in time"), ("ada@example.org", "In time")];
        for (identifier, token) in wrong {
            assert_eq!(tokens.use_once(identifier, token).await?, None, "{identifier} {token}");
        }
        assert!(tokens.use_once("ada@example.org", "in time").await?.is_some());
        for (token, left) in [("at its end", 1), ("late", 0)] {
            world.clock().advance(tick);
            assert_eq!(tokens.use_once("ada@example.org", token).await?, None, "{token}");
            assert_eq!(
                tokens.count(Filter::always()).await?,
                left,
                "an expired token that was shown is still there"
            );
        }
        // The clock that goes back does not bring it back.
        world.clock().advance(-HOUR);
        assert_eq!(tokens.use_once("ada@example.org", "late").await?, None);
    }

    /// What cannot be anybody's (NUL in it, nothing, too much of it) is unknown like anything else, wherever somebody is looked
    /// for: `None` or `NotFound`, never another error; nothing changes.
    #[covers(43, 48)]
    async fn what_has_the_wrong_shape_is_unknown(world: World) {
        let mine = world.user("Ada").await?;
        crate::methods::Target::of(&mine, "hers").await?;
        let (system, end) = (world.system(), world.now() + HOUR);
        system.verification_tokens().create(NewVerificationToken::new("ada", "token", end)).await?;
        let before = world.all_rows().await?;
        let huge = "x".repeat(3_000_000);
        let wrong =
            ["", "\0", "ada\0", "\0ada", &"é".repeat(513), &"-".repeat(2049), &huge, "unknown", "' OR ''='"];
        for shown in wrong {
            let what = &shown[..shown.len().min(12)];
            let text = || shown.to_owned();
            assert_eq!(system.sessions().find_with_user(text()).await?, None, "{what:?}");
            assert_not_found(system.sessions().extend(text(), end).await, "Session");
            assert_not_found(system.sessions().end(text()).await, "Session");
            for (identifier, token) in
                [(text(), "token".to_owned()), ("ada".to_owned(), text()), (text(), text())]
            {
                assert_eq!(system.verification_tokens().use_once(identifier, token).await?, None, "{what:?}");
            }
            for (provider, id) in [(text(), "1".to_owned()), ("github".to_owned(), text()), (text(), text())]
            {
                assert_eq!(system.accounts().find(provider.clone(), id.clone()).await?, None, "{what:?}");
                assert_eq!(
                    system.users().find_by_account(provider.clone(), id.clone()).await?,
                    None,
                    "{what:?}"
                );
                assert_not_found(mine.accounts().unlink(provider, id).await, "Account");
            }
            assert_eq!(system.authenticators().find(shown).await?, None, "{what:?}");
            assert_not_found(system.authenticators().count(shown, 9).await, "Authenticator");
            assert_eq!(system.api_keys().authenticate(shown).await?, None, "{what:?}");
        }
        assert_eq!(world.all_rows().await?, before);
    }

    /// A session is its user's until its end: at the microsecond before it, no more at the instant itself.
    #[covers(49)]
    async fn a_session_has_expired_at_its_very_end(world: World) {
        let mine = world.user("Ada").await?;
        mine.sessions().create(NewSession::new("token", world.now() + HOUR)).await?;
        let tick = TimeDelta::microseconds(1);
        for (passing, good) in [(TimeDelta::zero(), true), (HOUR - tick, true), (tick, false), (tick, false)]
        {
            world.clock().advance(passing);
            let found = world.system().sessions().find_with_user("token").await?;
            assert_eq!(
                found.map(|(_, user)| user.id.uuid()),
                good.then_some(mine.owner()),
                "{}",
                world.now()
            );
        }
    }

    /// Extending does not bring back a session that has expired, nor does anything else that a caller can write; one that is
    /// extended in time lives until its new end.
    #[covers(49)]
    async fn an_expired_session_is_not_brought_back(world: World) {
        let mine = world.user("Ada").await?;
        let (sessions, begun) = (world.system().sessions(), world.now());
        mine.sessions().create(NewSession::new("token", begun + HOUR)).await?;
        world.clock().advance(HOUR - TimeDelta::microseconds(1));
        let extended = sessions.extend("token", begun + HOUR * 2).await?;
        assert_eq!(mine.sessions().get("token".into()).await?, Some(extended));
        world.clock().advance(HOUR + TimeDelta::microseconds(1));
        let before = world.rows(Session::TABLE).await?;
        assert_not_found(sessions.extend("token", begun + HOUR * 3).await, "Session");
        assert!(!reads::<SessionPatch>("expires_at", json!(begun + HOUR * 3)));
        let again = mine.sessions().create(NewSession::new("token", begun + HOUR * 3)).await;
        assert_conflict(again, "Session", "session_token");
        assert_eq!(world.rows(Session::TABLE).await?, before);
        assert_eq!(sessions.find_with_user("token").await?, None);
    }

    /// Sessions end one by one, or all of one user's at once; those of others stay.
    #[covers(49)]
    async fn ending_all_sessions_ends_those_of_one_user(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        for (user, name) in [(&ada, "ada"), (&bob, "bob")] {
            for number in 1..=3 {
                let token = format!("{name} {number}");
                user.sessions().create(NewSession::new(token, world.now() + HOUR)).await?;
            }
        }
        world.system().sessions().end("ada 2").await?;
        for (token, lives) in [("ada 1", true), ("ada 2", false), ("ada 3", true)] {
            let found = world.system().sessions().find_with_user(token).await?;
            assert_eq!(found.is_some(), lives, "{token}");
        }
        assert_eq!(ada.sessions().end_all().await?, 2);
        assert_eq!(ada.sessions().end_all().await?, 0);
        assert_eq!(ada.sessions().count(Filter::always()).await?, 0);
        assert_eq!(bob.sessions().count(Filter::always()).await?, 3);
        assert!(world.system().sessions().find_with_user("bob 1").await?.is_some());
    }

    /// Purging deletes the sessions and the tokens that have expired, of everybody, more of them than a batch holds, and
    /// leaves those that live.
    #[covers(49)]
    async fn a_purge_leaves_what_lives(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let system = world.system();
        let (now, tick) = (world.now(), TimeDelta::microseconds(1));
        for user in [&ada, &bob] {
            let session = |number: i64| {
                let end = now + tick * (number % 3 - 1) as i32;
                NewSession::new(format!("{} {number}", user.owner()), end)
            };
            user.sessions().create_many((0..1_800).map(session)).await?;
        }
        let token = |number: i64| {
            let end = now + tick * (number % 3 - 1) as i32;
            NewVerificationToken::new("ada@example.org", format!("token {number}"), end)
        };
        system.verification_tokens().create_many((0..3_600).map(token)).await?;
        assert_eq!(system.sessions().purge_expired().await?, 2_400);
        assert_eq!(system.verification_tokens().purge_expired().await?, 2_400);
        for user in [&ada, &bob] {
            assert_eq!(user.sessions().count(Filter::always()).await?, 600);
            assert_eq!(user.sessions().count(Session::EXPIRES_AT.gt(now)?).await?, 600);
        }
        let living = system.verification_tokens().count(VerificationToken::EXPIRES_AT.gt(now)?).await?;
        assert_eq!((living, world.rows(VerificationToken::TABLE).await?.len()), (1_200, 1_200));
        assert_eq!(system.sessions().purge_expired().await?, 0);
        assert_eq!(system.verification_tokens().purge_expired().await?, 0);
    }

    /// Of many who link one account at the same moment, on two handles, for two users, one does; the others are told that it
    /// is linked. It stays the winner's.
    #[covers(50)]
    async fn an_account_is_linked_once(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let again = world.reopen().await?;
        for round in 0..10 {
            let id = format!("account {round}");
            let racers = if round == 0 { 16 } else { 2 };
            let linked = together(racers, |index| {
                let user = if index % 2 == 0 { ada.clone() } else { again.user(bob.owner().into()) };
                let account = NewAccount::new(AccountKind::Oauth, "github", id.as_str());
                async move { user.accounts().link(account).await }
            });
            let (winners, others): (Vec<_>, Vec<_>) = linked.await.into_iter().partition(Result::is_ok);
            assert_eq!(winners.len(), 1, "{winners:?}");
            for other in others {
                assert_conflict(other, "Account", "provider, provider_account_id");
            }
            let winner = winners.into_iter().next().transpose()?;
            assert_eq!(world.system().accounts().find("github", id).await?, winner);
        }
    }

    /// An account that another user has linked cannot be taken over: not by linking it, not by putting it.
    #[covers(50)]
    async fn a_linked_account_stays_its_users(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let new = || NewAccount::new(AccountKind::Oauth, "github", "42");
        let hers = ada.accounts().link(new()).await?;
        let key = &[Account::PROVIDER.position(), Account::PROVIDER_ACCOUNT_ID.position()];
        assert_conflict(bob.accounts().link(new()).await, "Account", "provider, provider_account_id");
        assert_conflict(bob.accounts().put(new(), key).await, "Account", "provider, provider_account_id");
        assert_not_found(bob.accounts().unlink("github", "42").await, "Account");
        assert_eq!(world.system().accounts().find("github", "42").await?, Some(hers));
        // What was linked can be put again with new tokens, by its user.
        let put = ada.accounts().put(NewAccount { access_token: Some("new".into()), ..new() }, key).await?;
        assert_eq!(put.access_token, Some("new".into()));
    }

    /// A passkey's counter goes forward: back, or again the same, is refused and changes nothing, because the passkey may have
    /// been copied. One that does not count stays at 0.
    #[covers(51)]
    async fn a_counter_only_goes_forward(world: World) {
        let mine = world.user("Ada").await?;
        let authenticators = world.system().authenticators();
        mine.authenticators().create(passkey("counts", 5)).await?;
        mine.authenticators().create(passkey("does not", 0)).await?;
        for (counter, refused) in
            [(6, false), (6, true), (5, true), (0, true), (-1, true), (1 << 32, false), (i64::MAX, false)]
        {
            let before = authenticators.find("counts").await?;
            let counted = authenticators.count("counts", counter).await;
            if refused {
                assert_invalid_for(counted, "counter", counter);
                assert_eq!(authenticators.find("counts").await?, before);
            } else {
                assert_eq!(counted?.counter, counter);
            }
        }
        for _ in 0..2 {
            assert_eq!(authenticators.count("does not", 0).await?.counter, 0);
        }
        assert_eq!(authenticators.count("does not", 1).await?.counter, 1);
        assert_invalid(authenticators.count("does not", 0).await, "counter");
        assert_not_found(authenticators.count("unknown", 1).await, "Authenticator");
        // Of many who show the same count, one is right.
        let counted = together(16, |_| {
            let authenticators = authenticators.clone();
            async move { authenticators.count("does not", 2).await }
        });
        let right = counted.await.into_iter().filter(Result::is_ok).count();
        assert_eq!(right, 1, "one signature was counted by several");
    }

    /// A credential is one user's passkey: another user cannot add it, reach it, or see it in a list.
    #[covers(27, 51)]
    async fn a_credential_is_one_users_passkey(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let hers = ada.authenticators().create(passkey("credential", 1)).await?;
        assert_conflict(
            bob.authenticators().create(passkey("credential", 1)).await,
            "Authenticator",
            "credential_id",
        );
        for user in [ada.owner(), bob.owner()] {
            assert_eq!(bob.authenticators().get((user.into(), "credential".into())).await?, None);
            assert_not_found(
                bob.authenticators().delete((user.into(), "credential".into())).await,
                "Authenticator",
            );
        }
        assert_eq!(bob.authenticators().all().await?, []);
        let list = ListAuthenticators { sort_direction: SortDirection::Asc, ..ListAuthenticators::default() };
        assert_eq!(ada.authenticators().list(list).await?.items, [hers]);
    }

    /// A caller sets what is the caller's: the companions refuse the ids, the owner, the hash, the times that larder writes,
    /// and fields that do not exist.
    #[covers(23)]
    async fn a_caller_cannot_set_what_is_not_theirs(world: World) {
        let text = json!("x");
        let time = json!(world.now());
        let fields = ["id", "user_id", "key", "secret_hash", "secret_salt", "last_used_at", "revoked_at"];
        let stamps = ["created_at", "updated_at", "no_such_field"];
        for field in fields.into_iter().chain(stamps) {
            for value in [&text, &time, &json!(null), &json!([1])] {
                assert!(
                    !reads_with::<NewApiKey>(json!({"name": "n"}), field, value.clone()),
                    "NewApiKey.{field}"
                );
                assert!(!reads::<ApiKeyPatch>(field, value.clone()), "ApiKeyPatch.{field}");
            }
        }
        for field in ["id", "user_id"].into_iter().chain(stamps) {
            let of = |new: serde_json::Value| (new, field, text.clone());
            let (new, field, value) = of(json!({"session_token": "t", "expires_at": time}));
            assert!(!reads_with::<NewSession>(new, field, value), "NewSession.{field}");
            let (new, field, value) =
                of(json!({"kind": "oauth", "provider": "p", "provider_account_id": "1"}));
            assert!(!reads_with::<NewAccount>(new, field, value), "NewAccount.{field}");
            let (new, field, value) = of(json!({"identifier": "i", "token": "t", "expires_at": time}));
            assert!(!reads_with::<NewVerificationToken>(new, field, value), "NewVerificationToken.{field}");
            let (new, field, value) = of(serde_json::to_value(passkey("c", 0))?);
            assert!(!reads_with::<NewAuthenticator>(new, field, value), "NewAuthenticator.{field}");
        }
        for field in ["user_id", "kind", "provider", "provider_account_id", "created_at"] {
            assert!(!reads::<AccountPatch>(field, text.clone()), "AccountPatch.{field}");
        }
        for field in ["session_token", "user_id", "created_at"] {
            assert!(!reads::<SessionPatch>(field, text.clone()), "SessionPatch.{field}");
        }
        for field in ["identifier", "token"] {
            assert!(!reads::<VerificationTokenPatch>(field, text.clone()), "VerificationTokenPatch.{field}");
        }
        assert!(!reads::<VerificationTokenPatch>("expires_at", time));
        for field in ["user_id", "credential_id", "credential_public_key", "provider_account_id", "counter"] {
            for value in [json!("x"), json!(9)] {
                assert!(!reads::<AuthenticatorPatch>(field, value), "AuthenticatorPatch.{field}");
            }
        }
    }

    /// Each rule of what one signs in with is refused with its field, and nothing is written; the longest that is allowed is
    /// kept.
    #[covers(4)]
    async fn a_broken_rule_names_its_field(world: World) {
        let mine = world.user("Ada").await?;
        let (end, long) = (world.now() + HOUR, |length: usize| "é".repeat(length));
        let (accounts, sessions, passkeys) = (mine.accounts(), mine.sessions(), mine.authenticators());
        let tokens = world.system().verification_tokens();
        let before = world.all_rows().await?;
        for wrong in [String::new(), "a\0b".to_owned(), long(70_000)] {
            let account = |provider: &str, id: &str| NewAccount::new(AccountKind::Email, provider, id);
            assert_invalid(accounts.link(account(&wrong, "1")).await, "provider");
            assert_invalid(accounts.link(account("github", &wrong)).await, "provider_account_id");
            assert_invalid(sessions.create(NewSession::new(wrong.as_str(), end)).await, "session_token");
            let token = |identifier: &str, token: &str| NewVerificationToken::new(identifier, token, end);
            assert_invalid(tokens.create(token(&wrong, "t")).await, "identifier");
            assert_invalid(tokens.create(token("i", &wrong)).await, "token");
            assert_invalid(passkeys.create(passkey(&wrong, 1)).await, "credential_id");
            let key = NewAuthenticator { credential_public_key: wrong.clone(), ..passkey("c", 1) };
            assert_invalid(passkeys.create(key).await, "credential_public_key");
        }
        for (field, wrong) in [
            ("refresh_token", long(65_537)),
            ("access_token", long(65_537)),
            ("id_token", "\0".into()),
            ("token_type", long(256)),
            ("scope", long(65_537)),
            ("session_state", long(65_537)),
        ] {
            let mut new = json!({"kind": "webauthn", "provider": "p", "provider_account_id": "1"});
            new[field] = json!(wrong);
            assert_invalid(accounts.link(serde_json::from_value(new)?).await, field);
        }
        assert_invalid(passkeys.create(passkey("c", -1)).await, "counter");
        let year_10000: DateTime<Utc> = DateTime::from_timestamp(253_402_300_800, 0).unwrap();
        assert_invalid(sessions.create(NewSession::new("t", year_10000)).await, "expires_at");
        assert_invalid(accounts.update(("p".into(), "1".into()), AccountPatch::default()).await, "patch");
        assert_eq!(world.all_rows().await?, before);
        let longest = sessions.create(NewSession::new(long(512), end)).await?;
        assert_eq!(
            world.system().sessions().find_with_user(long(512)).await?.map(|found| found.0),
            Some(longest)
        );
        accounts.link(NewAccount::new(AccountKind::Email, long(255), long(255))).await?;
        assert!(world.system().accounts().find(long(255), long(255)).await?.is_some());
        tokens.create(NewVerificationToken::new(long(320), long(255), end)).await?;
        assert!(tokens.use_once(long(320), long(255)).await?.is_some());
        passkeys.create(passkey(&"A1-_".repeat(341), 1)).await?;
        assert!(world.system().authenticators().find(&"A1-_".repeat(341)).await?.is_some());
        let nobody = world.larder().user(UserId::from_uuid(uuid::Uuid::from_u128(404)));
        let refused = nobody.sessions().create(NewSession::new("of nobody", end)).await.unwrap_err();
        let parent = ErrorKind::MissingParent { entity: "Session".into(), parent: "User".into() };
        assert_eq!(refused.kind(), &parent);
    }
}

const HOUR: TimeDelta = TimeDelta::hours(1);

/// How often a race is run, unless the environment variable `LARDER_ROUNDS` says otherwise.
const ROUNDS: usize = 5;

fn rounds() -> Result<usize, Failure> {
    match std::env::var("LARDER_ROUNDS") {
        Ok(text) => text.parse().map_err(|_| format!("LARDER_ROUNDS is a number, not `{text}`").into()),
        Err(_) => Ok(ROUNDS),
    }
}

fn passkey(credential_id: &str, counter: i64) -> NewAuthenticator {
    NewAuthenticator::new(credential_id, "42", "a public key", counter, "singleDevice", false)
}

#[track_caller]
fn assert_not_found<T: std::fmt::Debug>(result: Result<T>, entity: &str) {
    let entity = entity.to_owned().into();
    assert_eq!(result.unwrap_err().kind(), &ErrorKind::NotFound { entity });
}

#[track_caller]
fn assert_conflict<T: std::fmt::Debug>(result: Result<T>, entity: &str, field: &str) {
    let (entity, field) = (entity.to_owned().into(), field.to_owned().into());
    assert_eq!(result.unwrap_err().kind(), &ErrorKind::Conflict { entity, field });
}

/// Can a companion be read that has this field alone?
fn reads<T: DeserializeOwned>(field: &str, value: serde_json::Value) -> bool {
    serde_json::from_value::<T>(json!({ field: value })).is_ok()
}

/// Can a companion be read that has this field too? Without it, it can.
fn reads_with<T: DeserializeOwned>(
    mut new: serde_json::Value,
    field: &str,
    value: serde_json::Value,
) -> bool {
    assert!(serde_json::from_value::<T>(new.clone()).is_ok(), "{new}");
    new[field] = value;
    serde_json::from_value::<T>(new).is_ok()
}
