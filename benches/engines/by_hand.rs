//! What is written in place of this crate's types: its walk, and a match on level and type.

use ancillary::ControlMessages;
use ancillary_benches::{Engine, mix, run};
use libc::{
    IP_PKTINFO, IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPV6_PKTINFO, IPV6_TCLASS, SCM_CREDENTIALS, SCM_RIGHTS,
    SCM_TIMESTAMPNS, SOL_SOCKET, SOL_UDP, UDP_GRO,
};

const ENGINE: Engine = Engine { match_kinds: Some(match_kinds), ..Engine::NOTHING }.of_this_program();

const SCM_SECURITY: i32 = 3;
const SCM_PIDFD: i32 = 4;

fn match_kinds(bytes: &mut [u8]) -> u64 {
    let mut digest = 0;
    let mut take = |number: u32| digest = mix(digest, number);
    for message in ControlMessages::new(bytes) {
        let Ok(message) = message else { break };
        let payload = message.payload();
        match (message.level(), message.message_type()) {
            (SOL_SOCKET, SCM_RIGHTS) => payload.as_chunks().0.iter().for_each(|slot| take(u32::from_ne_bytes(*slot))),
            (SOL_SOCKET, SCM_CREDENTIALS) => {
                let Ok(bytes) = <[u8; 12]>::try_from(payload) else { continue };
                bytes.as_chunks().0.iter().for_each(|number| take(u32::from_ne_bytes(*number)));
            }
            (SOL_SOCKET, SCM_SECURITY) => {
                let label = payload.strip_suffix(b"\0").unwrap_or(payload);
                label.iter().for_each(|byte| take((*byte).into()));
            }
            (SOL_SOCKET, SCM_PIDFD) => {
                let Ok(number) = payload.try_into() else { continue };
                take(u32::from_ne_bytes(number));
            }
            (SOL_SOCKET, SCM_TIMESTAMPNS) => {
                let Ok(bytes) = <[u8; 16]>::try_from(payload) else { continue };
                bytes.as_chunks().0.iter().for_each(|number| take(u64::from_ne_bytes(*number) as u32));
            }
            (IPPROTO_IP, IP_PKTINFO) => {
                let Ok(bytes) = <[u8; 12]>::try_from(payload) else { continue };
                let [index, addresses @ ..] = bytes.as_chunks().0 else { continue };
                take(u32::from_ne_bytes(*index));
                addresses.iter().for_each(|address| take(u32::from_be_bytes(*address)));
            }
            (IPPROTO_IP, IP_TOS) => {
                let [class] = *payload else { continue };
                take(class.into());
            }
            (IPPROTO_IPV6, IPV6_PKTINFO) => {
                let Ok(bytes) = <[u8; 20]>::try_from(payload) else { continue };
                let [address @ .., index] = bytes.as_chunks().0 else { continue };
                take(u32::from_ne_bytes(*index));
                address.iter().for_each(|part| take(u32::from_be_bytes(*part)));
            }
            (IPPROTO_IPV6, IPV6_TCLASS) | (SOL_UDP, UDP_GRO) => {
                let Ok(number) = payload.try_into() else { continue };
                take(u32::from_ne_bytes(number));
            }
            _ => {}
        }
    }
    digest
}

fn main() {
    run(&ENGINE);
}
