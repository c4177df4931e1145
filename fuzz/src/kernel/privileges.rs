use libfuzzer_sys::arbitrary::{self, Arbitrary};
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_thread_res_gid, set_thread_res_uid,
};

/// What the process may do of that which the kernel asks for when something is sent, as far as it may do so to begin
/// with.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Privileges {
    sys_admin: bool,
    sys_resource: bool,
    setuid: bool,
    setgid: bool,
    /// Whether real, effective and saved ids are three different ones, and the real user is nobody else on the machine.
    own_user: bool,
}

/// The thread with fewer privileges. Dropping this gives them back.
///
/// The calls are about one thread alone: the C library's would be about all.
#[derive(Debug)]
pub struct Reduced {
    before: CapabilitySets,
    uids: [u32; 3],
    gids: [u32; 3],
}

/// The real, effective and saved user ids of this thread.
pub(super) fn uids() -> [u32; 3] {
    let mut ids = [0; 3];
    let [real, effective, saved] = &mut ids;
    // SAFETY: the call writes to three integers.
    assert_eq!(unsafe { libc::getresuid(real, effective, saved) }, 0);
    ids
}

/// The real, effective and saved group ids of this thread.
pub(super) fn gids() -> [u32; 3] {
    let mut ids = [0; 3];
    let [real, effective, saved] = &mut ids;
    // SAFETY: the call writes to three integers.
    assert_eq!(unsafe { libc::getresgid(real, effective, saved) }, 0);
    ids
}

/// A user that only this process has, so that nobody else's descriptors in flight are counted with ours.
pub(super) fn own_user() -> u32 {
    1_000_000_000 + std::process::id()
}

fn set_uids(ids: [u32; 3]) -> rustix::io::Result<()> {
    let [real, effective, saved] = ids.map(|id| Some(Uid::from_raw(id)));
    set_thread_res_uid(real, effective, saved)
}

fn set_gids(ids: [u32; 3]) -> rustix::io::Result<()> {
    let [real, effective, saved] = ids.map(|id| Some(Gid::from_raw(id)));
    set_thread_res_gid(real, effective, saved)
}

impl Privileges {
    pub fn apply(self) -> Reduced {
        let before = capabilities(None).expect("every Linux has them");
        let reduced = Reduced { before, uids: uids(), gids: gids() };
        if self.own_user {
            let own = own_user();
            // The effective ids stay as they are, so that files do. Without the privilege, the others do too.
            let _ = set_uids([own, reduced.uids[1], own + 1]);
            let _ = set_gids([own + 2, reduced.gids[1], own + 3]);
        }
        let mut sets = before;
        for (capability, kept) in [
            (CapabilitySet::SYS_ADMIN, self.sys_admin),
            (CapabilitySet::SYS_RESOURCE, self.sys_resource),
            (CapabilitySet::SETUID, self.setuid),
            (CapabilitySet::SETGID, self.setgid),
        ] {
            sets.effective.set(capability, kept && before.effective.contains(capability));
        }
        set_capabilities(None, sets).expect("these are fewer");
        reduced
    }
}

impl Drop for Reduced {
    fn drop(&mut self) {
        set_capabilities(None, self.before).expect("these are permitted still");
        set_uids(self.uids).expect("each is one of the thread's, or it may");
        set_gids(self.gids).expect("each is one of the thread's, or it may");
    }
}
