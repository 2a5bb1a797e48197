//! Threads that may leave the home namespace for one job, and come back.
//!
//! `setns` moves a thread, so that it must never be one of the runtime's. A thread that can't come back, or panicked, ends;
//! another takes its place when there is work. What must not live here: what the jobs do.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    idle: usize,
    closed: bool,
}

struct Shared {
    name: &'static str,
    home: Arc<OwnedFd>,
    most: usize,
    linger: Option<Duration>,
    queue: Mutex<Queue>,
    ready: Condvar,
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
        Self { shared: Arc::new(Shared { name, home, most, linger, queue, ready: Condvar::new() }) }
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
        if queue.jobs.len() <= queue.idle || queue.threads >= self.shared.most {
            self.shared.ready.notify_one();
            return;
        }
        queue.threads += 1;
        drop(queue);
        let shared = self.shared.clone();
        let started = std::thread::Builder::new().name(shared.name.to_owned()).spawn(move || work(&shared));
        if let Err(error) = started {
            tracing::error!(%error, "no thread for kernel work");
            let mut queue = self.shared.queue();
            queue.threads -= 1;
            if queue.threads == 0 {
                // Nobody would ever take them; dropping a job tells who waits for it.
                queue.jobs.clear();
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.ready.notify_all();
    }
}

fn work(shared: &Shared) {
    match Worker::new(shared.home.clone()) {
        Ok(mut worker) => {
            while let Some(job) = next(shared) {
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
    queue.threads -= 1;
    if queue.threads == 0 && !queue.closed && !queue.jobs.is_empty() {
        // The last thread ends with work left over: whoever waits is told, and the next job starts a new thread.
        queue.jobs.clear();
    }
}

fn next(shared: &Shared) -> Option<Job> {
    let mut queue = shared.queue();
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            return Some(job);
        }
        if queue.closed {
            return None;
        }
        queue.idle += 1;
        let mut timed_out = false;
        queue = match shared.linger {
            None => shared.ready.wait(queue).unwrap_or_else(PoisonError::into_inner),
            Some(linger) => {
                let (queue, timeout) = shared.ready.wait_timeout(queue, linger).unwrap_or_else(PoisonError::into_inner);
                timed_out = timeout.timed_out();
                queue
            }
        };
        queue.idle -= 1;
        if timed_out && queue.jobs.is_empty() {
            return None;
        }
    }
}
