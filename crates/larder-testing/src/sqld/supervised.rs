//! What the supervisor has to know about sqld.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use hyper::Method;

use super::http::Api;
use crate::supervisor::Service;

/// sqld, for the supervisor.
pub(super) struct SqldService {
    /// Only the server that was started for us knows it.
    pub(super) key: String,
}

/// What a server listens on.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    http: u16,
    admin: u16,
    grpc: u16,
}

impl Ports {
    pub(super) fn new(ports: &[u16]) -> Option<Self> {
        let &[http, admin, grpc] = ports else { return None };
        Some(Self { http, admin, grpc })
    }

    pub(super) fn http_address(self) -> SocketAddr {
        local(self.http)
    }

    pub(super) fn grpc_url(self) -> String {
        format!("http://{}", local(self.grpc))
    }

    /// The administrator's API.
    pub(super) fn admin(self, key: String) -> Api {
        Api { address: local(self.admin), key }
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Service for SqldService {
    const NAME: &'static str = "sqld";
    const SCRIPT: &'static str = include_str!("supervised.sh");
    const PORTS: usize = 3;
    const STOP: &'static str = "TERM";

    /// The answer of one API shows whose server this is, and so whose ports: sqld takes all before it serves any.
    async fn is_ready(&self, _directory: &Path, _pid: u32, ports: &[u16]) -> bool {
        let Some(ports) = Ports::new(ports) else { return false };
        let user = Api { address: ports.http_address(), key: String::new() };
        ports.admin(self.key.clone()).call(Method::GET, "/").await.is_ok()
            && user.call(Method::GET, "/health").await.is_ok()
    }
}
