//! API keys: a secret that is seen once, and what it is good for.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use larder::{
    Entity, ErrorKind, Filter, Get, Ids, Larder, Result, Secret, SequentialIds, SortDirection, Value, Verb, model::*,
};
use serde_json::json;

use crate::{World, expect::assert_invalid, promptly, together, observed::{Observed, Seen}};

cases! {
    /// The token is in the answer to issuing, and nowhere else: no row of any table holds its secret half, no `Debug` form
    /// and no JSON.
    #[covers(42)]
    async fn a_secret_is_seen_once(world: World) {
        let mine = world.user("Ada").await?;
        let issued = mine.api_keys().issue(NewApiKey::new("one")).await?;
        let (key, secret) = halves(&issued.token);
        assert_eq!((key.len(), secret.len(), key), (24, 32, issued.api_key.key.as_str()));
        assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let rotated = mine.api_keys().rotate(issued.api_key.id).await?;
        let found = mine.api_keys().get(issued.api_key.id).await?.unwrap();
        let by_token = authenticated(world.larder(), &rotated.token).await?.unwrap();
        let rows = world.all_rows().await?;
        let seen = format!(
            "{rows:?} {issued:?} {issued:#?} {rotated:?} {found:?} {by_token:#?} {} {}",
            serde_json::to_string(&issued.api_key)?,
            serde_json::to_string(&by_token)?,
        );
        assert!(seen.contains(key), "the public half may be seen");
        for token in [&issued.token, &rotated.token] {
            assert!(!seen.contains(halves(token).1), "a secret is seen: {seen}");
        }
        assert!(!holds_bytes(&rows, secret.as_bytes()), "a row holds the secret as bytes");
        let written = serde_json::to_value(&by_token)?;
        for hidden in ["secret_hash", "secret_salt"] {
            assert_eq!(written.get(hidden), None, "{hidden} leaves with the key");
        }
    }

    /// What else is secret is in no `Debug` form and no JSON of its entity: the tokens of accounts, sessions, verification
    /// tokens and endpoints. A companion that holds one does not print it.
    #[covers(42)]
    async fn no_entity_prints_its_secrets(world: World) {
        const SECRET: &str = "correct-horse-battery";
        let mine = world.user("Ada").await?;
        let system = world.system();
        let end = world.now() + HOUR;
        let job = mine.jobs().create(NewJob::new("a job")).await?.id;
        let new_account = NewAccount {
            refresh_token: Some(SECRET.into()),
            access_token: Some(SECRET.into()),
            id_token: Some(SECRET.into()),
            ..NewAccount::new(AccountKind::Oauth, "github", "ada")
        };
        let new_session = NewSession::new(SECRET, end);
        let new_token = NewVerificationToken::new("ada@example.org", SECRET, end);
        let new_endpoint = NewEndpoint {
            bearer_token: Some(SECRET.into()),
            ..NewEndpoint::new(job, "an endpoint", "https://example.org/")
        };
        let patch =
            AccountPatch { access_token: Some(Secret::from(SECRET)).into(), ..AccountPatch::default() };
        let mut seen = format!("{new_account:?} {new_session:?} {new_token:?} {new_endpoint:?} {patch:?}");
        let account = mine.accounts().link(new_account).await?;
        let session = mine.sessions().create(new_session).await?;
        let token = system.verification_tokens().create(new_token).await?;
        let endpoint = mine.endpoints().create(new_endpoint).await?;
        seen += &format!("{account:#?} {session:#?} {token:#?} {endpoint:#?}");
        seen += &serde_json::to_string(&(&account, &session, &token, &endpoint))?;
        let used = system.verification_tokens().use_once("ada@example.org", SECRET).await?;
        seen += &format!("{used:?} {:?}", system.sessions().find_with_user(SECRET).await?);
        // Nor does an error that is about one.
        seen += &format!("{:?}", mine.sessions().create(NewSession::new(SECRET, end)).await.unwrap_err());
        seen += &format!("{:?}", system.sessions().end(format!("{SECRET}\0")).await.unwrap_err());
        assert!(!seen.contains(SECRET), "{seen}");
        let read = system.accounts().find("github", "ada").await?.unwrap();
        assert_eq!(read.access_token.map(Secret::into_exposed).as_deref(), Some(SECRET));
    }

    /// Equal secrets hash apart, because each key has a salt of its own; a secret is no good beside another salt.
    #[covers(42)]
    async fn equal_secrets_hash_apart(world: World) {
        let mine = world.user("Ada").await?;
        let same = Larder::builder().clock(world.clock().clone()).ids(SameLetters::default());
        let keys = same.store(world.store()).user(mine.owner().into()).api_keys();
        let mut rotated = Vec::new();
        for name in ["one", "other"] {
            let id = mine.api_keys().issue(NewApiKey::new(name)).await?.api_key.id;
            rotated.push(keys.rotate(id).await?);
        }
        let [one, other] = &rotated[..] else { panic!("two keys") };
        assert_eq!(halves(&one.token).1, halves(&other.token).1, "this case is about equal secrets");
        assert_ne!(one.api_key.secret_salt, other.api_key.secret_salt);
        assert_ne!(one.api_key.secret_hash, other.api_key.secret_hash, "equal secrets have equal hashes");
        for key in [one, other] {
            let found = authenticated(world.larder(), &key.token).await?;
            assert_eq!(found.map(|key| key.id), Some(key.api_key.id));
        }
        let salt = vec![ApiKey::SECRET_SALT.set(other.api_key.secret_salt.clone())?];
        keys.update_if(one.api_key.id, Filter::always(), salt).await?.unwrap();
        assert_eq!(authenticated(world.larder(), &one.token).await?, None, "the salt is not in the hash");
    }

    /// An unknown key, a token of the wrong shape, and a wrong secret get the same answer, and the store does the same work
    /// for each: one look-up by a key of the usual length. So do a revoked and an expired one.
    #[covers(43)]
    async fn what_is_no_good_costs_the_same_work(world: World) {
        let mine = world.user("Ada").await?;
        let right = mine.api_keys().issue(NewApiKey::new("good")).await?.token;
        let revoked = mine.api_keys().issue(NewApiKey::new("revoked")).await?;
        mine.api_keys().revoke(revoked.api_key.id).await?;
        let expires_at = Some(world.now());
        let expired = mine.api_keys().issue(NewApiKey { expires_at, ..NewApiKey::new("expired") }).await?;
        let (larder, asked) = watched(&world, false);
        let keys = larder.system().api_keys();
        keys.authenticate(right.expose()).await?.unwrap();
        asked.taken();
        keys.authenticate(right.expose()).await?.unwrap();
        let work = asked.taken();
        assert_eq!(work.len(), 1, "a good key costs one look-up: {work:?}");
        let mut wrong = wrong_tokens(&right);
        wrong.extend([revoked.token.into_exposed(), expired.token.into_exposed()]);
        for token in wrong {
            assert_eq!(keys.authenticate(&token).await?, None, "{token:?}");
            assert_eq!(asked.taken(), work, "{token:?} costs other work than a good key");
        }
    }

    /// A key is good until its end: at the microsecond before it, no more at the instant itself. One without an end stays
    /// good.
    #[covers(44)]
    async fn a_key_has_expired_at_its_very_end(world: World) {
        let mine = world.user("Ada").await?;
        let expires_at = Some(world.now() + HOUR);
        let issued = mine.api_keys().issue(NewApiKey { expires_at, ..NewApiKey::new("ends") }).await?;
        let endless = mine.api_keys().issue(NewApiKey::new("endless")).await?;
        let tick = TimeDelta::microseconds(1);
        for (passing, good) in [(TimeDelta::zero(), true), (HOUR - tick, true), (tick, false), (tick, false)]
        {
            world.clock().advance(passing);
            assert_eq!(
                authenticated(world.larder(), &issued.token).await?.is_some(),
                good,
                "{}",
                world.now()
            );
        }
        assert!(!issued.api_key.is_good_at(world.now()));
        world.clock().advance(TimeDelta::days(36_500));
        assert!(authenticated(world.larder(), &endless.token).await?.is_some());
    }

    /// A revoked key is no good, for good: revoking it again changes nothing, it cannot be rotated, and the other keys of
    /// the user stay as they are. A key that is deleted, or whose user is, is no good either.
    #[covers(44, 45)]
    async fn a_revoked_key_stays_revoked(world: World) {
        let (mine, system) = (world.user("Ada").await?, world.larder());
        let keys = mine.api_keys();
        let (one, other) =
            (keys.issue(NewApiKey::new("one")).await?, keys.issue(NewApiKey::new("other")).await?);
        let revoked = keys.revoke(one.api_key.id).await?;
        assert_eq!(revoked.revoked_at, Some(world.now()));
        assert_eq!(authenticated(system, &one.token).await?, None);
        world.clock().advance(HOUR);
        assert_eq!(keys.revoke(one.api_key.id).await?, revoked, "revoking again changes nothing");
        assert_invalid(keys.rotate(one.api_key.id).await, "revoked_at");
        assert_eq!(keys.get(one.api_key.id).await?, Some(revoked));
        assert!(authenticated(system, &other.token).await?.is_some());
        keys.delete(other.api_key.id).await?;
        assert_eq!(authenticated(system, &other.token).await?, None);
        let last = keys.issue(NewApiKey::new("last")).await?;
        mine.profile().delete().await?;
        assert_eq!(authenticated(system, &last.token).await?, None);
        for gone in
            [keys.rotate(last.api_key.id).await.map(drop), keys.revoke(last.api_key.id).await.map(drop)]
        {
            assert_eq!(gone.unwrap_err().kind(), &ErrorKind::NotFound { entity: "ApiKey".into() });
        }
    }

    /// A rotated key has a new secret and the same public half; the old token is no good at once, on every handle.
    #[covers(42, 44)]
    async fn a_rotated_key_has_one_good_token(world: World) {
        let keys = world.user("Ada").await?.api_keys();
        let again = world.reopen().await?;
        let scopes = vec!["jobs:read".to_owned()];
        let first = keys.issue(NewApiKey { scopes, ..NewApiKey::new("one") }).await?;
        let mut tokens = vec![first.token];
        for _ in 0..3 {
            let rotated = keys.rotate(first.api_key.id).await?;
            assert_eq!(
                (&rotated.api_key.key, &rotated.api_key.scopes),
                (&first.api_key.key, &first.api_key.scopes)
            );
            assert_eq!(halves(&rotated.token).0, first.api_key.key);
            for handle in [world.larder(), &again] {
                assert!(authenticated(handle, &rotated.token).await?.is_some());
                for old in &tokens {
                    assert_eq!(authenticated(handle, old).await?, None, "an old token is still good");
                }
            }
            tokens.push(rotated.token);
        }
    }

    /// A key allows the scopes that it has, word for word, and all of those that are asked for.
    #[covers(44)]
    async fn a_key_allows_its_scopes(world: World) {
        let keys = world.user("Ada").await?.api_keys();
        let scopes = ["jobs:read", "é"].map(str::to_owned).to_vec();
        let issued = keys.issue(NewApiKey { scopes, ..NewApiKey::new("one") }).await?;
        let key = authenticated(world.larder(), &issued.token).await?.unwrap();
        assert!(key.allows(["jobs:read"]) && key.allows(["é", "jobs:read"]) && key.allows([]));
        for refused in
            [vec!["jobs"], vec!["jobs:read "], vec!["JOBS:READ"], vec!["jobs:read", "jobs:write"], vec![""]]
        {
            assert!(!key.allows(refused.iter().copied()), "{refused:?}");
        }
        let patch = ApiKeyPatch { scopes: Vec::new().into(), ..ApiKeyPatch::default() };
        keys.update(key.id, patch).await?;
        let key = authenticated(world.larder(), &issued.token).await?.unwrap();
        assert!(!key.allows(["jobs:read"]) && key.allows([]));
    }

    /// Once a revocation is acknowledged nothing authenticates: of 64 tasks that try again and again on two handles, none
    /// that started after it succeeds. The same for a rotation and for deleting the key.
    #[covers(45)]
    async fn nothing_authenticates_after_a_revocation_is_acknowledged(world: World) {
        let mine = world.user("Ada").await?;
        let handles = [world.larder().clone(), world.reopen().await?];
        for round in 0..6 {
            let issued = mine.api_keys().issue(NewApiKey::new(format!("key {round}"))).await?;
            let acknowledged = Arc::new(AtomicBool::new(false));
            let all = together(65, |index| {
                let (handle, mine) = (handles[index % 2].clone(), mine.clone());
                let (token, acknowledged) = (issued.token.clone(), Arc::clone(&acknowledged));
                let id = issued.api_key.id;
                async move {
                    if index < 64 {
                        return authenticate_until(&handle, &token, &acknowledged).await;
                    }
                    match round % 3 {
                        0 => mine.api_keys().revoke(id).await.map(drop)?,
                        1 => mine.api_keys().rotate(id).await.map(drop)?,
                        _ => mine.api_keys().delete(id).await?,
                    }
                    acknowledged.store(true, Ordering::SeqCst);
                    Ok(())
                }
            });
            for result in promptly("authenticating", all).await {
                result?;
            }
        }
    }

    /// `last_used_at` is moved when a key is used, once a minute at most, and never back; what is no good moves nothing.
    #[covers(46)]
    async fn the_last_use_is_noted_once_a_minute(world: World) {
        let keys = world.user("Ada").await?.api_keys();
        let issued = keys.issue(NewApiKey::new("one")).await?;
        assert_eq!(issued.api_key.last_used_at, None);
        let begun = world.now();
        let tick = TimeDelta::microseconds(1);
        let minute = TimeDelta::minutes(1);
        let steps = [
            (TimeDelta::zero(), begun),
            (minute - tick, begun),
            (tick, begun + minute),
            (TimeDelta::seconds(59), begun + minute),
            // The clock goes back: what was noted stays, until a minute after it.
            (TimeDelta::days(-1), begun + minute),
            (TimeDelta::days(1), begun + minute),
            (TimeDelta::seconds(1), begun + minute * 2),
        ];
        for (passing, expected) in steps {
            world.clock().advance(passing);
            for wrong in wrong_tokens(&issued.token) {
                assert_eq!(world.system().api_keys().authenticate(&wrong).await?, None);
            }
            let answered = authenticated(world.larder(), &issued.token).await?;
            assert_eq!(answered.as_ref().and_then(|key| key.last_used_at), Some(expected), "{}", world.now());
            assert_eq!(keys.get(issued.api_key.id).await?, answered, "what is answered is what is stored");
        }
        world.clock().advance(HOUR);
        keys.revoke(issued.api_key.id).await?;
        assert_eq!(authenticated(world.larder(), &issued.token).await?, None);
        assert_eq!(keys.get(issued.api_key.id).await?.unwrap().last_used_at, Some(begun + minute * 2));
    }

    /// Of 64 uses at one moment, on two handles, all are good and one is noted.
    #[covers(46)]
    async fn uses_at_one_moment_are_noted_once(world: World) {
        let issued = world.user("Ada").await?.api_keys().issue(NewApiKey::new("one")).await?;
        let handles = [world.larder().clone(), world.reopen().await?];
        let all = together(64, |index| {
            let (handle, token) = (handles[index % 2].clone(), issued.token.clone());
            async move { authenticated(&handle, &token).await }
        });
        for answered in all.await {
            assert_eq!(answered?.map(|key| key.id), Some(issued.api_key.id));
        }
        let stored =
            world.larder().user(issued.api_key.user_id).api_keys().get(issued.api_key.id).await?.unwrap();
        let tick = TimeDelta::microseconds(1);
        assert_eq!(stored.last_used_at, Some(world.now()));
        assert_eq!(stored.updated_at, world.now() + tick, "the row was written more than once");
    }

    /// A database that takes no writes does not keep anybody from signing in: the key is good, its last use is not noted.
    #[covers(46)]
    async fn a_use_that_cannot_be_noted_is_good(world: World) {
        let issued = world.user("Ada").await?.api_keys().issue(NewApiKey::new("one")).await?;
        let (read_only, asked) = watched(&world, true);
        let key = authenticated(&read_only, &issued.token).await?;
        assert_eq!(asked.taken().len(), 2, "the use was not noted, and nobody tried to");
        assert_eq!(key, Some(issued.api_key));
    }

    /// A key is issued, and not created otherwise: without a secret it is refused, by every way to create.
    #[covers(4, 42)]
    async fn a_key_without_a_secret_is_refused(world: World) {
        let keys = world.user("Ada").await?.api_keys();
        let by_name = &[ApiKey::KEY.position()];
        assert_invalid(keys.create(NewApiKey::new("one")).await, "key");
        assert_invalid(keys.create_many([NewApiKey::new("one"), NewApiKey::new("two")]).await, "key");
        assert_invalid(keys.put(NewApiKey::new("one"), by_name).await, "key");
        assert_invalid(keys.creation(NewApiKey::new("one")).map(drop), "key");
        let set = vec![ApiKey::KEY.set("k".repeat(24))?];
        assert_invalid(keys.create_with(NewApiKey::new("one"), set).await, "secret_hash");
        assert_eq!(world.rows(ApiKey::TABLE).await?, []);
    }

    /// Each rule of a key is refused with its field, when it is issued and when it is changed; nothing is written.
    #[covers(4)]
    async fn a_broken_rule_of_a_key_names_its_field(world: World) {
        let keys = world.user("Ada").await?.api_keys();
        let issued = keys
            .issue(NewApiKey { description: Some(String::new()), ..NewApiKey::new("é".repeat(255)) })
            .await?;
        let broken = [
            ("name", json!({"name": ""})),
            ("name", json!({"name": "é".repeat(256)})),
            ("name", json!({"name": "a\u{0}b"})),
            ("description", json!({"name": "n", "description": "é".repeat(1001)})),
            ("scopes", json!({"name": "n", "scopes": ["a\u{0}b"]})),
        ];
        let before = world.rows(ApiKey::TABLE).await?;
        for (field, new) in broken {
            assert_invalid(keys.issue(serde_json::from_value(new.clone())?).await, field);
            assert_invalid(keys.update(issued.api_key.id, serde_json::from_value(new)?).await, field);
        }
        let year_10000: DateTime<Utc> = DateTime::from_timestamp(253_402_300_800, 0).unwrap();
        let late = NewApiKey { expires_at: Some(year_10000), ..NewApiKey::new("late") };
        assert_invalid(keys.issue(late).await, "expires_at");
        assert_invalid(keys.update(issued.api_key.id, ApiKeyPatch::default()).await, "patch");
        assert_eq!(world.rows(ApiKey::TABLE).await?, before);
        let nobody = world.larder().user(UserId::from_uuid(uuid::Uuid::from_u128(404))).api_keys();
        let refused = nobody.issue(NewApiKey::new("of nobody")).await.unwrap_err();
        let parent = ErrorKind::MissingParent { entity: "ApiKey".into(), parent: "User".into() };
        assert_eq!(refused.kind(), &parent);
        assert_eq!(nobody.list(ListApiKeys::default()).await?.items, []);
    }

    /// Keys are listed by each of their sort keys, and nobody else's are among them.
    #[covers(27)]
    async fn keys_are_listed_by_each_sort_key(world: World) {
        let (mine, other) = (world.user("Ada").await?, world.user("Bob").await?);
        let mut ids = Vec::new();
        for (number, name) in ["c", "a", "b"].into_iter().enumerate() {
            let expires_at = Some(world.now() + HOUR * 10 - TimeDelta::minutes(number as i64));
            let issued = mine.api_keys().issue(NewApiKey { expires_at, ..NewApiKey::new(name) }).await?;
            ids.push(issued.api_key.id);
            authenticated(world.larder(), &issued.token).await?.unwrap();
            other.api_keys().issue(NewApiKey::new(name)).await?;
            world.clock().advance(TimeDelta::seconds(1));
        }
        let [c, a, b] = ids[..] else { panic!("three keys") };
        let orders = [
            (ApiKeySort::Name, [a, b, c]),
            (ApiKeySort::CreatedAt, [c, a, b]),
            (ApiKeySort::LastUsedAt, [c, a, b]),
            (ApiKeySort::ExpiresAt, [b, a, c]),
        ];
        for (sort_by, expected) in orders {
            let list = ListApiKeys { sort_by, sort_direction: SortDirection::Asc, ..ListApiKeys::default() };
            let found: Vec<_> = mine.api_keys().list(list).await?.items.iter().map(|key| key.id).collect();
            assert_eq!(found, expected, "{sort_by:?}");
        }
    }
}

const HOUR: TimeDelta = TimeDelta::hours(1);

/// The public half and the secret half.
fn halves(token: &Secret) -> (&str, &str) {
    token.expose().split_once('.').unwrap()
}

async fn authenticated(larder: &Larder, token: &Secret) -> Result<Option<ApiKey>> {
    larder.system().api_keys().authenticate(token.expose()).await
}

/// Authenticates again and again, until an attempt was started after the acknowledgement, and says whether that was refused.
async fn authenticate_until(larder: &Larder, token: &Secret, acknowledged: &AtomicBool) -> Result<()> {
    loop {
        let started_after = acknowledged.load(Ordering::SeqCst);
        let answered = authenticated(larder, token).await?;
        if started_after {
            assert_eq!(answered, None, "a token was good after it was acknowledged that it is not");
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// Tokens that are like this one and are not: of an unknown key, with a wrong secret, of the wrong shape.
fn wrong_tokens(right: &Secret) -> Vec<String> {
    let (key, secret) = halves(right);
    let (other_key, other_secret) = ("x".repeat(24), "y".repeat(32));
    vec![
        format!("{other_key}.{secret}"),
        format!("{other_key}.{other_secret}"),
        format!("{key}.{other_secret}"),
        format!("{key}.{}", secret.to_lowercase().to_uppercase()),
        String::new(),
        ".".to_owned(),
        key.to_owned(),
        secret.to_owned(),
        format!("{key}."),
        format!(".{secret}"),
        format!("{key}{secret}"),
        format!("{key} {secret}"),
        format!("{key}.{secret}."),
        format!("{key}.{secret} "),
        format!(" {key}.{secret}"),
        format!("{key}.{secret}\n"),
        format!("{key}.{secret}\0"),
        format!("{key}.{}\0", &secret[1..]),
        format!("\0{}.{secret}", &key[1..]),
        format!("{key}.é{}", &secret[2..]),
        format!("{key}.{}", secret.repeat(100_000)),
        format!("Bearer {key}.{secret}"),
        "' OR 1=1 --".to_owned(),
    ]
}

/// Does any row hold these bytes?
fn holds_bytes(rows: &[(&str, Vec<larder::Row>)], bytes: &[u8]) -> bool {
    let values = rows.iter().flat_map(|(_, rows)| rows).flat_map(larder::Row::values);
    values.into_iter().any(|value| match value {
        Value::Bytes(held) => held.windows(bytes.len()).any(|window| window == bytes),
        _ => false,
    })
}

/// Draws the same letters for every secret, and another salt each time.
#[derive(Debug, Default)]
struct SameLetters(SequentialIds);

impl Ids for SameLetters {
    fn next(&self, now: DateTime<Utc>) -> uuid::Uuid {
        self.0.next(now)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        const SALT: usize = 16;
        if bytes.len() == SALT {
            return self.0.random(bytes);
        }
        bytes.fill(7);
        Ok(())
    }
}

/// The world's database behind a store that answers `ReadOnly` to whatever would change something, if it is to; and the work
/// that each verb is.
fn watched(world: &World, is_read_only: bool) -> (Larder, Seen<String>) {
    let asked = Seen::nothing();
    let seen = asked.clone();
    let store = Observed::new(world.store(), move |verbs| {
        verbs.iter().for_each(|verb| seen.add(work_of(verb)));
        if is_read_only && verbs.iter().any(|verb| !verb.is_read()) {
            return Err(larder::Error::new(ErrorKind::ReadOnly, "the store takes no writes"));
        }
        Ok(())
    });
    (world.over(Arc::new(store)), asked)
}

/// The verb without its values: of those it is looked up by, how long they are.
fn work_of(verb: &Verb) -> String {
    match verb {
        Verb::Get(Get { table, key, .. }) => {
            let lengths: Vec<_> = key.values.iter().map(Value::size).collect();
            format!("Get from {} by {:?} of {lengths:?} bytes", table.name, key.columns)
        }
        other => {
            let debug = format!("{other:?}");
            format!("{} of {}", debug.split('(').next().unwrap_or_default(), other.table().name)
        }
    }
}
