//! A runtime for what outlives one test.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

use crate::TestingError;

/// A thread of its own for one server's administration: a test's runtime ends with the test, and with a runtime end its
/// connections.
pub(crate) struct Background {
    /// `None` only while dropped.
    runtime: Option<Runtime>,
}

impl Background {
    pub(crate) fn start() -> Result<Self, TestingError> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("larder-testing").enable_all().build();
        let runtime = runtime.map_err(TestingError::caused("cannot start a runtime"))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs `work` here, whatever runtime waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, TestingError> {
        let ended = || TestingError::new("the server's runtime has ended");
        let task = self.runtime.as_ref().ok_or_else(ended)?.spawn(work);
        task.await.map_err(TestingError::caused("the server's runtime has ended"))
    }

    /// Runs `work` here without waiting for it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // To drop a runtime is to wait for it, which another runtime's thread must not do: it would panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
