//! The table.

use crate::Function;
use ancillary::control::{ControlSliceMut, StopReason, TranslateError};
use ancillary::layout::{LayoutChoice, LengthWidth, Native};
use ancillary::message::{
    DecodeError, DecodeMessage, DescriptorError, EncodeMessage, IpPktinfo, IpTos, Ipv6Pktinfo, Ipv6Tclass, LendFd,
    ScmCredentials, ScmPidfd, ScmRights, ScmRightsNumbers, ScmSecurity, Segments, UdpGro, UdpSegment, payload_array,
};
use ancillary::received::{
    DescriptorSlots, Descriptors, Messages, RawMessages, ReceivedBatch, ReceivedControl, ReceivedWithData,
    TakeDescriptors, TakeMessages,
};
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use ancillary::rustix::net::{RecvFlags, SocketAddrAny};
use ancillary::socket::{
    MsgHdr, MultishotMsgHdr, RecvMsgHdr, RecvOptions, RecvRoom, RecvSlot, RecvmsgOut, RecvmsgOutError, SendMsgHdr,
    SendSlot, recvmsg_raw, sendmsg_raw, set_delivery,
};
use ancillary::socket::{sendmmsg, sendmsg, sendmsg_addr};
use ancillary::{
    ControlBuffer, ControlError, ControlMessage, ControlMessages, ControlWriter, Incomplete, Layout, Message,
    PushError, Received,
};
use core::error::Error;
use core::fmt::{Debug, Display};
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::ptr::drop_in_place;

type Bytes = &'static [u8];
type BytesMut = &'static mut [u8];

macro_rules! linked {
    ($name:ident: $($function:expr),* $(,)?) => {
        // SAFETY: nothing else has this name.
        #[unsafe(no_mangle)]
        pub static $name: [Function; [$(stringify!($function)),*].len()] = [$(Function($function as *const ())),*];
    };
}

linked! { LINKED_LAYOUT:
    Layout::from_parts as fn(_) -> _,
    Layout::parts as fn(_) -> _,
    Layout::with_byte_order as fn(_, _) -> _,
    Layout::header_size as fn(_) -> _,
    Layout::header_align as fn(_) -> _,
    Layout::data_offset as fn(_) -> _,
    Layout::align as fn(_, _) -> _,
    Layout::len as fn(_, _) -> _,
    Layout::space as fn(_, _) -> _,
    Layout::first_header as fn(_, _) -> _,
    Layout::next_header as fn(_, _, _, _) -> _,
    Layout::space_of_all as fn(_, _) -> _,
    Layout::len_of_all as fn(_, _) -> _,
    Layout::read_header as fn(_, _) -> _,
    Layout::write_header as fn(_, _, _) -> _,
    Layout::layout as fn(_) -> _,
    Native::layout as fn(_) -> _,
    LengthWidth::bytes as fn(_) -> _,
}

// Reading, for the target's own layout and for one that is chosen when the program runs.
linked! { LINKED_CONTROL:
    ControlMessages::<Native>::new as fn(_) -> _,
    ControlMessages::<Native>::with_layout as fn(_, _) -> _,
    ControlMessages::<Native>::offset as fn(_) -> _,
    ControlMessages::<Native>::remainder as fn(_) -> _,
    ControlMessages::<Native>::stop_reason as fn(_) -> _,
    ControlMessages::<Native>::truncated_message as fn(_) -> _,
    ControlMessages::<Native>::next as fn(_) -> _,
    ControlMessages::<Native>::size_hint as fn(_) -> _,
    <ControlMessages<Native> as Debug>::fmt as fn(_, _) -> _,
    <ControlMessages<Native> as Display>::fmt as fn(_, _) -> _,
    ControlMessages::<Layout>::with_layout as fn(_, _) -> _,
    ControlMessages::<Layout>::stop_reason as fn(_) -> _,
    ControlMessages::<Layout>::truncated_message as fn(_) -> _,
    ControlMessages::<Layout>::next as fn(_) -> _,
    ControlMessages::<Layout>::size_hint as fn(_) -> _,
    <ControlMessages<Layout> as Display>::fmt as fn(_, _) -> _,
}

linked! { LINKED_MESSAGES:
    ControlMessage::new as fn(_, _, _) -> _,
    ControlMessage::level as fn(_) -> _,
    ControlMessage::message_type as fn(_) -> _,
    ControlMessage::payload as fn(_) -> _,
    ControlMessage::is::<ScmCredentials> as fn(_) -> _,
    ControlMessage::decode::<ScmCredentials> as fn(_) -> _,
    ControlError::offset as fn(_) -> _,
    ControlError::claimed as fn(_) -> _,
    ControlError::remaining as fn(_) -> _,
    <ControlError as Display>::fmt as fn(_, _) -> _,
    <PushError as Display>::fmt as fn(_, _) -> _,
    <TranslateError as Display>::fmt as fn(_, _) -> _,
    <TranslateError as Error>::source as fn(_) -> _,
    <StopReason as Debug>::fmt as fn(_, _) -> _,
    payload_array::<0> as fn(_) -> _,
    payload_array::<20> as fn(_) -> _,
    <DecodeError as Display>::fmt as fn(_, _) -> _,
    IpPktinfo::decode as fn(_) -> _,
    IpPktinfo::push_to as fn(_, _) -> _,
    IpPktinfo::from_source as fn(_) -> _,
    IpTos::decode as fn(_) -> _,
    IpTos::push_to as fn(_, _) -> _,
    IpTos::ecn as fn(_) -> _,
    Ipv6Pktinfo::decode as fn(_) -> _,
    Ipv6Pktinfo::push_to as fn(_, _) -> _,
    Ipv6Pktinfo::from_source as fn(_) -> _,
    Ipv6Tclass::decode as fn(_) -> _,
    Ipv6Tclass::push_to as fn(_, _) -> _,
    Ipv6Tclass::ecn as fn(_) -> _,
    DescriptorError::errno as fn(_) -> _,
    <DescriptorError as Display>::fmt as fn(_, _) -> _,
    ScmCredentials::decode as fn(_) -> _,
    ScmCredentials::push_to as fn(_, _) -> _,
    ScmCredentials::of_this_process as fn() -> _,
    ScmPidfd::decode as fn(_) -> _,
    <BorrowedFd<'_> as LendFd>::lend_fd as fn(_) -> _,
    <&BorrowedFd<'_> as LendFd>::lend_fd as fn(_) -> _,
    ScmRights::<Files>::push_to as fn(_, _) -> _,
    ScmRights::<[BorrowedFd<'static>; 2]>::push_to as fn(_, _) -> _,
    ScmRights::<Descriptors<'static, BorrowedFd<'static>>>::push_to as fn(_, _) -> _,
    <Option<ScmCredentials> as EncodeMessage>::push_to as fn(_, _) -> _,
    <One as EncodeMessage>::push_to as fn(_, _) -> _,
    <Two as EncodeMessage>::push_to as fn(_, _) -> _,
    <Three as EncodeMessage>::push_to as fn(_, _) -> _,
    <Four as EncodeMessage>::push_to as fn(_, _) -> _,
    <Five as EncodeMessage>::push_to as fn(_, _) -> _,
    <Six as EncodeMessage>::push_to as fn(_, _) -> _,
    <Seven as EncodeMessage>::push_to as fn(_, _) -> _,
    <Eight as EncodeMessage>::push_to as fn(_, _) -> _,
    ScmRightsNumbers::decode as fn(_) -> _,
    ScmRightsNumbers::remainder as fn(_) -> _,
    ScmRightsNumbers::next as fn(_) -> _,
    ScmRightsNumbers::size_hint as fn(_) -> _,
    ScmSecurity::decode as fn(_) -> _,
    ScmSecurity::label as fn(_) -> _,
    ScmSecurity::payload as fn(_) -> _,
    UdpGro::decode as fn(_) -> _,
    UdpSegment::try_from as fn(UdpGro) -> _,
    segments as fn(_, _, _) -> _,
    Segments::partial as fn(_) -> _,
    Segments::next as fn(_) -> _,
    Segments::size_hint as fn(_) -> _,
    UdpSegment::decode as fn(_) -> _,
    UdpSegment::push_to as fn(_, _) -> _,
}

/// Walks the iterator that `UdpGro::segments` gives.
fn segments(gro: UdpGro, data: Bytes, data_truncated: bool) -> usize {
    UdpGro::segments(gro, data, data_truncated).map(<[u8]>::len).max().unwrap_or_default()
}

/// Descriptors to lend. (rustix's `OwnedFd`, without `std`, asserts when it lends that it is not −1.)
type Files = &'static [BorrowedFd<'static>];

type One = (ScmCredentials,);
type Two = (ScmCredentials, Option<UdpSegment>);
type Three = (IpTos, IpTos, IpTos);
type Four = (IpTos, IpTos, IpTos, IpTos);
type Five = (IpTos, IpTos, IpTos, IpTos, IpTos);
type Six = (IpTos, IpTos, IpTos, IpTos, IpTos, IpTos);
type Seven = (IpTos, IpTos, IpTos, IpTos, IpTos, IpTos, IpTos);
type Eight = (IpTos, IpTos, IpTos, IpTos, IpTos, IpTos, IpTos, ScmRights<Files>);

// `ControlWriter::push` takes an `impl Trait`, which cannot be named.
fn push_descriptors(control: &mut ControlWriter<'static>, files: Files) -> Result<(), PushError> {
    ControlWriter::push(control, ScmRights(files))
}

fn push_unexpected(control: &mut ControlWriter<'static>, files: Files) -> Result<(), PushError> {
    ControlWriter::push(control, ScmRights(files.iter().copied().filter(|file| file.as_raw_fd() != 1)))
}

fn push_several(control: &mut ControlWriter<'static>, all: (ScmCredentials, Option<IpTos>)) -> Result<(), PushError> {
    ControlWriter::push(control, all)
}

linked! { LINKED_WRITER:
    ControlSliceMut::none as fn() -> _,
    ControlSliceMut::len as fn(_) -> _,
    ControlSliceMut::is_empty as fn(_) -> _,
    ControlSliceMut::from as fn(BytesMut) -> _,
    ControlSliceMut::from as fn(&'static mut [MaybeUninit<u8>]) -> _,
    ControlSliceMut::from as fn(&'static mut [u8; 64]) -> _,
    ControlSliceMut::from as fn(&'static mut [MaybeUninit<u8>; 64]) -> _,
    ControlSliceMut::from as fn(&'static mut ControlBuffer<64>) -> _,
    <ControlSliceMut<'_> as Debug>::fmt as fn(_, _) -> _,
    ControlBuffer::<64>::new as fn() -> _,
    <ControlBuffer<64> as Default>::default as fn() -> _,
    ControlBuffer::<64>::writer as fn(_) -> _,
    ControlBuffer::<64>::len as fn(_) -> _,
    ControlBuffer::<64>::is_empty as fn(_) -> _,
    <ControlBuffer<64> as Debug>::fmt as fn(_, _) -> _,
    ControlWriter::new as fn(BytesMut) -> _,
    ControlWriter::new as fn(&'static mut ControlBuffer<64>) -> _,
    ControlWriter::empty as fn() -> _,
    push_descriptors as fn(_, _) -> _,
    push_unexpected as fn(_, _) -> _,
    push_several as fn(_, _) -> _,
    ControlWriter::<Native>::with_layout as fn(_, BytesMut) -> _,
    ControlWriter::<Native>::resume as fn(_, _, _) -> _,
    ControlWriter::<Native>::capacity as fn(_) -> _,
    ControlWriter::<Native>::push_raw as fn(_, _, _, _) -> _,
    ControlWriter::<Native>::reserve as fn(_, _, _, _) -> _,
    ControlWriter::<Native>::push_all::<Native> as fn(_, _) -> _,
    ControlWriter::<Native>::push_all::<Layout> as fn(_, _) -> _,
    ControlWriter::<Native>::used as fn(_) -> _,
    ControlWriter::<Native>::is_empty as fn(_) -> _,
    ControlWriter::<Native>::available as fn(_) -> _,
    ControlWriter::<Native>::clear as fn(_),
    ControlWriter::<Native>::as_bytes as fn(_) -> _,
    <ControlWriter<'_, Native> as Debug>::fmt as fn(_, _) -> _,
    ControlWriter::<Layout>::with_layout as fn(_, BytesMut) -> _,
    ControlWriter::<Layout>::resume as fn(_, _, _) -> _,
    ControlWriter::<Layout>::capacity as fn(_) -> _,
    ControlWriter::<Layout>::push_raw as fn(_, _, _, _) -> _,
    ControlWriter::<Layout>::reserve as fn(_, _, _, _) -> _,
    ControlWriter::<Layout>::push_all::<Native> as fn(_, _) -> _,
    ControlWriter::<Layout>::push_all::<Layout> as fn(_, _) -> _,
    ControlWriter::<Layout>::as_bytes as fn(_) -> _,
}

linked! { LINKED_RECEIVED:
    Received::from_raw_parts as unsafe fn(_, _, _, BytesMut) -> _,
    Received::bytes as fn(_) -> _,
    Received::filled as fn(_, _) -> _,
    Received::flags as fn(_) -> _,
    Received::address as fn(_) -> _,
    Received::control_capacity as fn(_) -> _,
    Received::incomplete as fn(_) -> _,
    Received::data_truncated as fn(_) -> _,
    Received::control_truncated as fn(_) -> _,
    Received::complete as fn(_) -> _,
    Received::into_messages as fn(_) -> _,
    Received::deref as fn(_) -> _,
    Received::deref_mut as fn(_) -> _,
    drop_in_place::<Received<'_>> as unsafe fn(_),
    <Received<'_> as Debug>::fmt as fn(_, _) -> _,
    <Incomplete as Display>::fmt as fn(_, _) -> _,
    ReceivedControl::control_len as fn(_) -> _,
    ReceivedControl::control_bytes as fn(_) -> _,
    ReceivedControl::messages as fn(_) -> _,
    ReceivedControl::raw_messages as fn(_) -> _,
    ReceivedControl::find::<ScmCredentials> as fn(_) -> _,
    ReceivedControl::find::<UdpGro> as fn(_) -> _,
    ReceivedControl::take_messages as fn(_) -> _,
    ReceivedControl::take_descriptors as fn(_) -> _,
    drop_in_place::<ReceivedControl<'_>> as unsafe fn(_),
    <ReceivedControl<'_> as Debug>::fmt as fn(_, _) -> _,
    Messages::next as fn(_) -> _,
    Messages::truncated_message as fn(_) -> _,
    <Messages<'_> as Debug>::fmt as fn(_, _) -> _,
    RawMessages::next as fn(_) -> _,
    RawMessages::truncated_message as fn(_) -> _,
    <RawMessages<'_> as Debug>::fmt as fn(_, _) -> _,
    TakeMessages::next as fn(_) -> _,
    TakeMessages::truncated_message as fn(_) -> _,
    drop_in_place::<TakeMessages<'_>> as unsafe fn(_),
    <TakeMessages<'_> as Debug>::fmt as fn(_, _) -> _,
    drop_in_place::<Message<'_>> as unsafe fn(_),
    drop_in_place::<Message<'_, BorrowedFd<'_>>> as unsafe fn(_),
    <Message<'_> as Debug>::fmt as fn(_, _) -> _,
    <Message<'_, BorrowedFd<'_>> as Debug>::fmt as fn(_, _) -> _,
    fold_descriptors as fn(_) -> _,
    fold_slots as fn(_) -> _,
    fold_all_descriptors as fn(_) -> _,
    Descriptors::<OwnedFd>::remainder as fn(_) -> _,
    Descriptors::<OwnedFd>::next as fn(_) -> _,
    Descriptors::<OwnedFd>::size_hint as fn(_) -> _,
    Descriptors::<BorrowedFd<'_>>::next as fn(_) -> _,
    Descriptors::<BorrowedFd<'_>>::size_hint as fn(_) -> _,
    drop_in_place::<Descriptors<'_>> as unsafe fn(_),
    <Descriptors<'_> as Debug>::fmt as fn(_, _) -> _,
    DescriptorSlots::<OwnedFd>::remainder as fn(_) -> _,
    DescriptorSlots::<OwnedFd>::next as fn(_) -> _,
    DescriptorSlots::<OwnedFd>::size_hint as fn(_) -> _,
    DescriptorSlots::<BorrowedFd<'_>>::next as fn(_) -> _,
    DescriptorSlots::<BorrowedFd<'_>>::size_hint as fn(_) -> _,
    drop_in_place::<DescriptorSlots<'_>> as unsafe fn(_),
    <DescriptorSlots<'_> as Debug>::fmt as fn(_, _) -> _,
    TakeDescriptors::next as fn(_) -> _,
    TakeDescriptors::size_hint as fn(_) -> _,
    drop_in_place::<TakeDescriptors<'_>> as unsafe fn(_),
    <TakeDescriptors<'_> as Debug>::fmt as fn(_, _) -> _,
    ReceivedBatch::error as fn(_) -> _,
    ReceivedBatch::next as fn(_) -> _,
    ReceivedBatch::size_hint as fn(_) -> _,
    drop_in_place::<ReceivedBatch<'_>> as unsafe fn(_),
    <ReceivedBatch<'_> as Debug>::fmt as fn(_, _) -> _,
    slices as fn(_) -> _,
    ReceivedWithData::data as fn(_) -> _,
    ReceivedWithData::data_mut as fn(_) -> _,
    ReceivedWithData::complete as fn(_) -> _,
    ReceivedWithData::into_messages as fn(_) -> _,
    ReceivedWithData::into_parts as fn(_) -> _,
    ReceivedWithData::deref as fn(_) -> _,
    ReceivedWithData::deref_mut as fn(_) -> _,
    drop_in_place::<ReceivedWithData<'_>> as unsafe fn(_),
    <ReceivedWithData<'_> as Debug>::fmt as fn(_, _) -> _,
    MultishotMsgHdr::received as unsafe fn(_, _) -> _,
    RecvMsgHdr::into_received as unsafe fn(_, _, _) -> _,
    RecvMsgHdr::received as unsafe fn(_, _, _) -> _,
    drop_in_place::<OwnedFd> as unsafe fn(_),
}

/// Takes and closes what is left.
fn fold_descriptors(descriptors: Descriptors<'_>) -> usize {
    Descriptors::fold(descriptors, 0_usize, |count, _| count.wrapping_add(1))
}

/// Takes and closes what is left, and passes over errors.
fn fold_slots(slots: DescriptorSlots<'_>) -> usize {
    DescriptorSlots::fold(slots, 0_usize, |count, slot| count.wrapping_add(usize::from(slot.is_ok())))
}

/// Takes and closes all that arrived.
fn fold_all_descriptors(descriptors: TakeDescriptors<'_>) -> usize {
    TakeDescriptors::fold(descriptors, 0_usize, |count, _| count.wrapping_add(1))
}

/// Walks the iterator that `ReceivedWithData::slices` gives.
fn slices(message: &ReceivedWithData<'_>) -> usize {
    ReceivedWithData::slices(message).map(<[u8]>::len).max().unwrap_or_default()
}

linked! { LINKED_SOCKET:
    sendmsg as fn(BorrowedFd<'static>, _, _, _) -> _,
    sendmsg_addr as fn(BorrowedFd<'static>, &'static SocketAddrAny, _, _, _) -> _,
    sendmsg_raw as unsafe fn(BorrowedFd<'static>, _, _) -> _,
    sendmmsg as fn(BorrowedFd<'static>, _, _) -> _,
    recvmsg as fn(BorrowedFd<'static>, _, BytesMut, RecvFlags) -> _,
    recvmsg as fn(BorrowedFd<'static>, _, BytesMut, RecvOptions) -> _,
    recvmsg_raw as unsafe fn(BorrowedFd<'static>, _, _) -> _,
    recvmmsg as fn(BorrowedFd<'static>, _, _, RecvOptions, _) -> _,
    RecvOptions::new as fn() -> _,
    RecvOptions::with_flags as fn(_) -> _,
    RecvOptions::inheritable as fn(_) -> _,
    RecvOptions::retry_interrupted as fn(_) -> _,
    RecvOptions::from as fn(RecvFlags) -> _,
    <RecvOptions as Default>::default as fn() -> _,
    <RecvOptions as Debug>::fmt as fn(_, _) -> _,
    set_delivery::<ScmCredentials> as fn(BorrowedFd<'static>, _) -> _,
    SendMsgHdr::new as fn(_, _) -> _,
    SendMsgHdr::with_bytes as fn(_, _) -> _,
    SendMsgHdr::with_address as fn(_, _) -> _,
    SendMsgHdr::as_ptr as fn(_) -> _,
    <SendMsgHdr<'_> as Debug>::fmt as fn(_, _) -> _,
    SendSlot::new as fn(_, _) -> _,
    SendSlot::empty as fn() -> _,
    SendSlot::with_address as fn(_, _) -> _,
    SendSlot::sent as fn(_) -> _,
    <SendSlot<'_> as Debug>::fmt as fn(_, _) -> _,
    RecvMsgHdr::new as fn(_, BytesMut) -> _,
    RecvMsgHdr::as_mut_ptr as fn(_) -> _,
    <RecvMsgHdr<'_, '_> as Debug>::fmt as fn(_, _) -> _,
    RecvRoom::new as fn(_, BytesMut) -> _,
    <RecvRoom<'_, '_> as Debug>::fmt as fn(_, _) -> _,
    RecvSlot::new as fn() -> _,
    <RecvSlot as Default>::default as fn() -> _,
    <RecvSlot as Debug>::fmt as fn(_, _) -> _,
    <MsgHdr as Debug>::fmt as fn(_, _) -> _,
    MultishotMsgHdr::new as fn(_, _) -> _,
    MultishotMsgHdr::as_ptr as fn(_) -> _,
    MultishotMsgHdr::name_room as fn(_) -> _,
    MultishotMsgHdr::control_capacity as fn(_) -> _,
    MultishotMsgHdr::payload_offset as fn(_) -> _,
    MultishotMsgHdr::split as fn(_, _) -> _,
    <MultishotMsgHdr as Debug>::fmt as fn(_, _) -> _,
    RecvmsgOut::name as fn(_) -> _,
    RecvmsgOut::name_len as fn(_) -> _,
    RecvmsgOut::control as fn(_) -> _,
    RecvmsgOut::messages as fn(_) -> _,
    RecvmsgOut::payload as fn(_) -> _,
    RecvmsgOut::payload_len as fn(_) -> _,
    RecvmsgOut::flags as fn(_) -> _,
    RecvmsgOut::data_truncated as fn(_) -> _,
    RecvmsgOut::control_truncated as fn(_) -> _,
    RecvmsgOut::name_truncated as fn(_) -> _,
    <RecvmsgOut<'_> as Debug>::fmt as fn(_, _) -> _,
    <RecvmsgOutError as Display>::fmt as fn(_, _) -> _,
}
