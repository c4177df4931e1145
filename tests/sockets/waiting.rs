//! Calls that wait, and what ends that: another thread, which looks at the one that waits, or signals.

use crate::harness::{not_watched_by, the_kernel_itself};
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
    extern "C" fn nothing(_: i32) {}

    // SAFETY: zero is a value of every field: no flags (without SA_RESTART, a call does return), no signal blocked.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the same.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
    // SAFETY: the handler does nothing.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, &raw mut before) }, 0);
    let act = |waiting: &Waiting| {
        let acted = first(waiting);
        while !waiting.has_returned() {
            let pthread = waiting.pthread.load(SeqCst);
            if pthread != 0 {
                // SAFETY: that thread has begun, and is joined only after this.
                unsafe { libc::pthread_kill(pthread as libc::pthread_t, libc::SIGUSR1) };
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        acted
    };
    let result = meanwhile(act, run);
    // SAFETY: it was the action before.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const before, std::ptr::null_mut()) }, 0);
    result
}
