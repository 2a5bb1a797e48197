//! Threads that may leave the home namespace for one job, and come back.
//!
//! `setns` moves a thread, so that it must never be one of the runtime's. A thread that can't come back, or panicked, ends;
//! another takes its place when there is work. What must not live here: what the jobs do.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::oneshot;

use crate::Error;
use crate::error::Failure;
use crate::netns;
use crate::rtnl::Rtnl;

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// What a job has at hand.
pub(crate) struct Worker {
    home: Arc<OwnedFd>,
    socket: Option<Rtnl>,
    away: bool,
}

impl Worker {
    /// Takes the calling thread into the home namespace.
    pub(crate) fn new(home: Arc<OwnedFd>) -> Result<Self, Failure> {
        setns(&home, CloneFlags::CLONE_NEWNET)?;
        let socket = Some(Rtnl::open()?);
        Ok(Self { home, socket, away: false })
    }

    /// The home namespace.
    pub(crate) fn home(&self) -> BorrowedFd<'_> {
        self.home.as_fd()
    }

    /// A socket in the home namespace, wherever the thread is.
    pub(crate) fn home_socket(&mut self) -> Result<&mut Rtnl, Failure> {
        self.socket.as_mut().ok_or(Failure { errno: libc::EBADF, text: None })
    }

    /// A socket in a namespace; the thread is where it was afterwards.
    pub(crate) fn socket_in(&mut self, namespace: impl AsFd) -> Result<Rtnl, Failure> {
        let here = netns::current()?;
        self.enter(namespace)?;
        let socket = Rtnl::open();
        setns(here, CloneFlags::CLONE_NEWNET)?;
        socket
    }

    /// Moves the thread into a namespace until the job ends.
    pub(crate) fn enter(&mut self, namespace: impl AsFd) -> Result<(), Failure> {
        self.away = true;
        Ok(setns(namespace, CloneFlags::CLONE_NEWNET)?)
    }

    /// Moves the thread into a new namespace until the job ends.
    pub(crate) fn enter_new(&mut self) -> Result<(), Failure> {
        self.away = true;
        Ok(unshare(CloneFlags::CLONE_NEWNET)?)
    }

    /// Moves the thread back.
    pub(crate) fn come_home(&mut self) -> Result<(), Failure> {
        if self.away {
            setns(&self.home, CloneFlags::CLONE_NEWNET)?;
            self.away = false;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Those that wait. The last one in is the first to be woken: its stack and its part of the heap are still in the caches.
    idle: Vec<Thread>,
    closed: bool,
}

struct Shared {
    name: &'static str,
    home: Arc<OwnedFd>,
    most: usize,
    linger: Option<Duration>,
    queue: Mutex<Queue>,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No job runs under the lock, so that a panic can't leave the queue half-changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads that take jobs in the order given, started as they are needed.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

impl Pool {
    /// A pool of at most `most` threads; an idle one ends after `linger`, or never.
    pub(crate) fn new(name: &'static str, home: Arc<OwnedFd>, most: usize, linger: Option<Duration>) -> Self {
        let queue = Mutex::new(Queue::default());
        Self { shared: Arc::new(Shared { name, home, most, linger, queue }) }
    }

    /// Runs a job and waits for what it answers, without holding the caller's thread.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<T, Error> {
        self.start(job).await.map_err(|_| Error::WorkerGone)
    }

    /// Runs a job; what it answers comes through the channel, which closes without if the thread ends.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, answered) = oneshot::channel();
        self.submit(Box::new(move |worker| {
            let _ = answer.send(job(worker));
        }));
        answered
    }

    fn submit(&self, job: Job) {
        let mut queue = self.shared.queue();
        queue.jobs.push_back(job);
        if let Some(thread) = queue.idle.pop() {
            // Not while it would have to wait for the lock.
            drop(queue);
            return thread.unpark();
        }
        if queue.threads < self.shared.most {
            queue.threads += 1;
            drop(queue);
            start(&self.shared);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.closed = true;
        queue.idle.drain(..).for_each(|thread| thread.unpark());
    }
}

/// Starts a thread that is counted already.
fn start(shared: &Arc<Shared>) {
    let its = shared.clone();
    let started = thread::Builder::new().name(shared.name.to_owned()).spawn(move || work(&its));
    if let Err(error) = started {
        tracing::error!(%error, "no thread for kernel work");
        let mut queue = shared.queue();
        queue.threads -= 1;
        if queue.threads == 0 {
            // Nobody would ever take them; dropping a job tells who waits for it.
            queue.jobs.clear();
        }
    }
}

fn work(shared: &Arc<Shared>) {
    match Worker::new(shared.home.clone()) {
        Ok(mut worker) => {
            loop {
                // Who is told to end is counted no more.
                let Some(job) = next(shared) else { return };
                let sound = catch_unwind(AssertUnwindSafe(|| job(&mut worker))).is_ok();
                if let Err(failure) = worker.come_home() {
                    tracing::error!(reason = failure.words(), "a kernel worker could not come home");
                    break;
                }
                if !sound {
                    break;
                }
            }
        }
        Err(failure) => {
            tracing::error!(reason = failure.words(), "a kernel worker could not start");
            shared.queue().jobs.pop_front();
        }
    }
    let mut queue = shared.queue();
    if queue.closed || queue.jobs.is_empty() {
        queue.threads -= 1;
        return;
    }
    // Another one does what came meanwhile, and what waits.
    drop(queue);
    start(shared);
}

/// The next job. Without one the thread is to end, and is counted no more: who brings a job a moment later finds room for another.
fn next(shared: &Shared) -> Option<Job> {
    let mut queue = shared.queue();
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            return Some(job);
        }
        if queue.closed {
            queue.threads -= 1;
            return None;
        }
        let this = thread::current();
        let id = this.id();
        queue.idle.push(this);
        drop(queue);
        let since = Instant::now();
        match shared.linger {
            None => thread::park(),
            Some(linger) => thread::park_timeout(linger),
        }
        queue = shared.queue();
        // Whoever wakes a thread takes it off the list: one that is still on it waited in vain, or was woken by nobody.
        let waited = queue.idle.iter().position(|thread| thread.id() == id);
        if let Some(place) = waited {
            queue.idle.remove(place);
        }
        let timed_out = waited.is_some() && shared.linger.is_some_and(|linger| since.elapsed() >= linger);
        if timed_out && queue.jobs.is_empty() {
            queue.threads -= 1;
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use super::*;

    fn pool(most: usize, linger: Option<Duration>) -> Pool {
        Pool::new(
            "test",
            Arc::new(OwnedFd::from(netns::current().expect("this thread is in a namespace"))),
            most,
            linger,
        )
    }

    async fn whose(pool: &Pool) -> ThreadId {
        pool.run(|_| thread::current().id()).await.expect("it is done")
    }

    /// Waits until as many threads of the pool have nothing to do.
    async fn idle(pool: &Pool, threads: usize) {
        while pool.shared.queue().idle.len() != threads {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn jobs_go_side_by_side_and_later_ones_to_the_thread_that_worked_last() {
        let pool = pool(3, None);
        let (first, second) = (Arc::new(std::sync::Barrier::new(3)), Arc::new(std::sync::Barrier::new(3)));
        // None of them ends before all three are at work.
        let meet = |barrier: &Arc<std::sync::Barrier>| {
            let barrier = barrier.clone();
            pool.start(move |_| {
                barrier.wait();
                thread::current().id()
            })
        };
        for barrier in [&first, &second] {
            let met = [meet(barrier), meet(barrier), meet(barrier)];
            let mut threads = Vec::new();
            for one in met {
                threads.push(one.await.expect("it is done"));
            }
            threads.sort_by_key(|id| format!("{id:?}"));
            threads.dedup();
            assert_eq!(threads.len(), 3);
        }
        idle(&pool, 3).await;
        let last = whose(&pool).await;
        for _ in 0..20 {
            idle(&pool, 3).await;
            assert_eq!(whose(&pool).await, last);
        }
    }

    #[tokio::test]
    async fn more_jobs_than_threads_are_all_done() {
        let pool = pool(2, None);
        let done: Vec<_> = (0..200).map(|number| pool.start(move |_| number)).collect();
        for (number, answered) in done.into_iter().enumerate() {
            assert_eq!(answered.await.expect("it is done"), number);
        }
        assert_eq!(pool.shared.queue().threads, 2);
    }

    #[tokio::test]
    async fn a_thread_without_work_ends_and_another_one_comes() {
        let pool = pool(2, Some(Duration::from_millis(10)));
        let first = whose(&pool).await;
        while pool.shared.queue().threads > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(pool.shared.queue().idle.is_empty());
        assert_ne!(whose(&pool).await, first);
    }

    #[tokio::test]
    async fn a_job_that_panics_costs_its_thread_and_nobody_elses_answer() {
        let pool = pool(1, None);
        for number in 0..50 {
            let (broken, waits) = (pool.start(|_| panic!("on purpose")), pool.start(move |_| number));
            assert!(broken.await.is_err());
            // One that is brought while the thread is about to end, and one that waited for it.
            assert_eq!(pool.run(move |_| number).await.expect("it is done"), number);
            assert_eq!(waits.await.expect("it is done"), number);
        }
        assert_eq!(pool.shared.queue().threads, 1);
    }

    #[tokio::test]
    async fn a_pool_that_is_dropped_ends_its_threads() {
        let pool = pool(2, None);
        let (one, other) = (pool.start(|_| ()), pool.start(|_| ()));
        one.await.expect("it is done");
        other.await.expect("it is done");
        let shared = pool.shared.clone();
        drop(pool);
        while shared.queue().threads > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
