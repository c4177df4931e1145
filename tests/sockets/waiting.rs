//! Calls that wait, and what ends that: another thread, which looks at the one that waits, or signals.

use crate::harness::{not_watched_by, the_kernel_itself};
use crate::support::wait_until;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// A thread that is about to wait in a call, waits, or has returned from it, as another thread sees it.
pub struct Waiting {
    /// The system's number of the thread while it is in the call.
    number: AtomicI32,
    /// The C library's name for it, once it has begun.
    pthread: AtomicUsize,
}

impl Waiting {
    const NOT_YET: i32 = 0;
    const NO_MORE: i32 = -1;

    pub fn has_returned(&self) -> bool {
        self.number.load(SeqCst) == Self::NO_MORE
    }

    /// Returns once the thread sleeps, which it does in the call alone, or has returned. Whether it sleeps.
    pub fn until_asleep(&self) -> bool {
        loop {
            match self.number.load(SeqCst) {
                Self::NOT_YET => {}
                Self::NO_MORE => return false,
                number if is_asleep(number) => return !self.has_returned(),
                _ => {}
            }
            std::thread::yield_now();
        }
    }

    /// Sends the thread a signal, if it has begun. (It is joined only after this.)
    fn send_signal(&self) {
        let pthread = self.pthread.load(SeqCst);
        if pthread != 0 {
            // SAFETY: that thread has begun, and was not joined yet.
            unsafe { libc::pthread_kill(pthread as libc::pthread_t, libc::SIGUSR1) };
        }
    }

    /// Runs the call, on this thread.
    fn run<T>(&self, run: impl FnOnce() -> T) -> T {
        struct SetAtEnd<'a>(&'a AtomicI32);

        impl Drop for SetAtEnd<'_> {
            fn drop(&mut self) {
                self.0.store(Waiting::NO_MORE, SeqCst);
            }
        }

        let _end = SetAtEnd(&self.number);
        // SAFETY: asking is harmless.
        let number = unsafe {
            self.pthread.store(libc::pthread_self() as usize, SeqCst);
            libc::syscall(libc::SYS_gettid)
        };
        self.number.store(number as i32, SeqCst);
        run()
    }
}

/// Whether a thread of the tests sleeps nowhere but in the calls that it makes.
pub fn threads_that_sleep_in_calls_alone() -> Result<(), String> {
    the_kernel_itself("a thread can sleep in the emulator")?;
    not_watched_by(&["memcheck", "thread"], "has threads sleep in between, for its own reasons")
}

fn is_asleep(number: i32) -> bool {
    let Ok(facts) = std::fs::read_to_string(format!("/proc/self/task/{number}/stat")) else {
        return false; // it has ended since
    };
    // What stands in brackets before it is a name, which may be anything.
    facts.rsplit_once(')').unwrap().1.trim_start().starts_with('S')
}

/// Runs something that waits, and on another thread what is to happen meanwhile: what both have given.
///
/// It waits on a thread of its own. On one that has had a ring of io_uring, the system does what is left to do for that
/// whenever it comes to it: a wait is interrupted then as by a signal, and a batch ends.
pub fn meanwhile<T: Send, A>(act: impl FnOnce(&Waiting) -> A, run: impl FnOnce() -> T + Send) -> (T, A) {
    let waiting = Waiting { number: AtomicI32::new(Waiting::NOT_YET), pthread: AtomicUsize::new(0) };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| waiting.run(run));
        let acted = act(&waiting);
        (running.join().unwrap(), acted)
    })
}

/// Runs something that waits for ever, and sends its thread one signal after the other until it has returned.
pub fn interrupted<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    interrupted_after(|_| (), run).0
}

/// The same, but the first signal comes only after something else.
pub fn interrupted_after<T: Send, A>(first: impl FnOnce(&Waiting) -> A, run: impl FnOnce() -> T + Send) -> (T, A) {
    let act = |waiting: &Waiting| {
        let acted = first(waiting);
        while !waiting.has_returned() {
            waiting.send_signal();
            std::thread::sleep(Duration::from_millis(1));
        }
        acted
    };
    with_a_handler(|| meanwhile(act, run))
}

/// Runs something that waits, and sends its thread so many signals, each once it sleeps in a call. Then comes something else.
///
/// The second result is whether it was asleep before each of these.
pub fn interrupted_times<T: Send>(count: usize, then: impl FnOnce(), run: impl FnOnce() -> T + Send) -> (T, bool) {
    let act = |waiting: &Waiting| {
        let mut is_asleep = waiting.until_asleep();
        for _ in 0..count {
            let before = HANDLED.load(SeqCst);
            if is_asleep {
                waiting.send_signal();
                wait_until("the signal is handled", || HANDLED.load(SeqCst) > before);
                is_asleep = waiting.until_asleep();
            }
        }
        then();
        is_asleep
    };
    with_a_handler(|| meanwhile(act, run))
}

/// How many signals have been handled.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// With a handler of the signal that ends a call.
fn with_a_handler<T>(run: impl FnOnce() -> T) -> T {
    extern "C" fn count(_: i32) {
        HANDLED.fetch_add(1, SeqCst);
    }

    // SAFETY: zero is a value of every field: no flags (without SA_RESTART, a call does return), no signal blocked.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the same.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(i32) as usize;
    // SAFETY: the handler does what a handler may do.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, &raw mut before) }, 0);
    let result = run();
    // SAFETY: it was the action before.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const before, std::ptr::null_mut()) }, 0);
    result
}
