//! Datagrams as quinn-udp receives them.

use crate::timestamp::Timestampns;
use ancillary::message::{IpPktinfo, IpTos, Ipv6Pktinfo, Ipv6Tclass, UdpGro};
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{RecvRoom, RecvSlot};
use ancillary::{ControlBuffer, Received, control_space};
use ancillary_benches::{Arriving, MOST, SEGMENT, SEGMENTS};
use rustix::io::{Errno, IoSliceMut};
use rustix::net::RecvFlags;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const SPACE: usize = control_space!(Timestampns, UdpGro, Ipv6Pktinfo, Ipv6Tclass);

#[derive(Clone, Copy)]
struct Meta {
    addr: SocketAddr,
    len: usize,
    stride: usize,
    ecn: u8,
    dst_ip: Option<IpAddr>,
    interface_index: Option<u32>,
    timestamp: Option<Duration>,
}

impl Meta {
    const NONE: Self = Meta {
        addr: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        len: 0,
        stride: 0,
        ecn: 0,
        dst_ip: None,
        interface_index: None,
        timestamp: None,
    };

    /// What came beside a datagram.
    #[inline]
    fn of(received: &Received<'_>) -> Result<Self, Errno> {
        let address = received.address().ok_or(Errno::AFNOSUPPORT)?;
        let addr = SocketAddr::try_from(address.clone())?;
        let mut meta = Meta { addr, len: received.bytes(), stride: received.bytes(), ..Meta::NONE };
        for message in received.raw_messages() {
            let Ok(message) = message else { break };
            if let Some(Ok(IpTos(class))) = message.decode() {
                meta.ecn = class & 3;
            } else if let Some(Ok(Ipv6Tclass(class))) = message.decode() {
                meta.ecn = class as u8 & 3;
            } else if let Some(Ok(IpPktinfo { ifindex, addr, .. })) = message.decode() {
                (meta.dst_ip, meta.interface_index) = (Some(addr.into()), Some(ifindex));
            } else if let Some(Ok(Ipv6Pktinfo { ifindex, addr, .. })) = message.decode() {
                (meta.dst_ip, meta.interface_index) = (Some(addr.into()), Some(ifindex));
            } else if let Some(Ok(UdpGro(size))) = message.decode() {
                meta.stride = size as usize;
            } else if let Some(Ok(Timestampns { seconds, nanoseconds })) = message.decode() {
                let seconds = u64::try_from(seconds).unwrap_or(0);
                meta.timestamp = Some(Duration::new(seconds, u32::try_from(nanoseconds).unwrap_or(0)));
            }
        }
        Ok(meta)
    }
}

/// Receives into buffers that the caller has brought, as many as there are, or [`MOST`].
#[inline(never)]
fn receive(socket: &std::net::UdpSocket, buffers: &mut [IoSliceMut<'_>], metas: &mut [Meta]) -> Result<usize, Errno> {
    if let ([_], [meta]) = (&*buffers, &mut *metas) {
        let mut space = ControlBuffer::<SPACE>::new();
        *meta = Meta::of(&recvmsg(socket, buffers, &mut space, RecvFlags::empty())?)?;
        return Ok(1);
    }
    let count = buffers.len().min(MOST);
    let mut spaces = [const { ControlBuffer::<SPACE>::new() }; MOST];
    let (mut slices, mut places) = (buffers.chunks_mut(1), spaces.iter_mut());
    let mut rooms: [RecvRoom<'_, '_>; MOST] =
        std::array::from_fn(|_| RecvRoom::new(slices.next().unwrap_or_default(), places.next().expect("as many")));
    let mut slots = [const { RecvSlot::new() }; MOST];
    let batch = recvmmsg(socket, &mut slots, &mut rooms[..count], RecvFlags::empty(), None)?;
    let received = batch.len();
    for (message, meta) in batch.zip(metas) {
        *meta = Meta::of(&message)?;
    }
    Ok(received)
}

pub fn udp<const COUNT: usize>(arriving: &mut Arriving) {
    let mut buffers = [[0; SEGMENT * SEGMENTS]; COUNT];
    let mut metas = [Meta::NONE; COUNT];
    while arriving.bring() {
        let mut received = 0;
        while received < COUNT {
            let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
            let most = COUNT - received;
            let now = receive(&arriving.server, &mut slices[..most], &mut metas[..most]).expect("there are some");
            arriving.take(&buffers[..now], &metas[..now], |meta| ancillary_benches::Meta {
                addr: meta.addr,
                len: meta.len,
                stride: meta.stride,
                ecn: meta.ecn,
                dst_ip: meta.dst_ip,
                interface_index: meta.interface_index,
                has_timestamp: meta.timestamp.is_some(),
            });
            received += now;
        }
    }
}
