//! A match over all kinds, as a chain of types.

use crate::timestamp::Timestampns;
use ancillary::ControlMessages;
use ancillary::message::{
    IpPktinfo, IpTos, Ipv6Pktinfo, Ipv6Tclass, ScmCredentials, ScmPidfd, ScmRightsNumbers, ScmSecurity, UdpGro,
};
use ancillary_benches::mix;

pub fn match_kinds(bytes: &mut [u8]) -> u64 {
    let mut digest = 0;
    let mut take = |number: u32| digest = mix(digest, number);
    for message in ControlMessages::new(bytes) {
        let Ok(message) = message else { break };
        if let Some(Ok(rights)) = message.decode::<ScmRightsNumbers>() {
            rights.for_each(|number| take(number.unwrap_or_else(|none| none.raw) as u32));
        } else if let Some(Ok(ScmCredentials { pid, uid, gid })) = message.decode() {
            [pid as u32, uid, gid].into_iter().for_each(&mut take);
        } else if let Some(Ok(security)) = message.decode::<ScmSecurity<'_>>() {
            security.label().iter().for_each(|byte| take((*byte).into()));
        } else if message.is::<ScmPidfd>() {
            // It is decoded by its owner alone.
            let Ok(number) = message.payload().try_into() else { continue };
            take(u32::from_ne_bytes(number));
        } else if let Some(Ok(Timestampns { seconds, nanoseconds })) = message.decode() {
            [seconds as u32, nanoseconds as u32].into_iter().for_each(&mut take);
        } else if let Some(Ok(IpPktinfo { ifindex, spec_dst, addr })) = message.decode() {
            [ifindex, spec_dst.to_bits(), addr.to_bits()].into_iter().for_each(&mut take);
        } else if let Some(Ok(IpTos(class))) = message.decode() {
            take(class.into());
        } else if let Some(Ok(Ipv6Pktinfo { addr, ifindex })) = message.decode() {
            let bits = addr.to_bits();
            [ifindex, (bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32]
                .into_iter()
                .for_each(&mut take);
        } else if let Some(Ok(Ipv6Tclass(class))) = message.decode() {
            take(class as u32);
        } else if let Some(Ok(UdpGro(size))) = message.decode() {
            take(size as u32);
        }
    }
    digest
}
