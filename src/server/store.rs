//! The database behind a thread of its own: whoever asks waits for the answer; the network, the relay above all, does not.

use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::store::server_db::{DbError, ServerDb};
use crate::wire::signal::Refusal;

/// Questions that wait for the database. One more is refused, and its client told to come again: a queue that never
/// empties helps nobody.
pub const QUEUE: usize = 256;

type Job = Box<dyn FnOnce(&mut dyn ServerDb) + Send>;

/// Why there is no answer.
#[derive(Debug)]
pub enum Fault {
    /// The database does not work.
    Db(DbError),
    /// The rules say no.
    Refused(Refusal),
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The way to the database.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
}

impl Store {
    /// Starts the thread. It ends with the last of these, when all that was asked is done.
    pub fn start(mut db: Box<dyn ServerDb>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(QUEUE);
        let work = move || {
            while let Some(job) = waiting.blocking_recv() {
                job(db.as_mut());
            }
            log(db.tidy());
        };
        let thread = std::thread::Builder::new().name("store".into()).spawn(work)?;
        Ok((Self { jobs }, thread))
    }

    /// Forgets the accounts that were not seen for so many days.
    pub fn expire(&self, today: u32, kept_days: u32) {
        self.care(move |db| db.expire(today, kept_days).map(drop));
    }

    /// Makes sure that nothing is left of what was forgotten.
    pub fn tidy(&self) {
        self.care(|db| db.tidy());
    }

    /// Questions that wait.
    pub fn waiting(&self) -> usize {
        QUEUE - self.jobs.capacity()
    }

    /// Does what nobody waits for. When there is no time for it now, there will be.
    fn care(&self, work: impl FnOnce(&mut dyn ServerDb) -> Result<(), DbError> + Send + 'static) {
        let _ = self.jobs.try_send(Box::new(move |db| log(work(db))));
    }

    /// Asks the database something; all that `question` does is done at one go.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn ServerDb) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        // Who does not wait for the answer any more has gone; what was asked is done all the same.
        let job = Box::new(move |db: &mut dyn ServerDb| drop(answer.send(question(db))));
        self.jobs.try_send(job).map_err(|_| Refusal::Quota)?;
        match answered.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Fault::Refused(refusal))) => Err(refusal),
            Ok(Err(Fault::Db(error))) => {
                log(Err(error));
                Err(Refusal::Quota)
            }
            Err(_) => Err(Refusal::Quota),
        }
    }
}

fn log(result: Result<(), DbError>) {
    if let Err(error) = result {
        tracing::error!(%error, "database");
    }
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;
    use crate::store::server_db::EmbeddedDb;

    #[tokio::test]
    async fn what_a_slow_database_cannot_take_is_refused_and_the_rest_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::start(Box::new(EmbeddedDb::open(folder.path()).unwrap())).unwrap();
        let (free, held_up) = std::sync::mpsc::sync_channel::<()>(1);
        let (began, begun) = oneshot::channel();
        let first = store.ask(move |_| {
            let _ = began.send(());
            let _ = held_up.recv();
            Ok(())
        });
        let asked = async {
            begun.await.unwrap();
            let mut waiting: Vec<_> = (0..QUEUE + 10).map(|_| Box::pin(store.ask(|_| Ok(())))).collect();
            let mut refused = 0;
            let mut kept = Vec::new();
            for mut question in waiting.drain(..) {
                match std::future::poll_fn(|context| std::task::Poll::Ready(question.as_mut().poll(context))).await {
                    std::task::Poll::Ready(answer) => refused += usize::from(answer == Err(Refusal::Quota)),
                    std::task::Poll::Pending => kept.push(question),
                }
            }
            assert_eq!((refused, kept.len()), (10, QUEUE));
            free.send(()).unwrap();
            for question in kept {
                assert_eq!(question.await, Ok(()));
            }
        };
        let (first, ()) = tokio::join!(first, asked);
        assert_eq!(first, Ok(()));
    }
}
