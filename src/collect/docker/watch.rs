//! Which containers there are: the list, then events, one follower each. Reads no log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::api::{Action, Error, Event, Listed};
use super::follow::{Follower, News, Shared};
use crate::base::backoff::Backoff;
use crate::base::clock;

/// Between attempts to reach the engine.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), cap: Duration::from_secs(15) };

/// Events may be lost with a connection, and the engine keeps only the last 256: now and then the list is held against
/// what is known.
const RECONCILE: Duration = Duration::from_secs(300);

/// Finds containers and keeps their followers.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
    followers: JoinSet<String>,
    known: HashMap<String, (watch::Sender<News>, Id)>,
    /// Time of the last event, by the engine's clock.
    heard_ns: Option<i64>,
}

/// Reads what all containers have now, and returns.
///
/// # Errors
/// When the engine or a container's log cannot be read.
pub async fn read_all(shared: Arc<Shared>, stop: watch::Receiver<bool>) -> Result<(), Error> {
    shared.engine.greet().await?;
    let mut readers = JoinSet::new();
    for container in list(&shared).await? {
        let (sender, news) = watch::channel(News::default());
        let follower = Follower::new(Arc::clone(&shared), container.id, news, stop.clone());
        readers.spawn(async move {
            let result = follower.read_once().await;
            drop(sender);
            result
        });
    }
    let mut result = Ok(());
    while let Some(ended) = readers.join_next().await {
        result = result.and(unwind(ended));
    }
    result
}

/// All containers; what is known of others from earlier runs may be forgotten.
async fn list(shared: &Shared) -> Result<Vec<Listed>, Error> {
    let listed = shared.engine.list().await?;
    (shared.hooks.listed)(&listed.iter().map(|container| container.id.clone()).collect());
    Ok(listed)
}

impl Watch {
    pub fn new(shared: Arc<Shared>, stop: watch::Receiver<bool>) -> Self {
        Self { shared, stop, followers: JoinSet::new(), known: HashMap::new(), heard_ns: None }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// None: an engine that is away is waited for.
    pub async fn run(mut self) -> Result<(), Error> {
        let mut attempt = 0;
        while !*self.stop.borrow() && !self.shared.hooks.chunks.is_closed() {
            if let Err(error) = self.session(&mut attempt).await {
                if attempt == 0 {
                    tracing::warn!("{error}; trying again until it answers");
                }
                attempt += 1;
                let pause = sleep(BACKOFF.delay(attempt, clock::now_ns().unsigned_abs()));
                tokio::select! {
                    () = pause => {}
                    _ = self.stop.changed() => {}
                }
            }
        }
        while let Some(ended) = self.followers.join_next().await {
            unwind(ended);
        }
        Ok(())
    }

    /// One connection's life. `attempt` counts failures, and is set back once the engine has answered.
    async fn session(&mut self, attempt: &mut u32) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let engine = &shared.engine;
        let now_ns = engine.greet().await?;
        // Events from before the list on: nothing can happen unseen between the two.
        let since_ns = self.heard_ns.map_or(now_ns, |heard_ns| heard_ns + 1);
        let mut events = engine.events(since_ns);
        self.reconcile().await?;
        tracing::info!(host = engine.host(), containers = self.known.len(), "reading containers");
        *attempt = 0;
        let mut reconcile = interval(RECONCILE);
        reconcile.set_missed_tick_behavior(MissedTickBehavior::Delay);
        reconcile.reset();
        loop {
            tokio::select! {
                _ = self.stop.changed() => return Ok(()),
                () = self.shared.hooks.chunks.closed() => return Ok(()),
                event = events.next() => match event {
                    Some(event) => self.hear(event?),
                    None => return Err(Error::Refused {
                        verb: "follow the engine's events",
                        cause: "the engine closed the connection".to_owned(),
                    }),
                },
                Some(ended) = self.followers.join_next() => self.forget(&unwind(ended)),
                _ = reconcile.tick() => self.reconcile().await?,
            }
        }
    }

    /// Holds the list against what is known.
    async fn reconcile(&mut self) -> Result<(), Error> {
        let listed = list(&self.shared).await?;
        for (id, (news, _)) in &self.known {
            if !listed.iter().any(|container| container.id == *id) {
                news.send_modify(|news| news.is_removed = true);
            }
        }
        for container in listed {
            self.tell(container.id, |news| {
                news.starts += u64::from(container.is_running);
                news.ends += u64::from(!container.is_running);
            });
        }
        Ok(())
    }

    fn hear(&mut self, event: Event) {
        self.heard_ns = self.heard_ns.max(Some(event.time_ns));
        match event.action {
            Action::Create => self.tell(event.id, |_| {}),
            Action::Start => self.tell(event.id, |news| news.starts += 1),
            Action::Die => self.tell_known(&event.id, |news| news.ends += 1),
            Action::Rename(name) => self.tell(event.id, |news| news.name = Some(name)),
            Action::Destroy => self.tell_known(&event.id, |news| news.is_removed = true),
        }
    }

    fn tell_known(&self, id: &str, change: impl FnOnce(&mut News)) {
        if let Some((news, _)) = self.known.get(id) {
            news.send_modify(change);
        }
    }

    /// Tells a container's follower, which is made if need be.
    fn tell(&mut self, id: String, change: impl FnOnce(&mut News)) {
        if let Some((news, _)) = self.known.get(&id) {
            news.send_modify(change);
            return;
        }
        let mut first = News::default();
        change(&mut first);
        let (sender, receiver) = watch::channel(first);
        let follower = Follower::new(Arc::clone(&self.shared), id.clone(), receiver, self.stop.clone());
        let name = id.clone();
        let task = self.followers.spawn(async move {
            follower.run().await;
            name
        });
        self.known.insert(id, (sender, task.id()));
    }

    fn forget(&mut self, id: &str) {
        self.known.remove(id);
    }
}

/// A panic of a follower is the agent's.
fn unwind<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
