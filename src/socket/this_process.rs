//! What this process can say about itself.

impl crate::message::ScmCredentials {
    /// The credentials of this process: its process id, real user id and real group id, which any process may send.
    ///
    /// They are what the kernel attaches by itself when the receiver has turned `SO_PASSCRED` on.
    ///
    /// ```
    /// let credentials = ancillary::message::ScmCredentials::of_this_process();
    /// assert_eq!(credentials.uid, rustix::process::getuid().as_raw());
    /// ```
    pub fn of_this_process() -> Self {
        let (pid, uid, gid) = super::backend::ids();
        Self { pid, uid, gid }
    }
}
