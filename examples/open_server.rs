//! The open server of the textbook: a process that opens files for others and passes the open files on.
//!
//! A client wants to read a file that it may not be able to open itself. It asks a server by name over a UNIX-domain
//! socket, gets the open descriptor (`SCM_RIGHTS`) or the reason why not, and reads the file through the descriptor.
//! The server does not rely on what a client says of itself: it has the kernel tell it who sent each request
//! (`SCM_CREDENTIALS`).
//!
//! Run without arguments, the program is the client, and starts itself a second time as the server; `--help` says what
//! else there is. It has three parts: `protocol` is what crosses the socket, and all that uses this crate's calls;
//! `client` asks and reads; `server` decides and opens.
//!
//! The textbook is Stevens and Rago, "Advanced Programming in the UNIX Environment", sections 17.5 and 17.6.

/// `SO_PASSCRED` and `SCM_CREDENTIALS` are Linux's own. Other systems have other ways to ask for the same.
#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this example is written for Linux");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    const USAGE: &str = "\
usage: open_server [PATH]              start a server, ask it for PATH and for two files it refuses
       open_server serve SOCKET        be the server of everybody who connects to SOCKET
       open_server serve -             be the server of the client on standard input
       open_server open SOCKET PATH    be a client: ask the server at SOCKET for PATH";

    // Not as `String`: a path need not be UTF-8.
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let result = match arguments.as_slice() {
        [] => client::demonstrate(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").as_ref()),
        [command, dash] if command == "serve" && dash == "-" => server::serve_standard_input(),
        [command, socket] if command == "serve" => server::serve(socket.as_ref()),
        [command, socket, path] if command == "open" => client::open(socket.as_ref(), path.as_ref()),
        [path] if path != "serve" && path != "open" && !path.as_encoded_bytes().starts_with(b"-") => {
            client::demonstrate(path.as_ref())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("open_server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What crosses the socket. It is of type `SEQPACKET`, connected and with bounds between messages, so that one request
/// is one message and one answer is one message.
///
/// | message | data | beside it |
/// |---|---|---|
/// | request | an absolute path | the sender's credentials, from the kernel |
/// | answer | 0 | the open file |
/// | answer | an error number other than 0, and a text | nothing |
///
/// Both ends are on one machine, so numbers are in its own byte order.
#[cfg(target_os = "linux")]
mod protocol {
    use ancillary::message::{ScmCredentials, ScmRights};
    use ancillary::received::recvmsg;
    use ancillary::socket::sendmsg;
    use ancillary::{ControlBuffer, ControlWriter, control_len, control_space};
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::io::{Errno, IoSlice, IoSliceMut};
    use rustix::net::{RecvFlags, SendFlags};
    use std::error::Error;
    use std::ffi::OsStr;
    use std::fmt;
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Path, PathBuf};

    /// The longest path in bytes: Linux does not open a longer one.
    const LONGEST_PATH: usize = 4095;
    /// The longest text of an answer in bytes.
    const LONGEST_TEXT: usize = 256;

    /// What a server has received.
    pub(crate) struct Request {
        /// Who sent this very message. (`SO_PEERCRED` would say who connected, which need not be the same process.)
        pub(crate) sender: ScmCredentials,
        /// What it asks for, or why the server need not even look at that.
        pub(crate) path: Result<PathBuf, Refusal>,
    }

    /// What a server answers, and a client gets.
    pub(crate) type Answer = Result<OwnedFd, Refusal>;

    /// Why a file is not passed on.
    #[derive(Debug)]
    pub(crate) struct Refusal {
        /// The system's number for the error. It stays a plain number: the client has it from a stranger.
        error_number: i32,
        text: String,
    }

    impl Refusal {
        pub(crate) fn new(errno: Errno, text: impl fmt::Display) -> Self {
            Refusal { error_number: errno.raw_os_error(), text: text.to_string() }
        }
    }

    impl fmt::Display for Refusal {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            // A text from a stranger could hold a terminal's control codes.
            write!(f, "{}: {}", self.text.escape_debug(), io::Error::from_raw_os_error(self.error_number))
        }
    }

    impl Error for Refusal {}

    /// Client to server. There is nothing to say about the sender: the kernel does that.
    pub(crate) fn send_request(socket: impl AsFd, path: &Path) -> Result<(), Errno> {
        // A peer that is gone shall be an error like any other, not a signal.
        sendmsg(socket, &[IoSlice::new(path.as_os_str().as_bytes())], &ControlWriter::empty(), SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next request, or `None` when the client has ended the conversation.
    ///
    /// The socket has `SO_PASSCRED` on.
    pub(crate) fn receive_request(socket: impl AsFd) -> Result<Option<Request>, Box<dyn Error>> {
        let mut data = [0; LONGEST_PATH];
        // There is room for the credentials and no room for descriptors: those that a client sends uninvited are closed
        // by the kernel and never get into this process.
        let mut space = ControlBuffer::<{ control_space!(ScmCredentials) }>::new();
        let received = recvmsg(socket, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;

        let sender = received.find::<ScmCredentials>().transpose()?;
        // No bytes may be an empty message or the end of the conversation. The kernel signs every message, even an
        // empty one; the end has no sender.
        let Some(sender) = sender else {
            return if received.bytes() == 0 {
                Ok(None)
            } else {
                Err("a request without credentials: SO_PASSCRED is off".into())
            };
        };
        // What is cut is not what the client asked for: the beginning of a path is a path, too.
        let path = received
            .complete()
            .map(|received| PathBuf::from(OsStr::from_bytes(received.filled(&data))))
            .map_err(|truncated| Refusal::new(Errno::BADMSG, format_args!("this is no request: {truncated}")));
        Ok(Some(Request { sender, path }))
    }

    /// Server to client. The file is duplicated into the message, so the server can close its own at once.
    pub(crate) fn send_answer(socket: impl AsFd, answer: &Answer) -> Result<(), Box<dyn Error>> {
        let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
        let mut control = space.writer();
        let (error_number, text) = match answer {
            Ok(file) => {
                control.push(ScmRights([file.as_fd()]))?;
                (0, "")
            }
            Err(refusal) => (refusal.error_number, refusal.text.as_str()),
        };
        let error_number = error_number.to_ne_bytes();
        let data = [IoSlice::new(&error_number), IoSlice::new(text.as_bytes())];
        sendmsg(socket, &data, &control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The answer to a request; an error if what arrives is none.
    pub(crate) fn receive_answer(socket: impl AsFd) -> Result<Answer, Box<dyn Error>> {
        let mut data = [0; size_of::<i32>() + LONGEST_TEXT];
        // `control_space!` would include padding that has room for a second descriptor. This is room for exactly one:
        // `complete` fails if there were more.
        let mut space = ControlBuffer::<{ control_len!(ScmRights[1]) }>::new();
        let mut received =
            recvmsg(socket, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?.complete()?;

        let answer = received.filled(&data).split_first_chunk();
        let (error_number, text) = answer.ok_or("the server has sent no answer")?;
        let file = received.take_descriptors()?.next();
        // From here on, a file that is not returned is closed, whichever way this function is left.
        match (i32::from_ne_bytes(*error_number), file) {
            (0, Some(file)) => Ok(Ok(file)),
            (0, None) => Err("the server says that it has opened the file, but has passed none".into()),
            (error_number, None) => Ok(Err(Refusal { error_number, text: String::from_utf8_lossy(text).into_owned() })),
            (_, Some(_)) => Err("the server refuses, but has passed a file".into()),
        }
    }
}

/// Asks for files and reads what it gets.
#[cfg(target_os = "linux")]
mod client {
    use crate::protocol::{Answer, receive_answer, send_request};
    use rustix::fd::{AsRawFd, OwnedFd};
    use rustix::fs::{OFlags, fcntl_getfl};
    use rustix::io::{FdFlags, fcntl_getfd};
    use rustix::net::sockopt::set_socket_passcred;
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, socketpair};
    use std::env;
    use std::error::Error;
    use std::fs::File;
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::path::Path;
    use std::process::{self, Command};

    /// How much of a file is shown.
    const LINES: usize = 5;
    const BYTES: u64 = 1000;

    /// Starts a server of its own, asks it for `path`, and then for two files that it refuses.
    ///
    /// The two are connected by a pair of sockets without a name, so no file is left behind.
    pub(crate) fn demonstrate(path: &Path) -> Result<(), Box<dyn Error>> {
        let (socket, socket_of_server) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        // Before the first request: of a message that was sent earlier the kernel would not know the sender. What is
        // set on a socket stays set, whoever inherits it.
        set_socket_passcred(&socket_of_server, true)?;

        // In this process the server's end is closed with the `Command`, at the end of the statement. So if the server
        // dies, nobody holds that end any more, and the client learns of it instead of waiting for an answer.
        let mut server = Command::new(env::current_exe()?).args(["serve", "-"]).stdin(socket_of_server).spawn()?;
        let result = converse(socket, path);
        // `converse` has closed the socket, even if it failed: the server sees the end, and ends. To wait for it leaves
        // no zombie.
        let status = server.wait()?;
        result?;
        if status.success() { Ok(()) } else { Err(format!("the server has failed: {status}").into()) }
    }

    fn converse(socket: OwnedFd, path: &Path) -> Result<(), Box<dyn Error>> {
        show(ask(&socket, path)??)?;
        // One that the system does not open, and one that the server does not pass on.
        for path in ["/no/such/file", "/"] {
            match ask(&socket, path.as_ref())? {
                Err(refusal) => writeln!(io::stdout(), "client: refused: {refusal}")?,
                Ok(file) => show(file)?,
            }
        }
        Ok(())
    }

    /// Connects to a server that somebody else has started, and asks it for `path`.
    pub(crate) fn open(server: &Path, path: &Path) -> Result<(), Box<dyn Error>> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        connect(&socket, &SocketAddrUnix::new(server)?).map_err(|error| format!("{}: {error}", server.display()))?;
        show(ask(&socket, path)??)
    }

    /// The outer error is one of the conversation; the inner one is the server's answer.
    fn ask(socket: &OwnedFd, path: &Path) -> Result<Answer, Box<dyn Error>> {
        // The server has a working directory of its own, to which a relative path means something else. Symbolic links
        // stay as they are: to follow them here would take permissions that the client may not have.
        let path = std::path::absolute(path)?;
        writeln!(io::stdout(), "client: process {} asks for {}", process::id(), path.display())?;
        send_request(socket, &path)?;
        receive_answer(socket)
    }

    /// Says what the descriptor is, and reads the first lines of the file through it.
    fn show(file: OwnedFd) -> Result<(), Box<dyn Error>> {
        // The access mode is the open file's, so it is as the server has chosen it. Close-on-exec is the descriptor's,
        // and this is another descriptor than the server's: `recvmsg` has set it.
        let read_only = fcntl_getfl(&file)? & OFlags::RWMODE == OFlags::RDONLY;
        let close_on_exec = fcntl_getfd(&file)?.contains(FdFlags::CLOEXEC);
        let mut output = io::stdout().lock();
        writeln!(
            output,
            "client: got descriptor {}, {}, {}:",
            file.as_raw_fd(),
            if read_only { "read-only" } else { "writable" },
            if close_on_exec { "close-on-exec" } else { "inheritable" },
        )?;
        // A file may be one endless line, and need not be text.
        let beginning = BufReader::new(File::from(file).take(BYTES));
        for line in beginning.split(b'\n').take(LINES) {
            writeln!(output, "    {}", String::from_utf8_lossy(&line?))?;
        }
        Ok(())
    }
}

/// Opens files for clients it does not trust: none of them may end it, hold it up for the others, or leave anything
/// behind in it.
#[cfg(target_os = "linux")]
mod server {
    use crate::protocol::{Answer, Refusal, Request, receive_request, send_answer};
    use ancillary::message::ScmCredentials;
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::fs::{FileType, Mode, OFlags, fstat};
    use rustix::io::Errno;
    use rustix::net::sockopt::{Timeout, set_socket_passcred, set_socket_timeout};
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with,
    };
    use rustix::process::geteuid;
    use std::error::Error;
    use std::fmt;
    use std::fs;
    use std::io::{self, Write};
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    use std::path::Path;
    use std::process;
    use std::thread;
    use std::time::Duration;

    /// How long a client may take for a request, and to make room for an answer.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// How many clients may wait to be accepted.
    const BACKLOG: i32 = 64;

    /// Serves the one client on standard input, until that ends the conversation.
    pub(crate) fn serve_standard_input() -> Result<(), Box<dyn Error>> {
        // The client has started this server for itself: it may take its time.
        converse(io::stdin())
    }

    /// Serves everybody who connects to the socket at `path`, until the process is killed.
    pub(crate) fn serve(path: &Path) -> Result<(), Box<dyn Error>> {
        let listener = listen_at(path).map_err(|error| format!("{}: {error}", path.display()))?;
        log(format_args!("listening at {}", path.display()));
        loop {
            // A thread for each client, so that a silent one keeps nobody waiting. The limit on this process's
            // descriptors is one on its clients, too; a server in earnest would also have a limit for each user.
            let client = accept_with(&listener, SocketFlags::CLOEXEC).map_err(io::Error::from);
            let thread = client.and_then(|client| thread::Builder::new().spawn(move || serve_stranger(client)));
            if let Err(error) = thread {
                // A client that gave up early, or too many clients at once. Both pass.
                log(format_args!("a client could not be served: {error}"));
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn serve_stranger(client: OwnedFd) {
        // With a timeout on the socket, a call that waited in vain fails with `EAGAIN`.
        let result = [Timeout::Recv, Timeout::Send]
            .into_iter()
            .try_for_each(|timeout| set_socket_timeout(&client, timeout, Some(PATIENCE)))
            .map_err(Box::from)
            .and_then(|()| converse(&client));
        if let Err(error) = result {
            log(format_args!("a conversation was broken off: {error}"));
        }
    }

    /// A listening socket, with `SO_PASSCRED` on before there are clients: the sockets it accepts inherit that.
    fn listen_at(path: &Path) -> Result<OwnedFd, Box<dyn Error>> {
        let address = SocketAddrUnix::new(path)?;
        let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        set_socket_passcred(&listener, true)?;
        match bind(&listener, &address) {
            Err(Errno::ADDRINUSE) if is_stale(path, &address)? => {
                fs::remove_file(path)?;
                bind(&listener, &address)?;
            }
            result => result?,
        }
        // To connect takes permission to write. Everybody may ask: what they get is decided for each request.
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        listen(&listener, BACKLOG)?;
        Ok(listener)
    }

    /// Whether there is a socket that a server has left behind, and nothing else: neither a file of another kind nor a
    /// socket that somebody still listens at.
    ///
    /// (Two servers that start at the same instant could both find it stale. Whoever starts servers starts one.)
    fn is_stale(path: &Path, address: &SocketAddrUnix) -> Result<bool, Box<dyn Error>> {
        if !fs::symlink_metadata(path)?.file_type().is_socket() {
            return Ok(false);
        }
        // Not blocking: a server that is alive may have more clients waiting than it accepts.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let probe = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok(connect(&probe, address) == Err(Errno::CONNREFUSED))
    }

    /// Answers one request after the other, until the client ends the conversation.
    fn converse(socket: impl AsFd) -> Result<(), Box<dyn Error>> {
        while let Some(Request { sender, path }) = receive_request(&socket)? {
            // `Debug` escapes what could forge a line of the log.
            let asked = path.as_ref().map_or_else(|_| "no path".to_owned(), |path| format!("{path:?}"));
            let answer = path.and_then(|path| open(sender, &path));
            let outcome = answer.as_ref().map_or_else(|refusal| format!("refused: {refusal}"), |_| "opened".to_owned());
            let ScmCredentials { pid, uid, gid } = sender;
            log(format_args!("process {pid} of user {uid}, group {gid} asks for {asked}: {outcome}"));
            send_answer(&socket, &answer)?;
            // Here the answer is dropped, and this process's descriptor of the file closed.
        }
        Ok(())
    }

    /// Opens a file for reading, if the system lets this process and this process lets the client.
    fn open(client: ScmCredentials, path: &Path) -> Answer {
        if !path.is_absolute() {
            return Err(Refusal::new(Errno::INVAL, "the path is not absolute"));
        }
        // The client chooses the path, so it may be anything. `NONBLOCK`: a FIFO without a writer must not hold the
        // server up. `NOCTTY`: a terminal must not become the server's own. (A path with a NUL is `EINVAL`.)
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| Refusal::new(errno, "the server cannot open the file"))?;
        match may_read(client, &file) {
            Ok(true) => Ok(file),
            Ok(false) => Err(Refusal::new(Errno::ACCESS, "the server does not pass this file on to this client")),
            Err(errno) => Err(Refusal::new(errno, "the server cannot tell what the file is")),
        }
    }

    /// The decision: whether a client may have a file that this process can open. A server of yours has its own rules
    /// here.
    ///
    /// It is the open file that is judged, not its path: that may by now name another file.
    fn may_read(client: ScmCredentials, file: &OwnedFd) -> Result<bool, Errno> {
        let status = fstat(file)?;
        // A descriptor of a directory opens everything below it, and one of a device may be more than a file.
        let is_regular = FileType::from_raw_mode(status.st_mode).is_file();
        // The server's own user could open it as well. Others get what everybody may read, wherever it is: that they
        // need not get through the directories above it is what the server is for.
        let is_own_user = client.uid == geteuid().as_raw();
        let is_public = Mode::from_raw_mode(status.st_mode).contains(Mode::ROTH);
        Ok(is_regular && (is_own_user || is_public))
    }

    /// Tells whoever watches the server. A server that nobody watches any more still serves.
    fn log(line: fmt::Arguments<'_>) {
        let _ = writeln!(io::stderr(), "server {}: {line}", process::id());
    }
}
