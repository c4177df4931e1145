//! How a kernel copies control messages out to a program: into a room, by rules.

use super::abi::{self, Image};
use super::message::{Item, Payload, Slot};
use super::table::Table;
use crate::rules::{FullTable, Peek, Rules, TooLong};
use libc::c_int;

/// What a call has written as control messages.
#[derive(Clone, Debug, Default)]
pub struct CopiedOut {
    pub image: Image,
    /// What `msg_controllen` says.
    pub len: usize,
    /// Whether `MSG_CTRUNC` is set.
    pub truncated: bool,
    pub messages: Vec<Written>,
    /// Descriptors that were installed, and are not in the buffer.
    pub unreported: Vec<c_int>,
}

/// A control message as it was written.
#[derive(Clone, Debug)]
pub struct Written {
    pub offset: usize,
    /// What `cmsg_len` says.
    pub claimed: usize,
    pub kind: (c_int, c_int),
    /// The bytes of the payload that are in the room.
    pub payload: Vec<u8>,
    /// Whether the numbers in it are descriptors of the program.
    pub has_descriptors: bool,
}

/// What a payload is at the moment it is copied.
struct Copy {
    payload: Vec<u8>,
    numbers: Vec<c_int>,
    has_descriptors: bool,
}

/// Copies messages into so much room.
///
/// # Errors
///
/// The number of the error. Nothing is installed then.
pub fn copy_out(
    rules: &Rules,
    items: &[Item],
    room: usize,
    close_on_exec: bool,
    peeks: bool,
    table: &mut Table,
) -> Result<CopiedOut, c_int> {
    let mut out = CopiedOut::default();
    let copied = copy_all(rules, items, room, close_on_exec, peeks, table, &mut out);
    if let Err(error) = copied {
        let installed = out.messages.iter().filter(|message| message.has_descriptors);
        let reported = installed.flat_map(|message| numbers_in(&message.payload)).filter(|number| *number >= 0);
        for number in reported.chain(out.unreported) {
            table.uninstall(number);
        }
        return Err(error);
    }
    Ok(out)
}

fn copy_all(
    rules: &Rules,
    items: &[Item],
    room: usize,
    close_on_exec: bool,
    peeks: bool,
    table: &mut Table,
    out: &mut CopiedOut,
) -> Result<(), c_int> {
    if room == 0 {
        out.truncated = rules.no_room_is_reported && !items.is_empty();
        return Ok(());
    }
    for (index, item) in items.iter().enumerate() {
        let follows = index + 1 < items.len();
        let left = room.saturating_sub(out.len);
        if left == 0 {
            out.truncated |= rules.exact_end_is_reported;
            break;
        }
        let shown = what_is_shown(rules, item, peeks);
        let (len, space) = (abi::len(shown.len()), abi::space(shown.len()));
        let fits = left >= if rules.padding_has_to_fit { space } else { len };
        let too_long = if item.kind == abi::RIGHTS && !fits { rules.long_rights } else { rules.long_others };
        out.truncated |= !fits;
        match too_long {
            _ if fits => {}
            TooLong::Fails => return Err(libc::EMSGSIZE),
            TooLong::Dropped => break,
            TooLong::Lowered if left < abi::header() => continue,
            TooLong::Lowered | TooLong::FullLength => {}
        }
        let lowered = !fits && too_long == TooLong::Lowered;
        let most = if lowered { left - abi::header() } else { usize::MAX };
        let copy = match shown {
            Shown::Slots(slots) => install(rules, slots, most / size_of::<c_int>(), close_on_exec, table, out)?,
            Shown::Bytes(payload) => {
                let payload = payload[..payload.len().min(most)].to_vec();
                Copy { payload, numbers: Vec::new(), has_descriptors: false }
            }
        };
        if item.has_descriptors() && copy.payload.is_empty() && !rules.empty_rights_arrive {
            continue;
        }
        write(rules, item.kind, copy, left, follows, out);
    }
    Ok(())
}

/// Appends one message, cut where the room ends.
fn write(rules: &Rules, kind: (c_int, c_int), copy: Copy, left: usize, follows: bool, out: &mut CopiedOut) {
    let offset = out.len;
    let Copy { mut payload, numbers, has_descriptors } = copy;
    let (len, space) = (abi::len(payload.len()), abi::space(payload.len()));
    let mut image = abi::image(len, kind, &payload);
    image.truncate(left);
    out.image.resize(offset, None);
    out.image.extend(image);
    payload.truncate(left.saturating_sub(abi::header()));
    // Those whose slots are not in the room as a whole.
    out.unreported.extend(numbers.into_iter().skip(payload.len() / size_of::<c_int>()).filter(|number| *number >= 0));
    out.messages.push(Written { offset, claimed: len, kind, payload, has_descriptors });
    out.len += match () {
        () if left < len && follows && rules.cut_is_rounded_up => abi::aligned(left),
        () if !follows && !rules.last_padding_counts => len.min(left),
        () => space.min(left),
    };
}

enum Shown<'i> {
    Slots(&'i [Slot]),
    Bytes(Vec<u8>),
}

impl Shown<'_> {
    fn len(&self) -> usize {
        match self {
            Shown::Slots(slots) => slots.len() * size_of::<c_int>(),
            Shown::Bytes(bytes) => bytes.len(),
        }
    }
}

/// What a call shows of a message: to a peek, perhaps something else.
fn what_is_shown<'i>(rules: &Rules, item: &'i Item, peeks: bool) -> Shown<'i> {
    match (&item.payload, peeks, rules.peek) {
        (Payload::Bytes(bytes), ..) => Shown::Bytes(bytes.clone()),
        (Payload::Slots(slots), false, _) | (Payload::Slots(slots), true, Peek::Duplicates) => Shown::Slots(slots),
        (Payload::Slots(slots), true, Peek::Zeros) => Shown::Bytes(vec![0; slots.len() * size_of::<c_int>()]),
        (Payload::Slots(slots), true, Peek::Records(size)) => {
            // Pointers: as numbers of descriptors, half of them are negative and half are not.
            let record = [0x40, 0x1f, 0x2e, 0x0c, 0x81, 0xff, 0xff, 0xff].repeat(2);
            Shown::Bytes(record[..size].repeat(slots.len()))
        }
    }
}

/// Puts descriptors into the program's table, at most so many.
fn install(
    rules: &Rules,
    slots: &[Slot],
    most: usize,
    close_on_exec: bool,
    table: &mut Table,
    out: &mut CopiedOut,
) -> Result<Copy, c_int> {
    let mut numbers = Vec::new();
    for slot in slots.iter().take(most) {
        let number = match slot {
            Slot::Error(number) => Some(*number),
            Slot::File(in_flight) => table.install(in_flight, close_on_exec),
        };
        match (number, rules.full_table) {
            (Some(number), _) => numbers.push(number),
            (None, FullTable::Part) => {
                out.truncated = true;
                break;
            }
            (None, FullTable::Fails) => {
                out.unreported.extend(numbers.into_iter().filter(|number| *number >= 0));
                return Err(libc::EMSGSIZE);
            }
        }
    }
    let payload = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    Ok(Copy { payload, numbers, has_descriptors: true })
}

/// The numbers in the whole slots of a payload.
pub fn numbers_in(payload: &[u8]) -> impl Iterator<Item = c_int> {
    payload.chunks_exact(size_of::<c_int>()).map(|slot| c_int::from_ne_bytes(slot.try_into().unwrap()))
}
