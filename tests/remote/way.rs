//! A database on a server, and a way to it that can be watched and cut.

use larder::{
    Larder, UserScope,
    prelude::{NewUser, SystemModel as _},
};
use larder_testing::{Proxy, Sqld, SqldDatabase};

pub(crate) struct Way {
    pub(crate) proxy: Proxy,
    /// By the way.
    pub(crate) larder: Larder,
    /// Past it.
    pub(crate) observer: Larder,
    /// Dropped with it.
    _database: SqldDatabase,
}

impl Way {
    /// A way whose handle is opened with these options.
    pub(crate) async fn lay(options: &str) -> Self {
        let server = Sqld::shared().await.unwrap();
        let database = server.database().await.unwrap();
        let observer = Larder::open(database.url()).await.unwrap();
        observer.migrate().await.unwrap();
        let proxy = Proxy::start(server.host_and_port()).await.unwrap();
        let url = format!("{}?{options}", database.url_by(proxy.address()));
        let larder = Larder::open(&url).await.unwrap();
        Self { proxy, larder, observer, _database: database }
    }

    /// A new user, by the way and past it.
    pub(crate) async fn user(&self) -> [UserScope; 2] {
        let user = self.observer.system().users().create(NewUser::default()).await.unwrap().id;
        [self.larder.user(user), self.observer.user(user)]
    }
}
