//! How a thread waits for what tasks tell: without the timers of the runtime, which would wake its thread first.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, current, park_timeout};
use std::time::{Duration, Instant};

/// Waits for `future`, at most so long. It must use nothing of a runtime: channels, no timers, no sockets.
pub fn wait_for<T>(future: impl Future<Output = T>, patience: Duration) -> Option<T> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut context = Context::from_waker(&waker);
    let began = Instant::now();
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() {
            return None;
        }
        park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_told_by_another_thread_ends_the_wait_and_so_does_time() {
        let (sender, mut receiver) = mpsc::channel(1);
        let teller = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            sender.blocking_send(7).unwrap();
            sender
        });
        assert_eq!(wait_for(receiver.recv(), LONG), Some(Some(7)));
        let sender = teller.join().unwrap();
        let began = Instant::now();
        assert_eq!(wait_for(receiver.recv(), Duration::from_millis(20)), None);
        assert!(began.elapsed() >= Duration::from_millis(20));
        sender.try_send(8).unwrap();
        assert_eq!(wait_for(receiver.recv(), Duration::ZERO), Some(Some(8)), "what is there is taken");
        drop(sender);
        assert_eq!(wait_for(receiver.recv(), LONG), Some(None));
    }
}
