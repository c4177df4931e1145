//! The program of each rival.

use crate::fixture::{
    Credentials, Echo, ask_for_control, count, datagram_pair, files, look_at, messages, messages_of_a_datagram,
    owned_files,
};
use crate::{Arriving, BATCH, Engine, Keep, Look, Pass};
use std::hint::black_box;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::time::Instant;

const USAGE: &str = "(check | time | stack) OPERATION NUMBER TURNS";

/// `OPERATION` is a field of [`Engine`], `NUMBER` of how many messages. Prints what `compare` asks for: with `check` what
/// the operation has resulted in, with `time` how many nanoseconds the turns took, with `stack` how many bytes of stack.
///
/// An operation that the rival does not have prints nothing.
#[inline(always)]
pub fn run(engine: &Engine) {
    if cfg!(feature = "one-descriptor") {
        pass_one_descriptor(engine);
    } else {
        measure(engine).expect("the machine has what is asked for");
    }
}

/// All that the program for the size does.
#[inline(always)]
fn pass_one_descriptor(engine: &Engine) {
    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    let files = files().expect("a file");
    let passed = engine.pass_one.map(|pass| pass(&here, &there, &files));
    println!("{passed:?}");
}

fn measure(engine: &Engine) -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, operation, number, turns] = &arguments[..] else { panic!("{USAGE}") };
    let (Ok(number), Ok(turns)) = (number.parse(), turns.parse()) else { panic!("{USAGE}") };
    let checks = what == "check";
    let Some(mut repeat) = prepare(engine, operation, number, checks)? else { return Ok(()) };
    match what.as_str() {
        "check" => {
            repeat(1);
            let before = open_descriptors()?;
            println!("{}", repeat(turns));
            assert_eq!(open_descriptors()?, before, "what arrives is closed");
        }
        "time" => {
            repeat(1);
            let start = Instant::now();
            repeat(turns);
            println!("{}", start.elapsed().as_nanos());
        }
        "stack" => println!("{}", stack_of(|| assert_ne!(repeat(turns), 0))),
        _ => panic!("{USAGE}"),
    }
    Ok(())
}

fn open_descriptors() -> io::Result<usize> {
    std::fs::read_dir("/proc/self/fd").map(Iterator::count)
}

/// Does an operation so many times, and gives the last result.
type Repeat = Box<dyn FnMut(usize) -> u64>;

/// `None` if the rival does not have the operation. If it `checks`, it looks at what arrives more closely than is counted.
fn prepare(engine: &Engine, operation: &str, number: usize, checks: bool) -> io::Result<Option<Repeat>> {
    Ok(match operation {
        "nothing" => Some(Box::new(|turns| turns as u64)),
        "read" => engine.read.map(|read| {
            let mut bytes = messages(number);
            repeat(move || black_box(read)(black_box(&mut bytes)))
        }),
        "write" => match engine.write {
            Some(write) => {
                let files = files()?;
                let mut bytes = vec![MaybeUninit::new(0xFF); messages(number).len()];
                Some(Box::new(move |turns| {
                    let mut len = 0;
                    for _ in 0..turns {
                        len = black_box(write)(black_box(&mut bytes), &files, &Credentials::SOME, number);
                    }
                    // SAFETY: it was initialised from the start, and nobody makes it uninitialised.
                    assert!(unsafe { bytes[..len].assume_init_ref() } == messages(number));
                    len as u64
                }))
            }
            None => None,
        },
        "pass" if number == 1 => match engine.pass_one {
            Some(pass) => Some(passing(pass)?),
            None => None,
        },
        "pass" => match engine.pass_253 {
            Some(pass) => Some(passing(pass)?),
            None => None,
        },
        "keep" => match engine.keep_253 {
            Some(keep) => Some(keeping(keep, Box::new(files()?), checks)?),
            None => None,
        },
        "forward" => match engine.forward_28 {
            Some(keep) => Some(keeping(keep, owned_files(number)?.into_boxed_slice(), checks)?),
            None => None,
        },
        "match" => engine.match_kinds.map(|read| {
            let mut bytes = messages_of_a_datagram();
            repeat(move || black_box(read)(black_box(&mut bytes)))
        }),
        "batch_of_one" => match engine.batch_of_one {
            Some(batch) => {
                let (here, there) = datagram_pair()?;
                Some(Box::new(move |turns| batch(&here, &there, turns)))
            }
            None => None,
        },
        "udp" => match engine.udp {
            Some(receive) => {
                let mut arriving = Arriving::new(number, checks)?;
                Some(Box::new(move |turns| {
                    arriving.start(turns);
                    receive(&mut arriving);
                    arriving.digest()
                }))
            }
            None => None,
        },
        "batch" => match engine.batch {
            Some(batch) => {
                let (here, there) = datagram_pair()?;
                Some(Box::new(move |turns| batch(&here, &there, turns)))
            }
            None => None,
        },
        "batch_with_control" => match engine.batch_with_control {
            Some(batch) => {
                let (here, there) = datagram_pair()?;
                ask_for_control(&there);
                Some(Box::new(move |turns| batch(&here, &there, turns)))
            }
            None => None,
        },
        "echo" => engine.echo.map(|serve| -> Repeat {
            Box::new(move |turns| {
                serve(&mut Echo::new(turns).expect("sockets"));
                (turns * BATCH) as u64
            })
        }),
        _ => panic!("{USAGE}"),
    })
}

fn repeat(mut once: impl FnMut() -> u64 + 'static) -> Repeat {
    Box::new(move |turns| (0..turns).map(|_| once()).last().unwrap_or(0))
}

fn passing<const COUNT: usize>(pass: Pass<COUNT>) -> io::Result<Repeat> {
    let (here, there) = UnixStream::pair()?;
    let files = files()?;
    Ok(repeat(move || black_box(pass)(&here, &there, black_box(&files)) as u64))
}

fn keeping<T: ?Sized + 'static>(keep: Keep<T>, files: Box<T>, checks: bool) -> io::Result<Repeat> {
    let (here, there) = UnixStream::pair()?;
    let look: Look = if checks { look_at } else { count };
    Ok(repeat(move || black_box(keep)(&here, &there, black_box(&*files), black_box(look)) as u64))
}

/// How many bytes of a new stack have been written to.
fn stack_of(work: impl FnOnce()) -> usize {
    const UNTOUCHED: u8 = 0xA5;
    let mut stack = vec![UNTOUCHED; 1 << 20];
    let start = stack.as_mut_ptr().align_offset(4096);
    let room = &mut stack[start..];
    let len = room.len() & !4095;
    // SAFETY: the stack is this memory, aligned, exclusively borrowed, and larger than any operation needs; a panic ends
    // the process.
    unsafe { psm::on_stack(room.as_mut_ptr(), len, work) };
    len - room[..len].iter().position(|byte| *byte != UNTOUCHED).unwrap_or(len)
}
